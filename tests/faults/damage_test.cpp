// Random damage to every kind of file that the program writes: it is told, or what is read is as it was.
#include <gmock/gmock.h>

#include "stl/checkpoint/checkpoint.h"
#include "stl/formats/sequences.h"
#include "stl/media/png.h"
#include "stl/run/experiment.h"
#include "stl/run/run_folder.h"
#include "stl/run/settings.h"
#include "stl/train/tensorboard.h"
#include "stl/train/trainer.h"
#include "stl/verify/verify.h"
#include "tests/faults/randomness.h"
#include "tests/support/checks.h"
#include "tests/support/files.h"
#include "tests/support/tiny_run.h"

namespace stl {
namespace {

using Contents = std::vector<std::string>;

std::string bytes_of(const torch::Tensor& tensor) {
    const auto dense = tensor.contiguous();
    return {static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()};
}

Contents sequences(const fs::path& file) {
    const auto reader = open_sequences(file.string());
    Contents found{to_line(reader->info().attributes)};
    const auto values = test::read_all(*reader);
    found.emplace_back(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    for (const auto split : {Split::train, Split::validation, Split::test}) {
        for (const auto row : reader->rows(split)) found.push_back(std::to_string(row));
        found.emplace_back();
    }
    return found;
}

Contents checkpoint(const fs::path& file) {
    const auto read = read_checkpoint(file);
    Contents found{to_line(read.stl), std::to_string(read.global_step.value_or(-1))};
    for (const auto& [name, tensor] : read.state) {
        found.push_back(name);
        found.push_back(bytes_of(tensor));
    }
    if (read.optimizer) {
        for (const auto& p : read.optimizer->parameters) {
            found.push_back(std::to_string(p.step));
            found.push_back(bytes_of(p.exp_avg));
            found.push_back(bytes_of(p.exp_avg_sq));
        }
    }
    return found;
}

Contents lines(const fs::path& file) {
    Contents found;
    const auto read = read_metrics_file(file);
    if (!read.damaged.empty()) fail("{}", read.damaged.size());
    for (const auto& line : read.lines) found.push_back(to_line(line));
    return found;
}

/// Without what may change from one resumption to the next.
Contents experiment(const fs::path& file) {
    Contents found;
    for (const auto& change : setting_changes(Json::object(), read_json(file), Compared::all))
        found.push_back(change.key + change.now);
    return found;
}

Contents picture(const fs::path& file) {
    const auto image = read_png(file);
    return {std::to_string(image.width),
            {reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size()}};
}

/// That its end is missing is no damage: so a killed process leaves it, and nothing of ours reads it.
Contents events(const fs::path& file) {
    if (check_events(file).damaged) fail("{}", file.string());
    return {};
}

struct Kind {
    fs::path file;
    Contents (*contents)(const fs::path&);
    fs::path verified{};        ///< of what belongs to a run: its folder
    bool notices_alone = true;  ///< reading is enough; else `stl verify` tells
};

/// A flipped bit, a stretch of zeros, a file cut short, a block that stands twice.
std::string damaged(std::string bytes, StreamRandom& random, std::string& what) {
    const auto at = random.below(bytes.size());
    const auto size = std::min<std::size_t>(1 + random.below(600), bytes.size() - at);
    switch (random.below(4)) {
        case 0:
            what = fmt::format("a bit of byte {} flipped", at);
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
            break;
        case 1:
            what = fmt::format("{} bytes from {} on are zeros", size, at);
            std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, '\0');
            break;
        case 2:
            what = fmt::format("cut to {} bytes", at);
            bytes.resize(at);
            break;
        default:
            what = fmt::format("{} bytes from {} on stand twice", size, at);
            bytes.insert(at, bytes.substr(at, size));
    }
    return bytes;
}

class DamagedFiles : public testing::Test {
  protected:
    void SetUp() override {
        for (const int compression : {0, 4})
            test::write_tiny_data(folder_ / fmt::format("data{}.h5", compression), /*tested=*/0, compression);
        test::train_tiny_run(folder_ / "data0.h5", run(), /*steps=*/6, /*save_every=*/1);
        write_checkpoint(folder_ / "a.safetensors", read_checkpoint(run() / "checkpoints/last.pth"));
    }
    fs::path run() const { return folder_ / "run"; }

    std::vector<Kind> kinds() const {
        std::vector<Kind> all{
            {folder_ / "data0.h5", sequences},
            {folder_ / "data4.h5", sequences},
            {folder_ / "a.safetensors", checkpoint},
            {run() / "checkpoints/last.pth", checkpoint},
            {run() / "checkpoints/best.pth", checkpoint},
            {run() / "metrics.jsonl", lines, run(), false},
            {run() / "experiment.json", experiment, run(), false},
        };
        for (const auto& entry : fs::recursive_directory_iterator(run())) {
            const auto name = entry.path().filename().string();
            if (name.starts_with("events")) all.push_back({entry.path(), events});
            if (name.ends_with(".png")) all.push_back({entry.path(), picture});
        }
        return all;
    }

    test::TemporaryFolder folder_;
};

bool told_by_verify(const fs::path& path) {
    Reporter silent;
    const auto verdicts = verify(path, silent);
    return std::ranges::any_of(verdicts, [](const Verdict& v) { return v.condition == Condition::damaged; });
}

TEST_F(DamagedFiles, AreNeverReadInSilence) {
    StreamRandom random(test::fault_seed(), 4);
    const auto rounds = test::rounds(150);
    for (const auto& kind : kinds()) {
        const auto bytes = read_text(kind.file);
        const auto whole = kind.contents(kind.file);
        if (!kind.verified.empty()) {
            ASSERT_FALSE(told_by_verify(kind.verified)) << kind.verified;
        }
        std::uint64_t told = 0;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            std::string what;
            const auto other = damaged(bytes, random, what);
            if (other == bytes) continue;
            test::write_bytes(kind.file, other);
            SCOPED_TRACE(fmt::format("{}: {} of {}", kind.file.string(), what, bytes.size()));
            try {
                const bool same = kind.contents(kind.file) == whole;
                if (kind.notices_alone) {
                    EXPECT_TRUE(same);
                } else if (!same) {
                    EXPECT_TRUE(told_by_verify(kind.verified));
                    ++told;
                }
            } catch (const Error&) {
                ++told;
            }
        }
        test::write_bytes(kind.file, bytes);
        fmt::print("{}: {} of {} damages told, the others changed nothing that is read\n",
                   kind.file.filename().string(), told, rounds);
        EXPECT_GT(told, rounds / 4);
    }
}

}  // namespace
}  // namespace stl
