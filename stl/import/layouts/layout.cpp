#include "stl/import/layouts/layout.h"

#include <algorithm>

#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/registry.h"
#include "stl/import/layouts/human.h"
#include "stl/import/layouts/kitticaltech.h"
#include "stl/import/layouts/kth.h"
#include "stl/import/layouts/taxibj.h"
#include "stl/import/layouts/weather.h"

namespace stl {

const std::vector<LayoutInfo>& layouts() {
    static const std::vector<LayoutInfo> list{
        {"taxibj", "TaxiBJ: taxi inflow and outflow in Beijing",
         "dataset.npz with X_train, Y_train, X_test, Y_test", 8, import_taxibj},
        {"kth", "KTH actions",
         "the folders boxing, handclapping, handwaving, jogging, running, walking with personNN_* in each "
         "(.avi, or folders of image_NNNN.jpg)",
         30, import_kth},
        {"human", "Human3.6M", "train.txt, test.txt, and the folder images with the pictures that they list",
         8, import_human},
        {"kitticaltech", "KITTI for training, Caltech Pedestrian for the test",
         "kitti_hkl/X_train.hkl, kitti_hkl/sources_train.hkl, and caltech/ with data_cache.npy and "
         "indices_cache.npy or with setNN/*.seq",
         11, import_kitticaltech},
        {"weather", "WeatherBench (--variable, --first-year)",
         "a folder for each variable, such as 2m_temperature, with *.nc files (NetCDF4)", 24, import_weather,
         true},
    };
    return list;
}

const LayoutInfo& find_layout(std::string_view name, std::string_view where) {
    return find_named(layouts(), name, "layout", where);
}

const std::string& source_of(const LayoutInfo& info) {
    return find_dataset(info.name, "import").source;
}

LayoutJob::LayoutJob(const LayoutInfo& info, const LayoutOptions& options, Reporter& reporter,
                     StopRequested stop)
    : info_(info),
      options_(options),
      reporter_(reporter),
      stop_(std::move(stop)),
      length_(options.length > 0 ? options.length : info.length) {
    if (!fs::is_directory(options.folder)) {
        fail("{}: no such folder, expected {}", options.folder.string(), info.files);
    }
    refuse_existing(options.output, options.force);
}

fs::path LayoutJob::require(const std::string& relative) const {
    if (!has(relative)) fail_missing(relative);
    return options_.folder / relative;
}

void LayoutJob::fail_missing(const std::string& relative) const {
    fail("{}: {} is missing, expected {} (from {})", options_.folder.string(), relative, info_.files,
         source_of(info_));
}

void LayoutJob::create(SequenceShape frame, DType dtype, Json attributes) {
    frame.frames = length_;
    shape_ = frame;
    Json all{{"source", info_.help}, {"made_by", "stl import --from " + info_.name}};
    all.update(attributes);
    WriteOptions w;
    w.dtype = dtype;
    w.attributes = std::move(all);
    w.compression = options_.compression;
    w.force = options_.force;
    writer_ = std::make_unique<WindowWriter>(options_.output, shape_, w);
}

void LayoutJob::append(std::span<const std::uint8_t> frames) {
    writer_->append(frames);
    appended(frames.size());
}

void LayoutJob::append(std::span<const float> frames) {
    writer_->append(frames);
    appended(frames.size());
}

void LayoutJob::appended(std::size_t values) {
    report_.frames += static_cast<std::int64_t>(values) / shape_.frame_elements();
    if (stop_ && stop_()) throw Interrupted("import: interrupted, nothing written");
}

void LayoutJob::add_window(std::int64_t first, Split split) {
    writer_->add_window(first, split);
    ++report_.per_split[static_cast<std::size_t>(split)];
}

void LayoutJob::add_window(std::span<const std::int64_t> frames, Split split) {
    writer_->add_window(frames, split);
    ++report_.per_split[static_cast<std::size_t>(split)];
}

void LayoutJob::progress(const std::string& what, std::int64_t done, std::int64_t total) {
    reporter_.progress({done, total, what,
                        fmt::format("{} sequences, {} frames", writer_ ? writer_->windows() : 0, frames())});
}

ImportReport LayoutJob::finish() {
    reporter_.progress_end();
    if (!writer_ || writer_->windows() == 0) {
        fail("{}: not one sequence of {} frames, expected {}", options_.folder.string(), length_,
             info_.files);
    }
    report_.sequences = writer_->windows();
    report_.split = true;
    writer_->finish();
    return report_;
}

ImportReport import_layout(const LayoutOptions& options, Reporter& reporter, const StopRequested& stop) {
    const auto started = Clock::now();
    const auto& info = find_layout(options.name, "import");
    if (options.length < 0) fail("import: length {}, expected at least 1", options.length);
    if (!info.chooses && (!options.variable.empty() || options.first_year != 0)) {
        fail("import: --variable and --first-year do not apply to {}", info.name);
    }
    LayoutJob job(info, options, reporter, stop);
    info.read(job);
    auto report = job.finish();
    report.seconds = seconds_since(started);
    return report;
}

std::vector<std::int64_t> starts_from_end(std::int64_t count, std::int64_t length, std::int64_t stride) {
    std::vector<std::int64_t> starts;
    for (auto start = count - length; start >= 0; start -= stride) starts.push_back(start);
    std::ranges::reverse(starts);
    return starts;
}

}  // namespace stl
