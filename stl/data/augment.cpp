#include "stl/data/augment.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/random.h"
#include "stl/data/dataset.h"

namespace stl {
namespace {

/// Sets these draws apart from others of the same seed.
constexpr std::uint64_t stream_mask = 0x6175676d656e7400;

/// How one sequence is shown.
struct View {
    std::int64_t top = 0, left = 0;
    bool horizontal = false, vertical = false, reverse = false;
};

class AugmentedDataset : public Dataset {
  public:
    AugmentedDataset(std::unique_ptr<Dataset> data, const AugmentOptions& options, Split split,
                     std::uint64_t seed, const std::string& where)
        : data_(std::move(data)),
          options_(options),
          training_(split == Split::train),
          seed_(seed),
          shape_(options.apply(data_->shape(), where)) {}

    std::int64_t size() const override { return data_->size(); }
    SequenceShape shape() const override { return shape_; }
    std::string describe() const override { return data_->describe(); }
    bool generated() const override { return data_->generated(); }
    Normalization normalization() const override { return data_->normalization(); }
    double fps() const override { return data_->fps(); }
    std::vector<fs::path> files() const override { return data_->files(); }

    void fetch(std::int64_t epoch, std::int64_t index, std::span<float> out) const override {
        const auto whole = data_->shape();
        std::vector<float> values(static_cast<std::size_t>(whole.elements()));
        data_->fetch(epoch, index, values);
        const auto view = choose(epoch, index);
        float* to = out.data();
        for (std::int64_t t = 0; t < shape_.frames; ++t) {
            const auto frame = view.reverse ? shape_.frames - 1 - t : t;
            for (std::int64_t c = 0; c < shape_.channels; ++c) {
                const float* plane =
                    values.data() + (frame * shape_.channels + c) * whole.height * whole.width;
                to = copy_plane(plane, whole.width, view, to);
            }
        }
    }

  private:
    /// Every draw is made whatever the options are, so that switching one on leaves the others as they were.
    View choose(std::int64_t epoch, std::int64_t index) const {
        const auto whole = data_->shape();
        const auto rows = whole.height - shape_.height, columns = whole.width - shape_.width;
        if (!training_) return {rows / 2, columns / 2, false, false, false};
        StreamRandom random(seed_ ^ stream_mask,
                            (static_cast<std::uint64_t>(epoch) << 32) ^ static_cast<std::uint64_t>(index));
        const auto up_to = [&](std::int64_t n) {
            return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n) + 1));
        };
        View view;
        const auto coin = [&](bool wanted) { return up_to(1) == 1 && wanted; };
        view.horizontal = coin(options_.horizontal);
        view.vertical = coin(options_.vertical);
        view.reverse = coin(options_.reverse);
        view.top = up_to(rows);
        view.left = up_to(columns);
        return view;
    }

    float* copy_plane(const float* plane, std::int64_t stride, const View& view, float* to) const {
        for (std::int64_t y = 0; y < shape_.height; ++y) {
            const auto row = view.top + (view.vertical ? shape_.height - 1 - y : y);
            const float* from = plane + row * stride + view.left;
            to = view.horizontal ? std::reverse_copy(from, from + shape_.width, to)
                                 : std::copy_n(from, shape_.width, to);
        }
        return to;
    }

    std::unique_ptr<Dataset> data_;
    AugmentOptions options_;
    bool training_;
    std::uint64_t seed_;
    SequenceShape shape_;
};

}  // namespace

AugmentOptions AugmentOptions::from_json(const Json& json, const std::string& where) {
    Fields fields(json, where);
    AugmentOptions o;
    if (const auto crop = fields.find<std::vector<std::int64_t>>("crop")) {
        if (crop->size() != 2 || (*crop)[0] < 1 || (*crop)[1] < 1) {
            fail("{}: expected a height and a width, e.g. [64, 64]", fields.where("crop"));
        }
        o.crop = {(*crop)[0], (*crop)[1]};
    }
    const auto flip = fields.get<std::string>("flip", "none");
    if (flip != "none" && flip != "horizontal" && flip != "vertical" && flip != "both") {
        fail("{}: '{}' is not known, expected horizontal, vertical, both or none", fields.where("flip"),
             flip);
    }
    o.horizontal = flip == "horizontal" || flip == "both";
    o.vertical = flip == "vertical" || flip == "both";
    o.reverse = fields.get<bool>("reverse", false);
    fields.finish();
    return o;
}

Json AugmentOptions::to_json() const {
    Json json = Json::object();
    if (crop) json["crop"] = {(*crop)[0], (*crop)[1]};
    if (horizontal || vertical) {
        json["flip"] = horizontal && vertical ? "both" : horizontal ? "horizontal" : "vertical";
    }
    if (reverse) json["reverse"] = true;
    return json;
}

SequenceShape AugmentOptions::apply(SequenceShape shape, const std::string& where) const {
    if (!crop) return shape;
    const auto [height, width] = *crop;
    if (height > shape.height || width > shape.width) {
        fail("{}.augment.crop: [{}, {}], the frames are {}x{} (height x width)", where, height, width,
             shape.height, shape.width);
    }
    shape.height = height;
    shape.width = width;
    return shape;
}

std::unique_ptr<Dataset> augmented(std::unique_ptr<Dataset> data, const AugmentOptions& options, Split split,
                                   std::uint64_t seed, const std::string& where) {
    return std::make_unique<AugmentedDataset>(std::move(data), options, split, seed, where);
}

}  // namespace stl
