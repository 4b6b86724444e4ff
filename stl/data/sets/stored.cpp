#include "stl/data/sets/stored.h"

#include <algorithm>
#include <limits>

#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/few_bits.h"
#include "stl/core/locate.h"
#include "stl/core/names.h"
#include "stl/data/registry.h"

namespace stl {
namespace {

bool marks_rows(const SequenceReader& reader) {
    const auto count = reader.info().count;
    return std::ssize(reader.rows(Split::train)) != count || std::ssize(reader.rows(Split::test)) != count;
}

ReadOptions reading(const StoredOptions& own) {
    return {.layout = own.layout.value_or(""), .external = {.allowed = own.allow_external.value_or(false)}};
}

class StoredDataset : public Dataset {
  public:
    StoredDataset(const DatasetOptions& options, const std::string& path, Split split,
                  const ReadOptions& reading)
        : path_(path),
          split_(split),
          reader_(open_sequences(path, reading)),
          rows_(reader_->rows(split)),
          shape_(reader_->info().shape) {
        const auto wanted = options.total_frames();
        if (shape_.frames < wanted) {
            fail("{}: sequences of {} frames, expected at least {} (input_frames {} and output_frames {})",
                 path, shape_.frames, wanted, options.input_frames, options.output_frames);
        }
        shape_.frames = wanted;
        const auto& limit = split == Split::train        ? options.train_sequences
                            : split == Split::validation ? options.val_sequences
                                                         : options.test_sequences;
        if (limit && *limit < size()) rows_.resize(static_cast<std::size_t>(*limit));
    }

    std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
    SequenceShape shape() const override { return shape_; }

    void fetch(std::int64_t /*epoch*/, std::int64_t index, std::span<float> out) const override {
        const auto row = rows_.at(static_cast<std::size_t>(index));
        const auto& stored = reader_->info().shape;
        if (stored == shape_) return reader_->read(row, 1, out);
        std::vector<float> whole(static_cast<std::size_t>(stored.elements()));
        reader_->read(row, 1, whole);
        std::copy_n(whole.begin(), out.size(), out.begin());
    }

    Normalization normalization() const override { return stored_normalization(reader_->info(), path_); }
    bool marks_split() const override { return marks_rows(*reader_); }
    Json split_record() const override {
        if (!marks_split()) return nullptr;
        Json record = Json::object();
        std::uint32_t crc = 0;
        for (const auto split : {Split::train, Split::validation, Split::test}) {
            const auto rows = reader_->rows(split);
            record[split_name(split)] = rows.size();
            crc = crc32c(std::as_bytes(std::span(rows)), crc);
        }
        record["digest"] = crc_text(crc);
        return record;
    }
    std::vector<std::string> warnings() const override {
        auto lines = reader_->info().warnings;
        const auto& slow = reader_->info().slow_at_random;
        if (split_ != Split::train) return lines;
        if (!slow.empty()) lines.push_back(slow);
        if (const auto bits = bits_used(); !bits.empty()) lines.push_back(fmt::format("{}: {}", path_, bits));
        return lines;
    }
    std::optional<ValueRange> range() const override { return reader_->info().range; }
    double fps() const override { return reader_->info().fps; }
    std::vector<fs::path> files() const override { return {DataFile(path_).path}; }

    std::string describe() const override {
        return fmt::format("{}, {}", path_, counted(size(), fmt::format("{} sequence", split_name(split_))));
    }

  private:
    /// few_bits() of an even sample of the rows; only of 16-bit numbers is anything read.
    std::string bits_used() const {
        constexpr std::int64_t most_rows = 16;
        const auto count = std::min(most_rows, size());
        const auto& info = reader_->info();
        if (!info.range || info.range->high != white_of_16_bits) return "";
        std::vector<float> values(static_cast<std::size_t>(info.shape.elements()));
        float low = std::numeric_limits<float>::infinity(), high = -low;
        for (std::int64_t i = 0; i < count; ++i) {
            reader_->read(rows_[static_cast<std::size_t>(i * size() / count)], 1, values);
            const auto [least, most] = std::ranges::minmax(values);
            low = std::min(low, least);
            high = std::max(high, most);
        }
        return few_bits(low, high, info.range);
    }

    std::string path_;
    Split split_;
    std::unique_ptr<SequenceReader> reader_;
    std::vector<std::int64_t> rows_;
    SequenceShape shape_;
};

/// A file that was named for validation serves it whole, unless it marks rows.
bool marks_rows(const std::string& path, const ReadOptions& options) {
    return marks_rows(*open_sequences(path, options));
}

}  // namespace

std::unique_ptr<Dataset> open_stored(const DatasetOptions& options, const std::string& path, Split split,
                                     const ReadOptions& reading) {
    auto data = std::make_unique<StoredDataset>(options, path, split, reading);
    if (data->size() > 0) return data;
    if (split == Split::validation) return nullptr;
    fail("{}: no sequence is marked for {}", path, split_name(split));
}

SequenceShape stored_frame(const DatasetOptions& options) {
    const auto own = own_options<StoredOptions>(options);
    auto shape = open_sequences(own.path, reading(own))->info().shape;
    shape.frames = 1;
    return shape;
}

std::unique_ptr<Dataset> make_stored(const DatasetOptions& options, Split split, std::uint64_t /*seed*/) {
    const auto own = own_options<StoredOptions>(options);
    const auto& stated = split == Split::validation ? own.val_path : own.test_path;
    const auto chosen = split == Split::train ? own.path : stated.value_or(own.path);
    if (chosen == own.path) return open_stored(options, own.path, split, reading(own));

    auto one = options;
    auto rows_for = split;
    if (split == Split::validation && !marks_rows(chosen, reading(own))) {
        rows_for = Split::test;  // every row
        one.test_sequences = options.val_sequences;
    }
    auto data = open_stored(one, chosen, rows_for, reading(own));
    if (!data) fail("{}: no sequence is marked for validation", chosen);
    auto expected = stored_frame(options);
    expected.frames = options.total_frames();
    if (data->shape() != expected) {
        fail("{}: {}, those of {} are {}", chosen, to_string(data->shape()), own.path, to_string(expected));
    }
    return data;
}

Json read_imported(Fields& fields) {
    ImportedOptions own{"datasets/" + imported_file(fields.require<std::string>("name"))};
    read_options(fields, own);
    return write_options(own);
}

std::string imported_file(const std::string& name) {
    return name + "/" + name + ".h5";
}

std::optional<std::string> find_imported(const DatasetOptions& options) {
    const auto stated = own_options<ImportedOptions>(options).path;
    if (fs::exists(DataFile(stated).path)) return stated;
    if (stated == "datasets/" + imported_file(options.name)) {
        if (const auto path = locate_dataset(imported_file(options.name))) return path->string();
    }
    return std::nullopt;
}

std::unique_ptr<Dataset> make_imported(const DatasetOptions& options, Split split, std::uint64_t /*seed*/) {
    if (const auto path = find_imported(options)) return open_stored(options, *path, split);
    const auto stated = own_options<ImportedOptions>(options).path;
    const auto& source = find_dataset(options.name, options.where).source;
    if (source.empty()) {
        fail("{}: {} is missing; datasets/{}/README.md says where to get the data and how to import it",
             options.where, stated, options.name);
    }
    fail(
        "{}: {} is missing; get the data from {} (see datasets/{}/README.md), then: stl import --from {} "
        "FOLDER --output {}",
        options.where, stated, source, options.name, options.name, stated);
}

}  // namespace stl
