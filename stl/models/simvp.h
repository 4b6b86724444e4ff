// SimVP: a convolutional encoder per frame, a translator that mixes time and channels at low resolution, a
// convolutional decoder with one skip connection. x: [B,T,C,H,W] float in the model's range.
//
// Source: Gao et al., "SimVP: Simpler yet Better Video Prediction" (CVPR 2022); Tan et al., "OpenSTL"
// (NeurIPS 2023) for the family of translators. Parameter names, shapes and order are OpenSTL's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "stl/core/json.h"
#include "stl/core/options.h"
#include "stl/models/layers/coder.h"
#include "stl/models/layers/cost_rule.h"
#include "stl/runtime/torch.h"

namespace stl {

class Translator;

/// Of encoder and decoder.
inline constexpr std::int64_t largest_spatio_kernel = 99;
/// Far above any model that could be trained; keeps every product of sizes within 63 bits.
inline constexpr std::int64_t largest_size = 1 << 16;

/// The `model` object of an experiment, with `in_shape`. Defaults are the reference's.
struct SimVPOptions {
    std::string translator = "gsta";  ///< canonical name (stl/models/registry.h)
    // in_shape [T,C,H,W]; T is the number of input frames.
    std::int64_t frames = 10;
    std::int64_t channels = 1;
    std::int64_t height = 64;
    std::int64_t width = 64;
    std::int64_t output_frames = 0;  ///< of predict(); 0: as many as the input
    std::int64_t hid_S = 16;         ///< channels of encoder and decoder
    std::int64_t hid_T = 256;        ///< channels of the translator
    std::int64_t N_S = 4;            ///< layers of encoder and of decoder, half of them at stride 2
    std::int64_t N_T = 4;            ///< blocks of the translator (incepu: N_T down and N_T up)
    double mlp_ratio = 8.0;
    double drop = 0.0;
    double drop_path = 0.0;
    double drop_path_first = 0.01;
    std::int64_t spatio_kernel_enc = 3;
    std::int64_t spatio_kernel_dec = 3;

    /// Every key but translator, in_shape and output_frames.
    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("hid_S", o.hid_S, between(2, largest_size), "channels of encoder and decoder");
        key("hid_T", o.hid_T, between(1, largest_size), "channels of the translator");
        key("N_S", o.N_S, between(2, 32), "layers of encoder and of decoder, half of them at stride 2");
        key("N_T", o.N_T, between(2, 1024), "blocks of the translator (incepu: N_T down and N_T up)");
        key("mlp_ratio", o.mlp_ratio, over(0, 64),
            "hidden width of a block's feed-forward part, as a multiple of its channels");
        key("drop", o.drop, fraction(), "dropout rate");
        key("drop_path", o.drop_path, fraction(), "stochastic depth (drop rate) of the last block");
        key("drop_path_first", o.drop_path_first, fraction(),
            "stochastic depth (drop rate) of the first block; 0 here and in drop_path turns it off");
        key("spatio_kernel_enc", o.spatio_kernel_enc, between(1, largest_spatio_kernel),
            "kernel size of the encoder, odd");
        key("spatio_kernel_dec", o.spatio_kernel_dec, between(1, largest_spatio_kernel),
            "kernel size of the decoder, odd");
    }

    /// Reads an experiment's `model` keys; `in_shape` and the peer's spellings are accepted. Checks sizes.
    static SimVPOptions from_json(const Json& json, const std::string& where);
    /// Complete, with in_shape.
    Json to_json() const;
    /// Throws what the translator can't have: "<where>.hid_T: 500 is not divisible by 8 (heads)".
    void check(const std::string& where) const;

    std::int64_t predicted_frames() const { return output_frames > 0 ? output_frames : frames; }
    /// By how much the encoder shrinks a frame's sides, 2^(N_S/2). Frames are padded to a multiple of it.
    std::int64_t stride() const { return std::int64_t{1} << (N_S / 2); }
    std::int64_t translator_channels() const { return frames * hid_S; }
    std::int64_t translator_height() const { return (height + stride() - 1) / stride(); }
    std::int64_t translator_width() const { return (width + stride() - 1) / stride(); }
};

/// What a new model's parameters hold: the reference's initialisation, drawn from torch's default generator,
/// or nothing yet (their memory is untouched until somebody fills it).
enum class Weights { drawn, unset };

class SimVPImpl : public torch::nn::Module, public CostRule {
  public:
    explicit SimVPImpl(const SimVPOptions& options, Weights weights = Weights::drawn);

    /// One pass: [B,T,C,H,W] -> [B,T,C,H,W]. Frame sizes that the encoder's stride does not divide are padded
    /// (by replication, right and below) and cropped back. Error if the shape is not the model's.
    torch::Tensor forward(const torch::Tensor& x);
    /// [B,T,C,H,W] -> [B,frames,C,H,W]: cut where fewer than T, rolled out on its own predictions where more.
    torch::Tensor predict(const torch::Tensor& x, std::int64_t frames);
    torch::Tensor predict(const torch::Tensor& x);  ///< options().output_frames

    void draw_weights();
    std::int64_t parameter_count() const;
    /// As in Python, and unlike LibTorch's own, whole-number buffers keep their type.
    void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
    void to(torch::Dtype dtype, bool non_blocking = false) override;
    void to(torch::Device device, bool non_blocking = false) override;

    const SimVPOptions& options() const { return options_; }
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;

    Encoder enc{nullptr};
    Decoder dec{nullptr};
    std::shared_ptr<Translator> hid;

  private:
    torch::Tensor pad(const torch::Tensor& frames) const;

    SimVPOptions options_;
};
TORCH_MODULE(SimVP);

/// What predict() makes of a pass, [B,T,C,H,W] -> [B,T,C,H,W]: `frames` frames.
torch::Tensor rolled_out(const std::function<torch::Tensor(const torch::Tensor&)>& pass,
                         const torch::Tensor& x, std::int64_t frames);

}  // namespace stl
