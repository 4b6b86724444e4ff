#include "stl/import/import.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/few_bits.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/import/ahead.h"
#include "stl/import/channel_statistics.h"
#include "stl/import/clips.h"
#include "stl/import/frame_stream.h"
#include "stl/import/row_queue.h"
#include "stl/import/sources.h"
#include "stl/import/splits.h"
#include "stl/import/value_sample.h"

namespace stl {
namespace {

void check(const ImportOptions& o) {
    if (o.length < 1 || o.stride < 0)
        fail("length {} and stride {}, expected a length of at least 1 and a stride of at least 0", o.length,
             o.stride);
    if (o.height < 0 || o.width < 0 || (o.height == 0) != (o.width == 0))
        fail("size {}x{}: not a valid size", o.width, o.height);
    if (o.compression < 0 || o.compression > 9) fail("compression {}, expected 0 to 9", o.compression);
    if (!(o.scene_threshold > 0)) fail("scene threshold {}, expected more than 0", o.scene_threshold);
}

class Importer {
  public:
    Importer(const ImportOptions& options, Reporter& reporter, const StopRequested& stop)
        : options_((check(options), options)),
          reporter_(reporter),
          stop_(stop),
          sources_(find_sources(options.inputs, [&](const std::string& line) { reporter.warn(line); })),
          splits_(options, sources_.size()) {
        refuse_existing(options.output.path, options.force);
        refuse_inputs();
        choose_format();
        if (options_.range_percentile) sample_.emplace(format_.dtype);
        const bool arrays = std::ranges::all_of(
            sources_, [](const ImportSource& s) { return s.kind == ImportSource::Kind::array; });
        if (arrays && options_.stream >= 0)
            fail("{}: --stream is for videos and TIFF stacks", sources_.front().name());
    }

    ImportReport run() {
        const auto writer = make_writer();
        const auto row_bytes = static_cast<std::uint64_t>(options_.length) * format_.bytes();
        require_memory(5 * row_bytes, options_.output.string());
        RowQueue queue(*writer, format_.dtype,
                       std::max<std::uint64_t>(2, (std::uint64_t{64} << 20) / row_bytes));
        options_.measured = splits_.by_time();
        AheadStreams streams(sources_.size(), [this](std::size_t i) {
            return open_stream(sources_[i], options_, format_, stop_);
        });
        try {
            for (std::size_t i = 0; i < sources_.size(); ++i) read_source(i, *streams.next(), queue);
        } catch (const WritingFailed&) {
            // finish() throws why.
        }
        queue.finish();
        reporter_.progress_end();
        finish(*writer);
        report_.seconds = seconds_since(started_);
        return report_;
    }

  private:
    /// Sequences one after the other, of one source and one split.
    struct Part {
        std::size_t source;
        Split split;
        std::int64_t sequences;
        ChannelStatistics values;
    };

    void refuse_inputs() const {
        for (const auto& source : sources_) {
            if (!same_file(source.file, options_.output)) continue;
            fail("{}: is also an input; choose another --output", options_.output.path.string());
        }
    }

    /// The first source that can be read decides what the options leave open; one array of floats makes all
    /// float.
    void choose_format() {
        std::string reason;
        bool chosen = false;
        for (const auto& source : sources_) {
            const bool array = source.kind == ImportSource::Kind::array;
            if (chosen && !array) continue;
            try {
                const FrameFormat own = own_format(source, options_, stop_);
                if (!chosen) format_ = own;
                if (own.dtype == DType::f32) format_.dtype = DType::f32;
                chosen = true;
            } catch (const Interrupted&) {
                throw;
            } catch (const Shortage&) {
                throw;
            } catch (const Error& error) {
                if (reason.empty()) reason = error.what();
            }
        }
        if (!chosen) throw Error(reason);
    }

    std::unique_ptr<SequenceWriter> make_writer() {
        WriteOptions w;
        w.dtype = format_.dtype;
        w.compression = options_.compression;
        w.force = options_.force;
        w.fps = options_.fps;
        for (const auto& source : sources_) {
            if (w.fps > 0) break;
            try {
                w.fps = open_stream(source, options_, format_, stop_)->fps();
            } catch (const Interrupted&) {
                throw;
            } catch (const Shortage&) {
                throw;
            } catch (const Error&) {
                continue;  // told when its turn comes
            }
        }
        return create_sequences(options_.output, unknown_count, shape(), w);
    }

    SequenceShape shape() const { return {options_.length, format_.channels, format_.height, format_.width}; }

    /// `used`: numbers of the sources.
    Json describe(const std::set<std::size_t>& used) const {
        Json settings{{"source", used.size() == 1 ? sources_[*used.begin()].name()
                                                  : fmt::format("{} sources", used.size())},
                      {"made_by", "stl import"},
                      {"fit", fit_name(options_.fit)},
                      {"length", options_.length},
                      {"stride", stride()},
                      {"split_scenes", options_.split_scenes}};
        if (options_.fps > 0) settings["fps"] = options_.fps;
        for (const std::size_t i : used) {
            settings["sources"].push_back(fs::path(sources_[i].name()).filename().string());
        }
        settings["options"] = options_json();
        if (report_.split) settings["split"] = splits_.to_json();
        settings["parts"] = parts_json();
        return settings;
    }

    /// Those that say what the frames are; absent where they are left to the sources.
    Json options_json() const {
        const ImportOptions& o = options_;
        Json json{{"size", {format_.width, format_.height}},
                  {"channels", format_.channels},
                  {"scene_threshold", o.scene_threshold},
                  {"normalize", o.normalize}};
        if (o.folder_fps) json["folder_fps"] = *o.folder_fps;
        if (o.start) json["start"] = *o.start;
        if (o.end) json["end"] = *o.end;
        if (o.stream >= 0) json["stream"] = o.stream;
        if (!o.layout.empty()) json["layout"] = o.layout;
        if (!o.dataset.empty()) json["dataset"] = o.dataset;
        if (o.range_percentile) json["range_percentile"] = *o.range_percentile;
        return json;
    }

    /// Which source went where: "parts": [{"source": whole path, "split": "train", "sequences": 12}].
    Json parts_json() const {
        static constexpr std::array names{"train", "validation", "test"};
        Json list = Json::array();
        for (const auto& part : parts_) {
            Json entry{{"source", DataFile(fs::absolute(sources_[part.source].file.path).lexically_normal(),
                                           sources_[part.source].file.dataset)
                                      .string()},
                       {"sequences", part.sequences}};
            if (report_.split) entry["split"] = names[static_cast<std::size_t>(part.split)];
            // Gaps and cuts part a source further.
            if (!list.empty() && list.back()["source"] == entry["source"] &&
                list.back().value("split", "") == entry.value("split", "")) {
                list.back()["sequences"] = list.back()["sequences"].get<std::int64_t>() + part.sequences;
            } else {
                list.push_back(std::move(entry));
            }
        }
        return list;
    }

    std::int64_t stride() const { return options_.stride > 0 ? options_.stride : options_.length; }

    void read_source(std::size_t index, FrameStream& stream, RowQueue& queue) {
        const std::string name = sources_[index].name();
        const std::int64_t before = report_.sequences;
        try {
            read_frames(index, stream, queue);
            ++report_.sources;
            if (report_.sequences == before) {
                ++report_.too_short;
                reporter_.warn(
                    fmt::format("{}: too short for a sequence of {} frames", name, options_.length));
            }
        } catch (const Interrupted&) {
            throw;
        } catch (const Shortage&) {
            throw;  // what is left out would be missed
        } catch (const Error& error) {
            if (sources_.size() == 1) throw;
            const bool used = report_.sequences > before;
            ++(used ? report_.sources : report_.unusable);
            reporter_.warn(error.what() + std::string(used ? "; the frames before it are used" : ""));
        }
    }

    void read_frames(std::size_t index, FrameStream& stream, RowQueue& queue) {
        if (options_.split_by == SplitBy::time && !(stream.duration() > 0)) {
            fail("{}: its duration is unknown, so it cannot be split by time", sources_[index].name());
        }
        const bool cut_in_time = splits_.cuts(sequences_in(index, stream));
        const auto split_at = [&](double position) {
            return cut_in_time ? splits_.at(position) : Split::train;  // by source it is dealt at the end
        };
        Split split = split_at(0);
        bool begun = false;  // a part of this source and split
        Windows windows(options_.length, stride(), [&](Windows::Bytes row) {
            if (!std::exchange(begun, true)) parts_.push_back({index, split, 0, {shape(), format_.dtype}});
            parts_.back().values.add(row);
            if (sample_) sample_->add(row);
            ++parts_.back().sequences;
            queue.push(std::move(row));
            ++report_.sequences;
        });
        note_range(sources_[index].name(), stream.range());
        SceneCuts cuts(options_.scene_threshold);
        StreamFrame frame;
        for (; stream.next(frame); ++report_.frames) {
            if (stop_ && stop_()) throw Interrupted("import: interrupted, nothing written");
            const Split now = split_at(frame.position);
            const bool cut = options_.split_scenes && scene_begins(cuts, frame);
            if (!frame.continues || cut || now != split) windows.break_here();
            report_.cuts += cut ? 1 : 0;
            begun = begun && now == split;
            split = now;
            windows.add(frame.values);
            show_progress(index, stream, frame);
        }
        note_rate(stream.fps());
        note_timing(sources_[index].name(), stream.timing());
        if (const std::string damage = stream.damage(); !damage.empty()) reporter_.warn(damage);
    }

    /// About how many that do not overlap a source gives; 0: not known.
    double sequences_in(std::size_t index, const FrameStream& stream) const {
        if (sources_[index].kind == ImportSource::Kind::array) return stream.duration();
        return stream.duration() * stream.fps() / static_cast<double>(options_.length);
    }

    bool scene_begins(SceneCuts& cuts, const StreamFrame& frame) {
        if (!frame.continues) cuts.reset();
        if (format_.dtype == DType::u8) {
            return cuts.begins(
                {reinterpret_cast<const std::uint8_t*>(frame.values.data()), frame.values.size()});
        }
        const auto* floats = reinterpret_cast<const float*>(frame.values.data());
        eight_bits_.resize(frame.values.size() / sizeof(float));
        const auto range = options_.range.value_or(range_.value_or(ValueRange{}));
        const auto low = static_cast<float>(range.low), width = static_cast<float>(range.width());
        std::transform(floats, floats + eight_bits_.size(), eight_bits_.begin(), [low, width](float v) {
            return static_cast<std::uint8_t>(std::clamp((v - low) / width * 255.0F + 0.5F, 0.0F, 255.0F));
        });
        return cuts.begins(eight_bits_);
    }

    /// Hundredths of a source are counted where there are few.
    void show_progress(std::size_t index, const FrameStream& stream, const StreamFrame& frame) {
        if (report_.frames % 16 != 0) return;
        Progress p{static_cast<std::int64_t>(index), static_cast<std::int64_t>(sources_.size()), "sources",
                   ""};
        if (sources_.size() == 1 && stream.duration() > 0) {
            const bool array = sources_[0].kind == ImportSource::Kind::array;
            p = {static_cast<std::int64_t>(frame.position * stream.duration()),
                 static_cast<std::int64_t>(stream.duration()), array ? "rows" : "seconds", ""};
        }
        p.detail = fmt::format("{} sequences  {:.0f} frames/s", report_.sequences,
                               static_cast<double>(report_.frames) / std::max(seconds_since(started_), 1e-3));
        reporter_.progress(p);
    }

    void finish(SequenceWriter& writer) {
        if (report_.sequences == 0) {
            fail("{}: not one sequence of {} frames in {}", options_.output.string(), options_.length,
                 counted(static_cast<std::int64_t>(sources_.size()), "source"));
        }
        if (const auto marks = deal_splits(); !marks.empty()) writer.set_splits(marks);
        writer.set_attributes(measured());
        writer.finish();
        if (slowest_ > 0 && fastest_ > 1.02 * slowest_) {
            reporter_.warn(fmt::format(
                "the frame rates of the sources range from {:.4g} to {:.4g} frames/s, and frames are "
                "used as stored; --fps resamples them to one rate",
                slowest_, fastest_));
        }
        if (uneven_ > 0) reporter_.warn(uneven_line());
    }

    std::string uneven_line() const {
        const std::string others =
            uneven_ > 1 ? fmt::format(" and {}", counted(uneven_ - 1, "other source")) : "";
        return fmt::format(
            "{}{}: the frame rate is {}, and frames are used as stored; --fps resamples them evenly",
            first_uneven_, others, to_string(uneven_timing_));
    }

    /// A mark for every sequence; none where there are no splits.
    std::vector<Split> deal_splits() {
        if (!splits_.by_time()) {
            const auto dealt = splits_.deal(parts_.size());  // a part is a source then
            if (dealt.empty()) return {};
            for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].split = dealt[i];
        }
        std::vector<Split> marks;
        for (const auto& part : parts_) {
            marks.insert(marks.end(), static_cast<std::size_t>(part.sequences), part.split);
            report_.per_split[static_cast<std::size_t>(part.split)] += part.sequences;
        }
        if (splits_.leaves_unmarked(report_.per_split)) {
            report_.per_split = {};
            for (auto& part : parts_) part.split = Split::train;
            return {};
        }
        if (const auto line = splits_.shortfall(report_.per_split, options_.length); !line.empty())
            reporter_.warn(line);
        report_.split = true;
        return marks;
    }

    /// What the file says of its making, with mean and deviation of the training sequences.
    Json measured() {
        std::set<std::size_t> used;
        ChannelStatistics training(shape(), format_.dtype);
        for (const auto& part : parts_) {
            used.insert(part.source);
            if (part.split == Split::train) training.add(part.values);
        }
        Json settings = describe(used);
        if (const auto range = stored_range()) settings["range"] = range->to_json();
        const Json values = training.value();
        tell_of_range(settings.contains("range"));
        if (values.is_null()) {
            if (options_.normalize)
                reporter_.warn("no training sequences, so no mean and standard deviation to normalise by");
            return settings;
        }
        settings["training_values"] = values;
        if (!options_.normalize) return settings;
        for (const double deviation : values["std"]) {
            if (deviation > 0) continue;
            reporter_.warn("a channel has the same value everywhere, so nothing is normalised");
            return settings;
        }
        settings.update(values);
        return settings;
    }

    /// Values that would make SSIM, PSNR and pictures meaningless.
    void tell_of_range(bool known) {
        if (format_.dtype == DType::u8 || options_.range || sample_) return;
        ChannelStatistics all(shape(), format_.dtype);
        for (const auto& part : parts_) all.add(part.values);
        const auto values = all.values();
        if (!values) return;
        if (!known && range_differs_.empty() && !range_ && (values->low < -0.5 || values->high > 1.5)) {
            reporter_.warn(fmt::format(
                "values reach from {:g} to {:g}, and nothing says which stand for black and white, so there "
                "will be no SSIM or PSNR; --range LOW,HIGH says it, --range percentile measures it",
                values->low, values->high));
        }
        if (const auto line = few_bits(values->low, values->high, range_); !line.empty())
            reporter_.info(line);
    }

    /// What the file is to say of the values that stand for black and white; nothing where they are 0 and 1.
    std::optional<ValueRange> stored_range() {
        if (options_.range) return options_.range;
        if (sample_) {
            const auto found = sample_->range(*options_.range_percentile);
            if (!found) reporter_.warn("all values are equal, so there is no range between percentiles");
            return found;
        }
        if (!range_differs_.empty()) {
            reporter_.warn(
                range_differs_ +
                ": the values of black and white differ and are not recorded; --range LOW,HIGH records them");
            return std::nullopt;
        }
        const auto range = other_than_unit(range_);
        if (!range) return std::nullopt;
        const double stored = format_.dtype == DType::u8 ? 255 : 1;  // for one that is read
        return ValueRange{range->low * stored, range->high * stored};
    }

    void note_range(const std::string& name, const std::optional<ValueRange>& range) {
        const auto text = [](const std::optional<ValueRange>& r) { return r ? to_string(*r) : "unknown"; };
        if (range_of_.empty()) {
            range_of_ = name;
            range_ = range;
        } else if (range != range_ && range_differs_.empty()) {
            range_differs_ =
                fmt::format("values of {} in {}, of {} in {}", text(range_), range_of_, text(range), name);
        }
    }

    /// Frame rates that are left as they are.
    void note_rate(double fps) {
        if (options_.fps > 0 || !(fps > 0)) return;
        slowest_ = slowest_ > 0 ? std::min(slowest_, fps) : fps;
        fastest_ = std::max(fastest_, fps);
    }

    /// Frames that are left as unevenly spaced as they are.
    void note_timing(const std::string& name, const Timing& timing) {
        if (options_.fps > 0 || !timing.uneven || uneven_++ > 0) return;
        first_uneven_ = name;
        uneven_timing_ = timing;
    }

    ImportOptions options_;
    Reporter& reporter_;
    StopRequested stop_;
    std::vector<ImportSource> sources_;
    SplitPlan splits_;
    FrameFormat format_;
    std::optional<ValueSample> sample_;     ///< of what is written, where percentiles are asked for
    std::optional<ValueRange> range_;       ///< of the first source
    std::string range_of_, range_differs_;  ///< its name; the first one that has another
    std::vector<Part> parts_;
    double slowest_ = 0, fastest_ = 0;  ///< frame rates of the sources
    std::int64_t uneven_ = 0;           ///< sources whose frames are unevenly spaced
    std::string first_uneven_;
    Timing uneven_timing_;  ///< of the first
    ImportReport report_;
    std::vector<std::uint8_t> eight_bits_;
    Clock::time_point started_ = Clock::now();
};

}  // namespace

ImportReport import_sequences(const ImportOptions& options, Reporter& reporter, const StopRequested& stop) {
    return Importer(options, reporter, stop).run();
}

}  // namespace stl
