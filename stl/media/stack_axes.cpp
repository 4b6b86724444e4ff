#include "stl/media/stack_axes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

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

void place(StackAxes& axes, const Plane& plane, std::int64_t page) {
    const bool depth = axes.slices_are_frames;
    const auto film = plane.c + axes.channels * (depth ? 0 : plane.z);
    axes.films[static_cast<std::size_t>(film)][static_cast<std::size_t>(depth ? plane.z : plane.t)] = page;
}

StackAxes every_page_a_frame(std::int64_t pages) {
    StackAxes axes = empty_axes({1, 1, pages});
    for (std::int64_t i = 0; i < pages; ++i) place(axes, {0, 0, i}, i);
    return axes;
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

/// An element's start tag of XML, as far as OME's is concerned: no entities, no '>' in attributes.
class Tag {
  public:
    explicit Tag(std::string_view text) : text_(text) {}
    std::optional<std::string_view> attribute(std::string_view name) const {
        for (auto at = text_.find(name); at != std::string_view::npos; at = text_.find(name, at + 1)) {
            const auto behind = at + name.size();
            const bool begins =
                at > 0 && (text_[at - 1] == ' ' || text_[at - 1] == '\n' || text_[at - 1] == '\t');
            if (!begins || behind + 1 >= text_.size() || text_[behind] != '=') continue;
            const char quote = text_[behind + 1];
            const auto end = text_.find(quote, behind + 2);
            if (end == std::string_view::npos) return std::nullopt;
            return text_.substr(behind + 2, end - behind - 2);
        }
        return std::nullopt;
    }
    std::optional<std::int64_t> number(std::string_view name) const {
        const auto text = attribute(name);
        return text ? whole_number(*text) : std::nullopt;
    }

  private:
    std::string_view text_;
};

/// The tag of the next element `name` (with or without a prefix of its namespace) from `at` on, which then is behind it.
std::optional<Tag> next_tag(std::string_view xml, std::string_view name, std::size_t& at) {
    while ((at = xml.find(name, at)) != std::string_view::npos) {
        const auto behind = at + name.size();
        const char before = at > 0 ? xml[at - 1] : ' ';
        const char after = behind < xml.size() ? xml[behind] : ' ';
        const bool opens = before == '<' || before == ':';
        const bool ends = after == ' ' || after == '>' || after == '/' || after == '\n' || after == '\t';
        if (!opens || !ends || (before == ':' && xml.rfind("</", at) == xml.rfind('<', at))) {
            at = behind;
            continue;
        }
        const auto end = std::min(xml.find('>', at), xml.size());
        const Tag tag(xml.substr(at, end - at));
        at = end;
        return tag;
    }
    return std::nullopt;
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

/// Source: OME-TIFF specification, "the TiffData element".
std::optional<StackAxes> ome_axes(std::string_view xml, std::int64_t pages, std::string_view file_name) {
    std::size_t at = 0;
    const auto pixels = next_tag(xml, "Pixels", at);
    if (!pixels) return std::nullopt;
    // Further pictures of the same file are other recordings.
    xml = xml.substr(0, xml.find("Pixels>", at));
    const auto size = [&](std::string_view name) { return pixels->number(name).value_or(1); };
    Sizes sizes{size("SizeZ"), size("SizeC"), size("SizeT")};
    std::size_t behind = at;
    // Colours that lie in one page count as channels there.
    if (const auto channel = next_tag(xml, "Channel", behind)) {
        const auto together = channel->number("SamplesPerPixel").value_or(1);
        if (together > 1 && sizes.c % together == 0) sizes.c /= together;
    }
    const auto order = pixels->attribute("DimensionOrder").value_or("XYZCT");
    if (!sizes.valid() || order.size() != 5 || !is_order(order.substr(2))) return std::nullopt;

    const OmePlanes planes(sizes, order.substr(2));
    StackAxes axes = empty_axes(sizes);
    // A name alone may be an older one of this file.
    bool set_of_files = false;
    std::string_view first_name;
    for (behind = at; const auto uuid = next_tag(xml, "UUID", behind);) {
        const auto name = uuid->attribute("FileName").value_or("");
        if (first_name.empty()) first_name = name;
        set_of_files = set_of_files || name != first_name;
    }
    bool any = false;
    for (behind = at; const auto data = next_tag(xml, "TiffData", behind);) {
        any = true;
        if (set_of_files) {
            auto uuid_at = behind;
            const auto uuid = next_tag(xml.substr(0, xml.find("TiffData", behind)), "UUID", uuid_at);
            if (uuid && uuid->attribute("FileName").value_or("") != file_name) continue;
        }
        const auto value = [&](std::string_view name) {
            return std::clamp<std::int64_t>(data->number(name).value_or(0), 0, most_planes);
        };
        const Plane first{value("FirstZ"), value("FirstC"), value("FirstT")};
        const auto page = value("IFD");
        const auto all = data->number("IFD") ? 1 : pages;
        const auto count = std::min(data->number("PlaneCount").value_or(all), pages - page);
        const auto from = planes.number_of(first);
        for (std::int64_t i = 0; i < count && from + i < sizes.planes(); ++i)
            place(axes, planes.plane(from + i), page + i);
    }
    for (std::int64_t i = 0; !any && i < std::min(pages, sizes.planes()); ++i)
        place(axes, planes.plane(i), i);
    return axes;
}

}  // namespace

StackAxes stack_axes(std::string_view description, std::int64_t pages, std::string_view file_name) {
    description = description.substr(0, description.find('\0'));
    std::optional<StackAxes> described;
    if (description.starts_with("ImageJ=")) described = imagej_axes(description, pages);
    const auto begin = description.substr(0, 2048);
    if (begin.find("<OME") != std::string_view::npos || begin.find("<ome:OME") != std::string_view::npos ||
        begin.find(":OME ") != std::string_view::npos)
        described = ome_axes(description, pages, file_name);
    return described ? *described : every_page_a_frame(pages);
}

}  // namespace stl
