#include "stl/import/layouts/kitticaltech.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/formats/hdf5_array.h"
#include "stl/formats/npy_file.h"
#include "stl/import/layouts/pictures.h"
#include "stl/import/layouts/seq_file.h"
#include "stl/media/natural_order.h"

namespace stl {
namespace {

constexpr std::int64_t frame_height = 128, frame_width = 160, colors = 3;
constexpr std::int64_t frame_values = frame_height * frame_width * colors;
constexpr SequenceShape frame_shape{1, colors, frame_height, frame_width};
constexpr std::int64_t frames_at_once = 64;  // frames read at a time
/// The reference's caches are of this length.
constexpr std::int64_t cached_length = 11;
constexpr int frame_step = 3;

void check_frames(const Shape& shape, DType dtype, const std::string& where) {
    if (shape.size() != 4 ||
        Shape(shape.begin() + 1, shape.end()) != Shape{frame_height, frame_width, colors} ||
        dtype != DType::u8) {
        fail("{}: {} {}, expected uint8 [F,{},{},{}]", where, dtype_name(dtype), to_string(shape),
             frame_height, frame_width, colors);
    }
}

/// Frames [n,H,W,C], channels interleaved, to [n,C,H,W].
void append_interleaved(LayoutJob& job, std::span<const std::uint8_t> pixels, bool turn_colors) {
    std::vector<std::uint8_t> planes(pixels.size());
    constexpr auto plane = static_cast<std::size_t>(frame_height * frame_width);
    for (std::size_t frame = 0; frame < pixels.size(); frame += frame_values) {
        for (std::size_t c = 0; c < colors; ++c) {
            auto* to = &planes[frame + (turn_colors ? colors - 1 - c : c) * plane];
            for (std::size_t i = 0; i < plane; ++i) to[i] = pixels[frame + i * colors + c];
        }
    }
    job.append(planes);
}

/// hickle keeps what it was given as "data" (version 1; arrays since 4 too) or "data_0" (2 and 3). Later
/// versions scatter a list of texts over a group, with references from one to another.
std::string hickle_dataset(const fs::path& path) {
    const auto names = hdf5_dataset_names(path);
    for (const auto* name : {"data", "data_0"}) {
        if (std::ranges::find(names, name) != names.end()) return name;
    }
    fail("{}: no dataset 'data' or 'data_0', expected a file of hickle 1 to 3", path.string());
}

/// Sequences within every run of equal names.
void add_windows(LayoutJob& job, std::int64_t base, const std::vector<std::string>& sources, Split split) {
    for (std::size_t begin = 0; begin < sources.size();) {
        auto end = begin + 1;
        while (end < sources.size() && sources[end] == sources[begin]) ++end;
        const auto count = static_cast<std::int64_t>(end - begin);
        for (const auto start : starts_from_end(count, job.length(), job.length())) {
            job.add_window(base + static_cast<std::int64_t>(begin) + start, split);
        }
        job.source_done();
        begin = end;
    }
}

void import_kitti(LayoutJob& job, const std::string& part, Split split) {
    const auto path = job.require("kitti_hkl/X_" + part + ".hkl");
    const auto names = job.require("kitti_hkl/sources_" + part + ".hkl");
    const auto external = job.options().external;
    const Hdf5Array frames(path, hickle_dataset(path), external);
    for (const auto& line : frames.warnings()) job.warn(line);
    check_frames(frames.shape(), frames.dtype(), frames.where());
    const auto sources = read_hdf5_texts(names, hickle_dataset(names), external);
    const auto count = frames.shape()[0];
    if (std::ssize(sources) != count) {
        fail("{}: names the films of {} frames, {} has {}", names.string(), sources.size(), path.string(),
             count);
    }
    const auto base = job.frames();
    std::vector<std::uint8_t> block;
    for (std::int64_t first = 0; first < count; first += frames_at_once) {
        const auto n = std::min(frames_at_once, count - first);
        block.resize(static_cast<std::size_t>(n * frame_values));
        frames.read(first, n, std::span(block));
        append_interleaved(job, block, /*turn_colors=*/false);
        job.progress("KITTI " + part, first, count);
    }
    add_windows(job, base, sources, split);
}

/// The numbers of an NPY file [n] of integers.
std::vector<std::int64_t> read_indices(const fs::path& path) {
    const MappedFile file(path);
    const auto header = parse_npy(file.bytes(), path.string());
    const bool wide = header.dtype == DType::i64;
    if (header.shape.size() != 1 || (!wide && header.dtype != DType::i32)) {
        fail("{}: {} {}, expected int32 [N]", path.string(), dtype_name(header.dtype),
             to_string(header.shape));
    }
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(header.shape[0]));
    const auto* data = file.bytes().data() + header.data_offset;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        std::int32_t narrow = 0;
        if (wide) {
            std::memcpy(&numbers[i], data + i * sizeof(numbers[i]), sizeof(numbers[i]));
        } else {
            std::memcpy(&narrow, data + i * sizeof(narrow), sizeof(narrow));
            numbers[i] = narrow;
        }
    }
    return numbers;
}

void import_cache(LayoutJob& job) {
    const auto path = job.require("caltech/data_cache.npy");
    const auto list = job.require("caltech/indices_cache.npy");
    if (job.length() > cached_length) {
        fail("{}: is for sequences of {} frames, for {} give the films (caltech/setNN/*.seq)", list.string(),
             cached_length, job.length());
    }
    const MappedFile file(path);
    const auto header = parse_npy(file.bytes(), path.string());
    check_frames(header.shape, header.dtype, path.string());
    if (header.fortran_order) fail("{}: in Fortran order, expected C order", path.string());
    const auto pixels =
        std::span(reinterpret_cast<const std::uint8_t*>(file.bytes().data()), file.bytes().size())
            .subspan(header.data_offset);
    const auto count = header.shape[0], base = job.frames();
    for (std::int64_t first = 0; first < count; first += frames_at_once) {
        const auto n = std::min(frames_at_once, count - first);
        append_interleaved(job,
                           pixels.subspan(static_cast<std::size_t>(first * frame_values),
                                          static_cast<std::size_t>(n * frame_values)),
                           !job.options().opencv_colors);
        job.progress("Caltech", first, count);
    }
    for (const auto start : read_indices(list)) {
        if (start < 0 || start + job.length() > count) {
            fail("{}: a sequence begins at frame {}, but {} has only {} frames", list.string(), start,
                 path.string(), count);
        }
        job.add_window(base + start, Split::test);
    }
    job.source_done();
}

/// The films of caltech/setNN, in order.
std::vector<fs::path> seq_files(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".seq") files.push_back(entry.path());
    }
    std::ranges::sort(files,
                      [](const auto& a, const auto& b) { return natural_less(a.string(), b.string()); });
    return files;
}

/// 128 high, the width in proportion, of that the middle.
std::vector<std::uint8_t> small_frame(const Image& image, bool blue_first) {
    const int width =
        static_cast<int>(std::nearbyint(static_cast<double>(frame_height) / image.height * image.width));
    if (width < frame_width) {
        fail("{}x{} pixels, expected a width of at least {} at a height of {}", image.width, image.height,
             frame_width, frame_height);
    }
    auto columns = smooth_taps(image.width, width);
    const auto left = (width - frame_width) / 2;
    columns.taps.erase(columns.taps.begin() + left + frame_width, columns.taps.end());
    columns.taps.erase(columns.taps.begin(), columns.taps.begin() + left);
    return planes_of(image, smooth_taps(image.height, frame_height), columns, blue_first);
}

void import_film(LayoutJob& job, const fs::path& path) {
    SeqFile film(path);
    const auto base = job.frames();
    for (int number = 1; const auto image = film.next(); ++number) {
        if (number % frame_step != 0) continue;
        try {
            job.append(small_frame(*image, job.options().opencv_colors));
        } catch (const Interrupted&) {
            throw;
        } catch (const Error& error) {
            fail("{}: {}", path.string(), error.what());
        }
    }
    for (const auto start : starts_from_end(job.frames() - base, job.length(), job.length())) {
        job.add_window(base + start, Split::test);
    }
    job.source_done();
}

void import_films(LayoutJob& job) {
    const auto files = seq_files(job.options().folder / "caltech");
    if (files.empty()) job.fail_missing("caltech/data_cache.npy");
    for (std::size_t i = 0; i < files.size(); ++i) {
        job.progress("Caltech", static_cast<std::int64_t>(i), std::ssize(files));
        import_film(job, files[i]);
    }
}

}  // namespace

void import_kitticaltech(LayoutJob& job) {
    job.require("kitti_hkl/X_train.hkl");
    job.require("kitti_hkl/sources_train.hkl");
    job.require("caltech");
    job.create(frame_shape, DType::u8,
               {{"channels", job.options().opencv_colors ? "RGB in training, BGR in the test" : "RGB"}});
    import_kitti(job, "train", Split::train);
    if (job.has("kitti_hkl/X_val.hkl")) import_kitti(job, "val", Split::validation);
    if (job.has("caltech/data_cache.npy")) {
        import_cache(job);
    } else {
        import_films(job);
    }
}

}  // namespace stl
