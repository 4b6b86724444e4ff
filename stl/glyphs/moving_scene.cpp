#include "stl/glyphs/moving_scene.h"

#include <algorithm>
#include <cstring>

#include "stl/core/error.h"
#include "stl/core/parts.h"
#include "stl/glyphs/cubic.h"
#include "stl/glyphs/glyphs.h"

namespace stl {
namespace {

/// As the reference does it over pictures: 0 and 1 stay.
void make_white(GlyphSet& glyphs) {
    for (auto& value : glyphs.pixels)
        if (value > 1) value = 255;
}

}  // namespace

const std::vector<MovingKind>& moving_kinds() {
    static const std::vector<MovingKind> list{
        {"mmnist", "Moving MNIST", "mnist", "mmnist/mnist_test_seq.npy"},
        {"mfmnist", "Moving Fashion-MNIST", "fashion-mnist", "mfmnist/fmnist_test_seq.npy"},
        {"mmnist_cifar", "Moving MNIST over CIFAR-10", "mnist", "mmnist_cifar/mnist_cifar_test_seq.npy",
         true},
        // The reference tests on the clean set of Moving MNIST.
        {"noisymmnist", "Noisy Moving MNIST", "mnist", "mmnist/mnist_test_seq.npy", false, true},
    };
    return list;
}

const MovingKind& moving_kind(std::string_view name) {
    const auto found = std::ranges::find(moving_kinds(), name, &MovingKind::name);
    if (found == moving_kinds().end()) fail("'{}' is not a data set of moving glyphs", name);
    return *found;
}

MovingScene::MovingScene(const MovingKind& kind, const MovingGlyphOptions& options,
                         const MovingSources& sources, const std::string& where)
    : kind_(&kind),
      options_(options),
      glyph_path_(stl::glyph_path(kind.name, sources.glyphs)),
      glyphs_(load_glyphs(glyph_path_)) {
    check_moving_glyphs(options_, glyphs_, where);
    if (!kind.over_cifar) return;
    make_white(glyphs_);
    pictures_ = std::make_shared<CifarPictures>(sources.backgrounds);
    options_.backgrounds = pictures_->count();
}

SequenceShape MovingScene::shape() const {
    return {options_.frames, pictures_ ? CifarPictures::channels : 1, options_.canvas, options_.canvas};
}

std::vector<fs::path> MovingScene::files() const {
    auto files = glyph_files(glyph_path_);
    const auto pictures = pictures_ ? pictures_->files() : std::vector<fs::path>();
    files.insert(files.end(), pictures.begin(), pictures.end());
    return files;
}

std::string MovingScene::sources_text() const {
    auto text = fmt::format("{} glyphs of {}", glyphs_.count, glyph_path_.string());
    if (pictures_) text += fmt::format(", {} pictures of {}", pictures_->count(), pictures_->path().string());
    return text;
}

void MovingScene::render(std::span<const MovingGlyphPlan> plans, int threads,
                         std::span<std::uint8_t> out) const {
    if (!pictures_) return render_sequences(plans, options_, glyphs_, sequence_major(options_), threads, out);
    const auto one = shape().elements();
    const auto count = std::ssize(plans);
    if (count * one > std::ssize(out))
        fail("moving glyphs: {} pixels, but the buffer has {}", count * one, out.size());
    in_parts(count, threads, [&](std::int64_t /*part*/, std::int64_t first, std::int64_t last) {
        for (auto i = first; i < last; ++i)
            render_over_picture(plans[static_cast<std::size_t>(i)], out.data() + i * one);
    });
}

void MovingScene::render_over_picture(const MovingGlyphPlan& plan, std::uint8_t* out) const {
    const auto picture =
        scale_cubic(pictures_->picture(plan.background), CifarPictures::side, options_.canvas);
    const auto frame = std::ssize(picture);
    for (std::int64_t t = 0; t < options_.frames; ++t)
        std::memcpy(out + t * frame, picture.data(), picture.size());
    for (std::int64_t c = 0; c < CifarPictures::channels; ++c)
        draw_glyphs(plan, options_, glyphs_, frame, out + c * options_.canvas * options_.canvas);
}

fs::path glyph_path(const std::string& dataset, const std::string& path) {
    return !path.empty() ? fs::path(path) : locate_glyphs(moving_kind(dataset).glyphs);
}

}  // namespace stl
