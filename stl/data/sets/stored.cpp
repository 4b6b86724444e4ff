#include "stl/data/sets/stored.h"

#include <algorithm>

#include "stl/core/error.h"

namespace stl {
namespace {

class StoredDataset : public Dataset {
  public:
    StoredDataset(const DatasetOptions& options, const std::string& path, Split split)
        : path_(path),
          split_(split),
          reader_(open_sequences(path, {.layout = options.own.value("layout", "")})),
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

    void fetch(std::int64_t, std::int64_t index, std::span<float> out) const override {
        const auto row = rows_.at(static_cast<std::size_t>(index));
        const auto& stored = reader_->info().shape;
        if (stored == shape_) {
            reader_->read(row, 1, out);
            return;
        }
        std::vector<float> whole(static_cast<std::size_t>(stored.elements()));
        reader_->read(row, 1, whole);
        std::copy_n(whole.begin(), out.size(), out.begin());
    }

    std::string describe() const override {
        return fmt::format("{}, {} {} sequences", path_, size(), split_name(split_));
    }

  private:
    std::string path_;
    Split split_;
    std::unique_ptr<SequenceReader> reader_;
    std::vector<std::int64_t> rows_;
    SequenceShape shape_;
};

std::unique_ptr<Dataset> open(const DatasetOptions& options, const std::string& path, Split split) {
    auto data = std::make_unique<StoredDataset>(options, path, split);
    if (data->size() > 0) return data;
    if (split == Split::validation) return nullptr;
    fail("{}: no sequence for {}", path, split_name(split));
}

}  // namespace

Json stored_keys(Fields& fields) {
    Json own = {{"path", fields.require<std::string>("path")}};
    if (const auto layout = fields.find<std::string>("layout")) own["layout"] = *layout;
    return own;
}

std::unique_ptr<Dataset> make_stored(const DatasetOptions& options, Split split, std::uint64_t) {
    return open(options, options.own.at("path"), split);
}

Json imported_keys(Fields& fields) {
    const auto name = fields.require<std::string>("name");
    return {{"path", fields.get<std::string>("path", fmt::format("datasets/{}/{}.h5", name, name))}};
}

std::unique_ptr<Dataset> make_imported(const DatasetOptions& options, Split split, std::uint64_t) {
    const auto path = options.own.at("path").get<std::string>();
    if (!fs::exists(split_file_name(path).path)) {
        fail("{}: {} is not there; datasets/{}/README.md says where to get the data and how to import it",
             options.where, path, options.name);
    }
    return open(options, path, split);
}

}  // namespace stl
