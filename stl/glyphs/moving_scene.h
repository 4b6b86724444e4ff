// The data sets of moving glyphs: what sets them apart, and everything that making their sequences takes.
//
// mmnist, mfmnist    gray glyphs over black: [T,1,S,S]
// noisymmnist        mmnist whose input frames are disturbed (InputNoise)
// mmnist_cifar       white digits over a CIFAR-10 picture in colour: [T,3,S,S]. As in OpenSTL the picture is
//                    enlarged bicubically, of the glyphs every value above 1 is made 255, and each channel
//                    shows the larger of picture and glyph.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stl/formats/sequences.h"
#include "stl/glyphs/cifar.h"
#include "stl/glyphs/moving_glyphs.h"

namespace stl {

struct MovingKind {
    std::string name;       ///< "mmnist"
    std::string title;      ///< "Moving MNIST"
    std::string glyphs;     ///< the shipped ones: "mnist"
    std::string test_file;  ///< the published test set, below datasets/
    bool over_cifar = false;
    bool noisy = false;  ///< its input frames are disturbed
};
const std::vector<MovingKind>& moving_kinds();
/// Error: no moving-glyph data set of this name.
const MovingKind& moving_kind(std::string_view name);

/// Where glyphs and backgrounds come from; empty: the shipped glyphs, datasets/cifar-10-batches-bin.
struct MovingSources {
    std::string glyphs;
    std::string backgrounds;
};

class MovingScene {
  public:
    /// Loads glyphs and pictures. `options.backgrounds` is set from what is there. Error (with `where`):
    /// missing or damaged files, options that cannot be.
    MovingScene(const MovingKind& kind, const MovingGlyphOptions& options, const MovingSources& sources,
                const std::string& where);

    const MovingKind& kind() const { return *kind_; }
    const MovingGlyphOptions& options() const { return options_; }
    const GlyphSet& glyphs() const { return glyphs_; }
    const fs::path& glyph_path() const { return glyph_path_; }
    /// Null where the background is black.
    const CifarPictures* pictures() const { return pictures_.get(); }
    /// Of one sequence.
    SequenceShape shape() const;
    /// Of glyphs and pictures.
    std::vector<fs::path> files() const;
    /// "60000 glyphs of a.gz, 60000 pictures of cifar-10-batches-bin"
    std::string sources_text() const;

    /// Into out [n,T,C,S,S], which is overwritten, by `threads` threads.
    void render(std::span<const MovingGlyphPlan> plans, int threads, std::span<std::uint8_t> out) const;

  private:
    void render_over_picture(const MovingGlyphPlan& plan, std::uint8_t* out) const;

    const MovingKind* kind_;
    MovingGlyphOptions options_;
    fs::path glyph_path_;
    GlyphSet glyphs_;
    std::shared_ptr<const CifarPictures> pictures_;
};

/// The glyphs of a moving-glyph data set: those at `path` (an IDX file or a folder of PNGs), or the shipped
/// ones where it is empty.
fs::path glyph_path(const std::string& dataset, const std::string& path);

}  // namespace stl
