#include "stl/media/stack_axes.h"

#include <pugixml.hpp>

#include <algorithm>
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

/// A positive number; 0 where the text is none.
double positive_number(std::string_view text) {
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    return code == std::errc() && std::isfinite(value) && value > 0 ? value : 0;
}

/// How many seconds the unit of a time has; 0: not a unit of time. Those of the OME schema (UnitsTime) and of ImageJ.
double seconds_of(std::string_view unit) {
    struct Unit {
        std::string_view name;
        double seconds;
    };
    constexpr double minute = 60, hour = 3600, day = 86400;
    constexpr Unit units[] = {
        {"s", 1},       {"sec", 1},        {"second", 1},      {"seconds", 1},      {"ms", 1e-3},
        {"msec", 1e-3}, {"\u00b5s", 1e-6}, {"\u03bcs", 1e-6},  {"us", 1e-6},        {"usec", 1e-6},
        {"ns", 1e-9},   {"min", minute},   {"minute", minute}, {"minutes", minute}, {"h", hour},
        {"hr", hour},   {"hour", hour},    {"hours", hour},    {"d", day},          {"day", day},
        {"days", day},
    };
    const auto* found = std::ranges::find(units, unit, &Unit::name);
    return found != std::end(units) ? found->seconds : 0;
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

/// A plane's place in films and times.
template <class Value>
Value& at_plane(const StackAxes& axes, std::vector<std::vector<Value>>& values, const Plane& plane) {
    const bool depth = axes.slices_are_frames;
    const auto film = plane.c + axes.channels * (depth ? 0 : plane.z);
    return values[static_cast<std::size_t>(film)][static_cast<std::size_t>(depth ? plane.z : plane.t)];
}

void place(StackAxes& axes, const Plane& plane, std::int64_t page) {
    at_plane(axes, axes.films, plane) = page;
}

StackAxes every_page_a_frame(std::int64_t pages) {
    StackAxes axes = empty_axes({1, 1, pages});
    for (std::int64_t i = 0; i < pages; ++i) place(axes, {0, 0, i}, i);
    return axes;
}

/// Seconds from frame to frame: lines "finterval=0.5", "tunit=min" (by default sec), or "fps=7" alone, at which ImageJ
/// plays the stack.
double imagej_interval(std::string_view text) {
    const auto line = [&](std::string_view key) -> std::string_view {
        const auto at = text.find(key);
        if (at == std::string_view::npos) return {};
        const auto rest = text.substr(at + key.size());
        return rest.substr(0, rest.find_first_of("\r\n"));
    };
    const double interval = positive_number(line("\nfinterval="));
    const auto unit = line("\ntunit=");
    if (interval > 0) return interval * seconds_of(unit.empty() ? "s" : unit);
    const double played = positive_number(line("\nfps="));
    return played > 0 ? 1 / played : 0;
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

bool is_order(std::string_view order) {
    std::string sorted(order);
    std::ranges::sort(sorted);
    return sorted == "CTZ";
}

/// A time in seconds: an attribute, and another one with its unit, by default s. Absent: no such time.
std::optional<double> time_of(pugi::xml_node element, const char* name, const char* unit_name) {
    const std::string_view text = element.attribute(name).value();
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    const double unit = seconds_of(element.attribute(unit_name).as_string("s"));
    if (code != std::errc() || !std::isfinite(value) || unit == 0) return std::nullopt;
    return value * unit;
}

/// Source: OME schema, Pixels' TimeIncrement and Plane's DeltaT.
void add_ome_times(StackAxes& axes, const Sizes& sizes, pugi::xml_node pixels) {
    axes.interval = std::max(0.0, time_of(pixels, "TimeIncrement", "TimeIncrementUnit").value_or(0));
    for (const auto& child : pixels.children()) {
        if (local_name(child.name()) != "Plane") continue;
        const auto time = time_of(child, "DeltaT", "DeltaTUnit");
        const auto index = [&](const char* name) { return number(child, name).value_or(-1); };
        const Plane plane{index("TheZ"), index("TheC"), index("TheT")};
        const auto inside = [](std::int64_t i, std::int64_t count) { return i >= 0 && i < count; };
        if (!time || !inside(plane.z, sizes.z) || !inside(plane.c, sizes.c) || !inside(plane.t, sizes.t))
            continue;
        if (axes.times.empty()) {
            for (const auto& film : axes.films)
                axes.times.emplace_back(film.size(), std::numeric_limits<double>::quiet_NaN());
        }
        at_plane(axes, axes.times, plane) = *time;
    }
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
    if (!axes.slices_are_frames) add_ome_times(axes, sizes, pixels);
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
    return axes;
}

}  // namespace

StackAxes stack_axes(std::string_view description, std::int64_t pages, std::string_view file_name) {
    description = description.substr(0, description.find('\0'));
    if (!description.starts_with("ImageJ=")) {
        const auto described = ome_axes(description, pages, file_name);
        return described ? *described : every_page_a_frame(pages);
    }
    const auto described = imagej_axes(description, pages);
    auto axes = described ? *described : every_page_a_frame(pages);
    // Of slices too: films that were never made hyperstacks have them in place of frames.
    axes.interval = imagej_interval(description);
    return axes;
}

}  // namespace stl
