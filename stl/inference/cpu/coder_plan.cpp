#include "stl/inference/cpu/coder_plan.h"

#include <algorithm>

#include "stl/inference/cpu/layers.h"

namespace stl::inference {
namespace {

int whole(std::int64_t n) {
    return static_cast<int>(n);
}

/// The plane with its data `offset` floats into `base`.
Plane placed(const Plane& plane, float* base, std::size_t offset) {
    auto p = plane;
    p.data = base + offset;
    return p;
}

/// A layer's output where the convolution left it.
Plane dense(const ConvPlan& layer, float* raw) {
    return {.data = raw,
            .height = layer.out_height(),
            .width = layer.out_width(),
            .channels = layer.out_channels(),
            .border = 0,
            .spare = 0};
}

}  // namespace

// A thread's planes: the picture, the inputs of the encoder's layers from the third on (the second reads the
// skip), the decoder's inputs, and one buffer for what a convolution makes.
CoderPlan::CoderPlan(const SimVPImpl& model, const Planning& planning) : options_(model.options()) {
    int height = whole(options_.translator_height() * options_.stride());
    int width = whole(options_.translator_width() * options_.stride());
    int channels = whole(options_.channels);
    const auto add = [&](const ConvSC& layer, std::vector<ConvPlan>& layers, std::vector<Plane>& planes) {
        layers.emplace_back(layer->conv, channels, height, width, planning);
        const auto& plan = layers.back();
        planes.push_back({.height = height,
                          .width = width,
                          .channels = channels,
                          .border = plan.border(),
                          .stored = plan.in_stored()});
        height = plan.out_height();
        width = plan.out_width();
        channels = plan.out_channels();
        raw_floats_ =
            std::max(raw_floats_, static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
                                      static_cast<std::size_t>(channels));
    };
    for (const auto& layer : model.enc->enc->layers) add(layer, encoder_, encoder_in_);
    encoder_in_.front().stored = Type::float32;  // the picture
    for (const auto& layer : model.dec->dec->layers) add(layer, decoder_, decoder_in_);
    for (const auto& plane : encoder_in_) encoder_floats_ += plane.floats();
    plane_floats_ = encoder_floats_;
    for (const auto& plane : decoder_in_) plane_floats_ += plane.floats();
    const auto rows = model.dec->readout->weight.detach().flatten(1);
    for (std::int64_t c = 0; c < rows.size(0); ++c) {
        readout_.push_back(stl::inference::channels(rows[c]));
        readout_bias_.push_back(model.dec->readout->bias[c].item<float>());
    }
}

std::int64_t CoderPlan::encoder_macs() const {
    std::int64_t macs = 0;
    for (const auto& layer : encoder_) macs += layer.macs();
    return macs;
}

std::int64_t CoderPlan::decoder_macs() const {
    std::int64_t macs = 0;
    for (const auto& layer : decoder_) macs += layer.macs();
    return macs;
}

CoderPlan::Memory CoderPlan::planes(const Frame& frame) const {
    const auto vectors = 2 * static_cast<std::size_t>(cpu::padded(whole(options_.hid_S)));
    float* base = frame.workspace.planes(plane_floats_ + raw_floats_ + vectors);
    return {.planes = base, .raw = base + plane_floats_, .vectors = base + plane_floats_ + raw_floats_};
}

Plane CoderPlan::skip(float* data) const {
    const auto& first = encoder_.front();
    const bool alone = encoder_.size() == 1;
    return {.data = data,
            .height = first.out_height(),
            .width = first.out_width(),
            .channels = first.out_channels(),
            .border = alone ? 0 : encoder_[1].border(),
            .stored = alone ? Type::float32 : encoder_[1].in_stored()};
}

void CoderPlan::read_picture(const float* picture, const Plane& to) const {
    const int height = whole(options_.height), w = whole(options_.width);
    for (int c = 0; c < to.channels; ++c) {
        for (int y = 0; y < to.height; ++y) {
            const float* line = picture + (Index{c} * height + std::min(y, height - 1)) * w;
            float* out = to.at(y, 0) + c;
            for (int x = 0; x < to.width; ++x) out[Index{x} * to.channels] = line[std::min(x, w - 1)];
        }
    }
}

void CoderPlan::read_latent(const Frame& frame, Pixels latent, const Plane& to) const {
    for (int y = 0; y < to.height; ++y) {
        store_rows(frame, latent.below(y * to.width), {to.at(y, 0), to.pixel(), to.stored}, to.width,
                   whole(options_.hid_S));
    }
}

void CoderPlan::write_latent(const Plane& from, Pixels latent) const {
    for (int y = 0; y < from.height; ++y) {
        for (int x = 0; x < from.width; ++x) {
            std::copy_n(from.at(y, x), options_.hid_S,
                        latent.data + (Index{y} * from.width + x) * latent.row);
        }
    }
}

void CoderPlan::activate(const Frame& frame, const ConvPlan& layer, const float* raw, float* vectors,
                         const Plane* skip, const Plane& to) const {
    float* scale = vectors;
    float* shift = vectors + layer.out_channels();
    layer.norm(frame, raw, scale, shift);
    for (int y = 0; y < to.height; ++y) {
        frame.kernels.apply(skip ? cpu::Op::silu_affine_add : cpu::Op::silu_affine,
                            {.a = raw + Index{y} * to.width * to.channels,
                             .a_row = to.channels,
                             .b_stored = skip ? skip->stored : Type::float32,
                             .b = skip ? skip->at(y, 0) : nullptr,
                             .b_row = skip ? skip->pixel() : 0,
                             .scale = scale,
                             .shift = shift,
                             .stored = to.stored,
                             .out = to.at(y, 0),
                             .out_row = to.pixel(),
                             .rows = to.width,
                             .columns = to.channels});
    }
}

void CoderPlan::write_picture(const Frame& frame, const float* raw, const ConvPlan& layer,
                              float* picture) const {
    const Index height = options_.height, width = options_.width;
    for (std::size_t c = 0; c < readout_.size(); ++c) {
        for (Index y = 0; y < height; ++y) {
            frame.kernels.dot_rows(raw + y * layer.out_width() * layer.out_channels(), layer.out_channels(),
                                   whole(width), whole(options_.hid_S), readout_[c].data(), readout_bias_[c],
                                   picture + (static_cast<Index>(c) * height + y) * width, 1);
        }
    }
}

void CoderPlan::encode(const Frame& frame, const float* picture, float* skip_data, Pixels latent) const {
    const auto memory = planes(frame);
    std::size_t offset = 0;
    auto in = placed(encoder_in_.front(), memory.planes, 0);
    read_picture(picture, in);
    for (std::size_t i = 0; i < encoder_.size(); ++i) {
        const auto& layer = encoder_[i];
        const bool last = i + 1 == encoder_.size();
        layer.convolve(frame, in, memory.raw);
        offset += encoder_in_[i].floats();
        if (i == 0) {
            in = skip(skip_data);
        } else {
            in = last ? dense(layer, memory.raw) : placed(encoder_in_[i + 1], memory.planes, offset);
        }
        activate(frame, layer, memory.raw, memory.vectors, nullptr, in);
    }
    write_latent(in, latent);
}

void CoderPlan::decode(const Frame& frame, Pixels latent, float* skip_data, float* picture) const {
    const auto memory = planes(frame);
    const auto shortcut = skip(skip_data);
    std::size_t offset = encoder_floats_;
    auto in = placed(decoder_in_.front(), memory.planes, offset);
    read_latent(frame, latent, in);
    for (std::size_t i = 0; i < decoder_.size(); ++i) {
        const auto& layer = decoder_[i];
        const bool last = i + 1 == decoder_.size(), before_last = i + 2 == decoder_.size();
        layer.convolve(frame, in, memory.raw);
        offset += decoder_in_[i].floats();
        in = last ? dense(layer, memory.raw) : placed(decoder_in_[i + 1], memory.planes, offset);
        activate(frame, layer, memory.raw, memory.vectors, before_last ? &shortcut : nullptr, in);
    }
    write_picture(frame, memory.raw, decoder_.back(), picture);
}

}  // namespace stl::inference
