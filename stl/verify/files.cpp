#include "stl/verify/files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "stl/archive/zip.h"
#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/utf8.h"
#include "stl/formats/hdf5_check.h"
#include "stl/formats/sequence_formats.h"
#include "stl/formats/sequences.h"
#include "stl/media/png.h"
#include "stl/pickle/safetensors.h"
#include "stl/pickle/torch_file.h"
#include "stl/run/run_folder.h"
#include "stl/train/tensorboard.h"

namespace stl {
namespace {

constexpr std::size_t looked_at = 64;

/// "3 to 5, 9": numbers that grow, shortened when there are many ranges.
std::string ranges_text(const std::vector<std::int64_t>& numbers) {
    constexpr std::size_t most = 8;
    std::vector<std::string> ranges;
    for (std::size_t i = 0; i < numbers.size();) {
        std::size_t end = i + 1;
        while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
        if (ranges.size() == most) {
            ranges.emplace_back("...");
            break;
        }
        ranges.push_back(end - i == 1 ? std::to_string(numbers[i])
                                      : fmt::format("{} to {}", numbers[i], numbers[end - 1]));
        i = end;
    }
    return fmt::format("{}", fmt::join(ranges, ", "));
}

/// An Error's text, which begins with the file's name, without it.
std::string without_name(const std::string& text, const fs::path& file) {
    const auto name = file.string() + ": ";
    return text.starts_with(name) ? text.substr(name.size()) : text;
}

Verdict damaged(const fs::path& file, std::string text, std::string usable = "") {
    return {file, Condition::damaged, std::move(text), std::move(usable)};
}

Verdict verify_hdf5(const fs::path& file, Reporter& reporter, const StopRequested& stop) {
    const auto check = check_hdf5(file, reporter, stop);
    std::vector<std::string> problems, usable, whole;
    bool checked = check.has_checksums;
    for (const auto& set : check.datasets) {
        checked = checked && set.has_checksums;
        if (!set.problem.empty()) {
            problems.push_back(without_name(set.problem, file));
        } else if (!set.damaged.empty()) {
            problems.push_back(fmt::format("'{}': {} of {} damaged ({})", set.name, set.damaged.size(),
                                           counted(set.rows, "row"), ranges_text(set.damaged)));
            usable.push_back(fmt::format("the other {} of '{}'",
                                         counted(set.rows - std::ssize(set.damaged), "row"), set.name));
        } else {
            whole.push_back(fmt::format("{} in '{}'", counted(set.rows, "row"), set.name));
        }
    }
    if (!problems.empty()) {
        for (const auto& one : whole) usable.push_back(one);
        return damaged(file, fmt::format("{}", fmt::join(problems, "; ")),
                       usable.empty() ? "" : fmt::format("{} can be read", fmt::join(usable, ", ")));
    }
    const auto text =
        fmt::format("HDF5, {}", whole.empty() ? "no arrays" : fmt::format("{}", fmt::join(whole, ", ")));
    if (checked) return {file, Condition::whole, text};
    return {file, Condition::unchecked, text + "; not all of it has checksums"};
}

std::string sequences_text(const fs::path& file, const char* format) {
    const auto& info = open_sequences(DataFile(file))->info();
    return fmt::format("{}, {} of {}", format, counted(info.count, "sequence"), to_string(info.shape));
}

Verdict verify_npy(const fs::path& file, Reporter& /*reporter*/, const StopRequested& /*stop*/) {
    return {file, Condition::unchecked, sequences_text(file, "NPY") + "; the format has no digests"};
}

/// Reads all entries of a zip file; whether all of them have checksums. Error: one is damaged.
bool read_entries(const fs::path& file, const StopRequested& stop) {
    const MappedFile map(file);
    const ZipReader zip(map.bytes());
    bool checked = true;
    for (const auto& entry : zip.entries()) {
        if (stop && stop()) throw Interrupted("interrupted");
        try {
            std::vector<std::byte> unused;
            if (entry.deflated) {
                zip.inflate(entry, [](auto) {});
            } else {
                zip.read(entry, unused);
            }
        } catch (const Shortage&) {
            throw;
        } catch (const Error& error) {
            fail("'{}': {}", printable(std::string(entry.name)), error.what());
        }
        checked = checked && (entry.crc != 0 || entry.size == 0);
    }
    return checked;
}

Verdict verify_npz(const fs::path& file, Reporter& /*reporter*/, const StopRequested& stop) {
    const bool checked = read_entries(file, stop);
    return {file, checked ? Condition::whole : Condition::unchecked,
            checked ? "NPZ" : "NPZ; not all of its arrays have checksums"};
}

std::string checkpoint_text(const fs::path& file) {
    const auto checkpoint = read_checkpoint(file);
    auto text = fmt::format("checkpoint, {}", counted(std::ssize(checkpoint.state), "tensor"));
    const auto step = value_of(checkpoint.stl, "step");
    if (step.is_number_integer()) text += fmt::format(", step {}", step.get<std::int64_t>());
    return text;
}

Verdict verify_torch(const fs::path& file, Reporter& /*reporter*/, const StopRequested& stop) {
    const bool zip = start_of_file(file, looked_at).starts_with("PK");
    const bool checked = zip && read_entries(file, stop);
    auto text = checkpoint_text(file);
    if (checked) return {file, Condition::whole, text};
    return {file, Condition::unchecked,
            text + (zip ? "; not all of its parts have checksums" : "; this format has no checksums")};
}

Verdict verify_safetensors(const fs::path& file, Reporter& /*reporter*/, const StopRequested& stop) {
    const pickle::SafeTensors tensors(file);
    std::vector<std::string> broken;
    bool checked = true;
    for (const auto& tensor : tensors.tensors) {
        if (stop && stop()) throw Interrupted("interrupted");
        if (!tensor.whole()) broken.push_back(printable(tensor.name));
        checked = checked && tensor.digest;
    }
    const auto all = std::ssize(tensors.tensors);
    if (!broken.empty()) {
        return damaged(file, fmt::format("{} of {} damaged ({})", broken.size(), counted(all, "tensor"),
                                         fmt::join(broken, ", ")));
    }
    const auto text = checkpoint_text(file);
    if (checked) return {file, Condition::whole, text};
    return {file, Condition::unchecked, text + "; it has no digests"};
}

Verdict verify_metrics(const fs::path& file, Reporter& /*reporter*/, const StopRequested& /*stop*/) {
    const auto metrics = read_metrics_file(file);
    const auto text = counted(std::ssize(metrics.lines), "line");
    if (!metrics.damaged.empty())
        return damaged(file, fmt::format("damaged lines: {}", ranges_text(metrics.damaged)),
                       fmt::format("the other {} can be read", text));
    if (metrics.unchecked == 0) return {file, Condition::whole, text};
    return {file, Condition::unchecked,
            fmt::format("{}, {} of them without a check", text, metrics.unchecked)};
}

Verdict verify_events(const fs::path& file, Reporter& /*reporter*/, const StopRequested& /*stop*/) {
    const auto check = check_events(file);
    if (!check.damaged) return {file, Condition::whole, counted(check.whole, "TensorBoard record")};
    return damaged(file, fmt::format("damaged from record {} on", check.whole + 1),
                   fmt::format("{} before it can be read", counted(check.whole, "record")));
}

Verdict verify_png(const fs::path& file, Reporter& /*reporter*/, const StopRequested& /*stop*/) {
    const auto image = read_png(file);
    return {file, Condition::whole, fmt::format("PNG, {}x{}", image.height, image.width)};
}

Verdict verify_json(const fs::path& file, Reporter& /*reporter*/, const StopRequested& /*stop*/) {
    read_json(file);
    return {file, Condition::unchecked, "JSON, which has no digest"};
}

using Check = Verdict (*)(const fs::path& file, Reporter& reporter, const StopRequested& stop);

struct Kind {
    std::vector<std::string> extensions;
    std::function<bool(std::string_view start)> begins;  ///< with its first bytes, whatever its name
    Check check;
};

std::function<bool(std::string_view)> with(std::string bytes) {
    return [bytes = std::move(bytes)](std::string_view start) { return start.starts_with(bytes); };
}

Kind sequences(const char* format_name, Check check) {
    const auto& format = find_named(sequence_formats(), format_name, "format");
    const auto never = [](std::string_view) { return false; };
    return {
        format.extensions,
        format.is_zip ? std::function<bool(std::string_view)>(never) : with(std::string(format.first_bytes)),
        check};
}

bool begins_torch(std::string_view start) {
    return pickle::TorchFile::looks_like_one(std::as_bytes(std::span(start)));
}

bool begins_safetensors(std::string_view start) {
    return pickle::SafeTensors::looks_like_one(std::as_bytes(std::span(start)));
}

/// By the extension, which a damaged file still has, else by the first bytes.
const std::vector<Kind>& kinds() {
    static const std::vector<Kind> list{
        sequences("NPZ", verify_npz),
        sequences("HDF5", verify_hdf5),
        sequences("NPY", verify_npy),
        {{".png"}, with("\x89PNG"), verify_png},
        {{".pth", ".pt", ".ckpt"}, begins_torch, verify_torch},
        {{".safetensors"}, begins_safetensors, verify_safetensors},
        {{".json"}, with("{"), verify_json},
    };
    return list;
}

const Kind* kind_of(const fs::path& file) {
    for (const auto& kind : kinds()) {
        if (has_extension(file, kind.extensions)) return &kind;
    }
    const auto start = start_of_file(file, looked_at);
    const auto found = std::ranges::find_if(kinds(), [&](const Kind& kind) { return kind.begins(start); });
    return found == kinds().end() ? nullptr : &*found;
}

}  // namespace

std::optional<Verdict> verify_file(const fs::path& file, Reporter& reporter, const StopRequested& stop) {
    require_readable_file(file);
    try {
        const auto name = file.filename().string();
        if (name == "metrics.jsonl") return verify_metrics(file, reporter, stop);
        if (name.starts_with("events.out.tfevents.")) return verify_events(file, reporter, stop);
        const auto* kind = kind_of(file);
        return kind == nullptr ? std::nullopt : std::optional(kind->check(file, reporter, stop));
    } catch (const Interrupted&) {
        throw;
    } catch (const Shortage&) {
        throw;
    } catch (const Error& error) {
        return damaged(file, without_name(error.what(), file));
    }
}

}  // namespace stl
