#include "stl/inference/cpu/planned_inference.h"

#include <algorithm>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/cpu/parallel.h"
#include "stl/inference/cpu/slots.h"

namespace stl {
namespace {

const SimVPImpl& checked(const SimVPImpl& model) {
    if (model.is_training()) fail("the fast path needs a model in evaluation mode");
    for (const auto& parameter : model.parameters()) {
        if (!parameter.device().is_cpu())
            fail("the fast path runs on the CPU, the model is on {}", parameter.device().str());
    }
    return model;
}

cpu::Type type_of(Precision precision) {
    return precision == Precision::bf16 ? cpu::Type::bfloat16 : cpu::Type::float32;
}

}  // namespace

PlannedInference::PlannedInference(const SimVPImpl& model, Precision precision, const cpu::Kernels& kernels,
                                   Tuner* tuner)
    : Inference(torch::kCPU, precision),
      options_(checked(model).options()),
      kernels_(kernels),
      coder_(model, planning(tuner)) {
    const torch::NoGradGuard no_grad;
    translator_ = inference::plan_translator(options_, model.hid, planning(tuner));
}

inference::Planning PlannedInference::planning(Tuner* tuner) const {
    return {.precision = type_of(precision()),
            .kernels = kernels_,
            .rows = static_cast<int>(options_.translator_height() * options_.translator_width()),
            .tuner = tuner};
}

void PlannedInference::check(const torch::Tensor& x) const {
    const auto& o = options_;
    if (x.dim() != 5 || x.sizes().slice(1) != c10::IntArrayRef({o.frames, o.channels, o.height, o.width})) {
        fail("the model takes [B, {}, {}, {}, {}] (frames, channels, height, width), not {}", o.frames,
             o.channels, o.height, o.width, to_string(x.sizes().vec()));
    }
    if (!x.device().is_cpu()) fail("the fast path runs on the CPU, the input is on {}", x.device().str());
}

void PlannedInference::forward(const torch::Tensor& x, torch::Tensor& out) {
    namespace k = cpu;
    using inference::Index;
    check(x);
    if (out.sizes() != x.sizes() || out.scalar_type() != torch::kFloat32 || !out.is_contiguous()) {
        fail("the fast path writes to contiguous float32 {}, not {}", to_string(x.sizes().vec()),
             to_string(out.sizes().vec()));
    }
    const torch::NoGradGuard no_grad;
    const auto input = x.to(torch::kFloat32).contiguous();
    const auto& o = options_;
    const int batch = static_cast<int>(x.size(0)), frames = static_cast<int>(o.frames);
    const int hidden = static_cast<int>(o.hid_S);
    const int widest = static_cast<int>(std::max(o.translator_channels(), o.hid_T));
    workspace_.prepare(k::thread_count());
    const inference::Frame frame{kernels_, workspace_, static_cast<int>(o.translator_height()),
                                 static_cast<int>(o.translator_width()), trace_};
    const auto latent = workspace_.pixels(inference::slot::latent, batch * frame.rows(), widest);
    const Index picture = o.channels * o.height * o.width, skip = static_cast<Index>(coder_.skip_floats());
    float* skips = workspace_.floats(inference::slot::skips, static_cast<std::size_t>(batch * frames * skip));
    const float* from = input.data_ptr<float>();
    float* to = out.data_ptr<float>();
    const auto of_frame = [&](int i) {  // the latent's columns of frame i
        return inference::Pixels{latent.data + Index{i / frames} * frame.rows() * latent.row, latent.row}
            .from(i % frames * hidden);
    };
    {
        const inference::Trace::Timed timed(trace_, "encoder", batch * frames * coder_.encoder_macs());
        k::parallel(batch * frames,
                    [&](int i) { coder_.encode(frame, from + i * picture, skips + i * skip, of_frame(i)); });
    }
    for (int b = 0; b < batch; ++b) translator_->run(frame, of_frame(b * frames));
    const inference::Trace::Timed timed(trace_, "decoder", batch * frames * coder_.decoder_macs());
    k::parallel(batch * frames,
                [&](int i) { coder_.decode(frame, of_frame(i), skips + i * skip, to + i * picture); });
}

torch::Tensor PlannedInference::forward(const torch::Tensor& x) {
    check(x);
    auto out = torch::empty(x.sizes(), torch::kFloat32);
    forward(x, out);
    return out;
}

}  // namespace stl
