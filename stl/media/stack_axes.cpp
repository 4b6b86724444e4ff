#include "stl/media/stack_axes.h"

#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

namespace stl {
namespace {

/// Pages of one file that a damaged description may speak of.
constexpr std::int64_t most_planes = 10'000'000;

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

std::optional<double> real_number(std::string_view text) {
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end == text.data() || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// Of units of time as OME and ImageJ write them; 0: not one.
double seconds_in(std::string_view unit) {
    struct Unit {
        std::string_view name;
        double seconds;
    };
    static constexpr std::array units{
        Unit{"s", 1},          Unit{"sec", 1},         Unit{"second", 1},   Unit{"seconds", 1},
        Unit{"ms", 1e-3},      Unit{"msec", 1e-3},     Unit{"us", 1e-6},    Unit{"\u00b5s", 1e-6},
        Unit{"\u03bcs", 1e-6}, Unit{"\\u00B5s", 1e-6}, Unit{"usec", 1e-6},  Unit{"ns", 1e-9},
        Unit{"min", 60},       Unit{"minute", 60},     Unit{"minutes", 60}, Unit{"h", 3600},
        Unit{"hr", 3600},      Unit{"hour", 3600},     Unit{"hours", 3600}, Unit{"d", 86400},
        Unit{"day", 86400},    Unit{"days", 86400}};
    const auto* found = std::ranges::find(units, unit, &Unit::name);
    return found == units.end() ? 0 : found->seconds;
}

/// 0 unless it is the length of a step: nothing from a nanosecond to years is refused.
double plausible_interval(double seconds) {
    return seconds >= 1e-9 && seconds <= 1e9 ? seconds : 0;
}

/// The numbers of planes along depth, channel and time.
struct Sizes {
    std::int64_t z = 1, c = 1, t = 1;
    /// False: not sizes of a stack.
    bool valid() const {
        const auto fine = [](std::int64_t n) { return n >= 1 && n <= most_planes; };
        return fine(z) && fine(c) && fine(t) && z * c <= most_planes && z * c * t <= most_planes;
    }
    std::int64_t planes() const { return z * c * t; }
};

struct Plane {
    std::int64_t z = 0, c = 0, t = 0;
};

StackAxes empty_axes(const Sizes& sizes) {
    StackAxes axes;
    axes.slices_are_frames = sizes.t == 1 && sizes.z > 1;
    axes.channels = sizes.c;
    axes.slices = axes.slices_are_frames ? 1 : sizes.z;
    const auto frames = static_cast<std::size_t>(axes.slices_are_frames ? sizes.z : sizes.t);
    axes.films.assign(static_cast<std::size_t>(axes.channels * axes.slices),
                      std::vector<std::int64_t>(frames, -1));
    return axes;
}

/// What [film][frame] of these axes says of a plane.
template <class T>
T& of_plane(std::vector<std::vector<T>>& films, const StackAxes& axes, const Plane& plane) {
    const bool depth = axes.slices_are_frames;
    const auto film = plane.c + axes.channels * (depth ? 0 : plane.z);
    return films[static_cast<std::size_t>(film)][static_cast<std::size_t>(depth ? plane.z : plane.t)];
}

void place(StackAxes& axes, const Plane& plane, std::int64_t page) {
    of_plane(axes.films, axes, plane) = page;
}

StackAxes every_page_a_frame(std::int64_t pages) {
    StackAxes axes = empty_axes({1, 1, pages});
    for (std::int64_t i = 0; i < pages; ++i) place(axes, {0, 0, i}, i);
    return axes;
}

/// Lines "finterval=0.5" and "tunit=ms" (seconds if absent), else "fps=2".
double imagej_interval(std::string_view text) {
    const auto line = [&](std::string_view key) {
        const auto at = text.find(key);
        if (at == std::string_view::npos) return std::string_view();
        const auto value = text.substr(at + key.size());
        return value.substr(0, value.find_first_of("\r\n"));
    };
    const auto unit = line("\ntunit=");
    const double interval =
        real_number(line("\nfinterval=")).value_or(0) * seconds_in(unit.empty() ? "s" : unit);
    if (interval > 0) return plausible_interval(interval);
    const double fps = real_number(line("\nfps=")).value_or(0);
    return fps > 0 ? plausible_interval(1 / fps) : 0;
}

/// Lines "channels=2", "slices=5", "frames=10"; channels change fastest, frames slowest.
std::optional<StackAxes> imagej_axes(std::string_view text, std::int64_t pages) {
    const auto value = [&](std::string_view key) {
        const auto at = text.find(key);
        return at == std::string_view::npos ? 1 : whole_number(text.substr(at + key.size())).value_or(1);
    };
    const Sizes sizes{value("\nslices="), value("\nchannels="), value("\nframes=")};
    if (!sizes.valid() || sizes.planes() != pages) return std::nullopt;
    StackAxes axes = empty_axes(sizes);
    for (std::int64_t i = 0; i < pages; ++i)
        place(axes, {i / sizes.c % sizes.z, i % sizes.c, i / (sizes.c * sizes.z)}, i);
    return axes;
}

/// Of an element or an attribute, without the prefix of its namespace.
std::string_view local_name(std::string_view name) {
    return name.substr(name.find(':') + 1);  // npos + 1 is 0
}

/// The first element of this name below `node`; null if there is none.
pugi::xml_node find_element(pugi::xml_node node, std::string_view name) {
    return node.find_node([&](pugi::xml_node one) { return local_name(one.name()) == name; });
}

std::optional<std::int64_t> number(pugi::xml_node element, const char* name) {
    return whole_number(element.attribute(name).value());
}

/// Which page a plane is, as <TiffData> says: those from a plane on, in the order of the dimensions.
class OmePlanes {
  public:
    OmePlanes(const Sizes& sizes, std::string_view order) : sizes_(sizes), order_(order) {}

    std::int64_t number_of(const Plane& plane) const {
        std::int64_t number = 0, step = 1;
        for (const char axis : order_) {
            number += step * (axis == 'Z' ? plane.z : axis == 'C' ? plane.c : plane.t);
            step *= size(axis);
        }
        return number;
    }
    Plane plane(std::int64_t number) const {
        Plane plane;
        for (const char axis : order_) {
            (axis == 'Z' ? plane.z : axis == 'C' ? plane.c : plane.t) = number % size(axis);
            number /= size(axis);
        }
        return plane;
    }

  private:
    std::int64_t size(char axis) const { return axis == 'Z' ? sizes_.z : axis == 'C' ? sizes_.c : sizes_.t; }
    Sizes sizes_;
    std::string_view order_;
};

/// A time and its unit, in seconds; empty: it isn't given, or in a unit such as "reference frame".
std::optional<double> time_of(pugi::xml_node element, const char* name) {
    const auto value = real_number(element.attribute(name).value());
    const double unit = seconds_in(element.attribute((std::string(name) + "Unit").c_str()).as_string("s"));
    if (!value || unit == 0) return std::nullopt;
    return *value * unit;
}

/// Source: OME-XML schema, Pixels/TimeIncrement and Plane/DeltaT.
void add_times(StackAxes& axes, pugi::xml_node pixels, const Sizes& sizes) {
    if (axes.slices_are_frames) return;
    axes.interval = plausible_interval(time_of(pixels, "TimeIncrement").value_or(0));
    for (const auto& child : pixels.children()) {
        if (local_name(child.name()) != "Plane") continue;
        const auto z = number(child, "TheZ"), c = number(child, "TheC"), t = number(child, "TheT");
        const auto time = time_of(child, "DeltaT");
        const auto within = [](std::optional<std::int64_t> n, std::int64_t size) {
            return n && *n >= 0 && *n < size;
        };
        if (!time || !within(z, sizes.z) || !within(c, sizes.c) || !within(t, sizes.t)) continue;
        if (axes.times.empty()) {
            const auto frames = static_cast<std::size_t>(sizes.t);
            axes.times.assign(axes.films.size(),
                              std::vector<double>(frames, std::numeric_limits<double>::quiet_NaN()));
        }
        of_plane(axes.times, axes, {*z, *c, *t}) = *time;
    }
}

bool is_order(std::string_view order) {
    std::string sorted(order);
    std::ranges::sort(sorted);
    return sorted == "CTZ";
}

/// Source: OME-TIFF specification, "the TiffData element".
std::optional<StackAxes> ome_axes(std::string_view xml, std::int64_t pages, std::string_view file_name) {
    // Of a text that is cut off or damaged, the tree is what comes before.
    pugi::xml_document document;
    document.load_buffer(xml.data(), xml.size());
    if (local_name(document.document_element().name()) != "OME") return std::nullopt;
    // Further pictures of the same file are other recordings.
    const auto pixels = find_element(document, "Pixels");
    if (!pixels) return std::nullopt;
    const auto size = [&](const char* name) { return number(pixels, name).value_or(1); };
    Sizes sizes{size("SizeZ"), size("SizeC"), size("SizeT")};
    // Colours that lie in one page count as channels there.
    const auto together = number(find_element(pixels, "Channel"), "SamplesPerPixel").value_or(1);
    if (together > 1 && sizes.c % together == 0) sizes.c /= together;
    const std::string_view order = pixels.attribute("DimensionOrder").as_string("XYZCT");
    if (!sizes.valid() || order.size() != 5 || !is_order(order.substr(2))) return std::nullopt;

    const OmePlanes planes(sizes, order.substr(2));
    StackAxes axes = empty_axes(sizes);
    std::vector<pugi::xml_node> data;
    for (const auto& child : pixels.children()) {
        if (local_name(child.name()) == "TiffData") data.push_back(child);
    }
    const auto file_of = [](pugi::xml_node one) -> std::string_view {
        return find_element(one, "UUID").attribute("FileName").value();
    };
    std::set<std::string_view> files;
    for (const auto& one : data) files.insert(file_of(one));
    files.erase("");  // of those that name no file
    // A name alone may be an older one of this file.
    const bool set_of_files = files.size() > 1;
    for (const auto& one : data) {
        const auto name = file_of(one);
        if (set_of_files && !name.empty() && name != file_name) continue;
        const auto value = [&](const char* name) {
            return std::clamp<std::int64_t>(number(one, name).value_or(0), 0, most_planes);
        };
        const Plane first{value("FirstZ"), value("FirstC"), value("FirstT")};
        const auto page = value("IFD");
        const auto all = number(one, "IFD") ? 1 : pages;
        const auto count = std::min(number(one, "PlaneCount").value_or(all), pages - page);
        const auto from = planes.number_of(first);
        for (std::int64_t i = 0; i < count && from + i < sizes.planes(); ++i)
            place(axes, planes.plane(from + i), page + i);
    }
    for (std::int64_t i = 0; data.empty() && i < std::min(pages, sizes.planes()); ++i)
        place(axes, planes.plane(i), i);
    add_times(axes, pixels, sizes);
    return axes;
}

}  // namespace

StackAxes stack_axes(std::string_view description, std::int64_t pages, std::string_view file_name) {
    description = description.substr(0, description.find('\0'));
    const bool imagej = description.starts_with("ImageJ=");
    const auto described = imagej ? imagej_axes(description, pages) : ome_axes(description, pages, file_name);
    auto axes = described ? *described : every_page_a_frame(pages);
    // Also where slices are frames, or no axes are named: ImageJ opens films so.
    if (imagej) axes.interval = imagej_interval(description);
    return axes;
}

}  // namespace stl
