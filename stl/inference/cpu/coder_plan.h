// SimVP's encoder and decoder on the fast path; one thread processes a whole frame.
#pragma once

#include <vector>

#include "stl/inference/cpu/conv_plan.h"
#include "stl/models/simvp.h"

namespace stl::inference {

class CoderPlan {
  public:
    CoderPlan(const SimVPImpl& model, const Planning& planning);

    /// Number of floats of a frame's skip connection, including its border.
    std::size_t skip_floats() const { return skip(nullptr).floats(); }

    /// Multiply-adds of the convolutions for a frame, counted as direct convolutions (Winograd needs fewer).
    std::int64_t encoder_macs() const;
    std::int64_t decoder_macs() const;

    /// picture: [C,H,W]. skip: its border must be zero. latent: [H'*W', hid_S]; only these columns are
    /// written.
    void encode(const Frame& frame, const float* picture, float* skip, Pixels latent) const;
    /// -> picture [C,H,W].
    void decode(const Frame& frame, Pixels latent, float* skip, float* picture) const;

  private:
    Plane skip(float* data) const;
    void read_picture(const float* picture, const Plane& to) const;
    void read_latent(const Frame& frame, Pixels latent, const Plane& to) const;
    void write_latent(const Plane& from, Pixels latent) const;
    void write_picture(const Frame& frame, const float* raw, const ConvPlan& layer, float* picture) const;
    /// SiLU(norm(raw)) [+ skip] -> to. vectors: room for 2 * out_channels.
    void activate(const Frame& frame, const ConvPlan& layer, const float* raw, float* vectors,
                  const Plane* skip, const Plane& to) const;

    /// The calling thread's memory.
    struct Memory {
        float* planes;   ///< the layers' inputs
        float* raw;      ///< a convolution's output
        float* vectors;  ///< the norm's factors and offsets
    };
    Memory planes(const Frame& frame) const;

    SimVPOptions options_;
    std::vector<ConvPlan> encoder_, decoder_;
    std::vector<Plane> encoder_in_, decoder_in_;  ///< `data`: offset into the thread's planes
    std::vector<cpu::Buffer> readout_;            ///< one row per channel of the picture
    std::vector<float> readout_bias_;
    std::size_t encoder_floats_ = 0, plane_floats_ = 0, raw_floats_ = 0;
};

}  // namespace stl::inference
