#include "stl/import/layouts/weather.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/formats/hdf5_array.h"
#include "stl/media/natural_order.h"

namespace stl {
namespace {

/// One channel of what people choose by name.
struct Variable {
    const char* name;    ///< in the files
    const char* folder;  ///< and what their names begin with
};
struct Choice {
    std::string name;
    std::vector<Variable> channels;
};

constexpr Variable u10{"u10", "10m_u_component_of_wind"};
constexpr Variable v10{"v10", "10m_v_component_of_wind"};

const std::vector<Choice>& choices() {
    static const std::vector<Choice> list{
        {"t2m", {{"t2m", "2m_temperature"}}},
        {"r", {{"r", "relative_humidity"}}},
        {"u10", {u10}},
        {"v10", {v10}},
        {"uv10", {u10, v10}},
        {"tcc", {{"tcc", "total_cloud_cover"}}},
        {"tp", {{"tp", "total_precipitation"}}},
    };
    return list;
}

const Choice& find_choice(std::string_view name) {
    return find_named(choices(), name, "--variable", "import");
}

/// "2m_temperature_2010_5.625deg" -> 2010
std::optional<int> year_in_name(const std::string& stem) {
    for (std::size_t i = 0; i + 5 <= stem.size(); ++i) {
        int year = 0, used = 0;
        if (stem[i] == '_' && std::sscanf(stem.c_str() + i + 1, "%4d%n", &year, &used) == 1 && used == 4) {
            return year;
        }
    }
    return std::nullopt;
}

/// Years of a file's steps, by its `time`, or else by its name.
std::vector<int> years_of(const fs::path& path, std::int64_t steps, ExternalFiles external) {
    const Hdf5Array time(path, "time", external);
    if (time.shape() != Shape{steps}) {
        fail("{}: shape {}, expected [{}]", time.where(), to_string(time.shape()), steps);
    }
    const auto units = time.attribute("units");
    // The name of a file says little of what is in it: it counts only where the file itself is silent.
    if (!units.is_string() && time.has_attribute("units"))
        fail("{}: its attribute 'units' is not a UTF-8 string, expected e.g. 'hours since 1900-01-01'",
             time.where());
    std::vector<int> years;
    if (units.is_string()) {
        std::vector<double> values(static_cast<std::size_t>(steps));
        time.read(0, steps, std::span(values));
        for (const double value : values)
            years.push_back(year_of(value, units.get<std::string>(), time.where()));
        return years;
    }
    const auto year = year_in_name(path.stem().string());
    if (!year) fail("{}: no attribute 'units', and no year in the file's name", time.where());
    years.assign(static_cast<std::size_t>(steps), *year);
    return years;
}

/// All files of one variable as one long row of maps [lat,lon].
class Series {
  public:
    Series(LayoutJob& job, const Variable& variable) : name_(variable.name) {
        for (const auto& path : files_of(job, variable)) add(job, path);
        if (!std::ranges::is_sorted(years_)) {
            fail("{}: its files are not in chronological order", variable.folder);
        }
    }

    std::int64_t steps() const { return std::ssize(years_); }
    const std::vector<int>& years() const { return years_; }
    std::int64_t height() const { return height_; }
    std::int64_t width() const { return width_; }

    /// The map of one step, as in the file.
    std::span<const float> map(std::int64_t step) {
        if (step < block_first_ || step >= block_first_ + block_count_) load(step);
        const auto size = static_cast<std::size_t>(height_ * width_);
        const auto row = static_cast<std::size_t>(block_levels_) * size;
        const auto last_level = static_cast<std::size_t>(step - block_first_ + 1) * row - size;
        return std::span(block_).subspan(last_level, size);
    }

  private:
    struct Part {
        Hdf5Array values;
        std::int64_t first;
    };

    static std::vector<fs::path> files_of(const LayoutJob& job, const Variable& variable) {
        const auto own = job.options().folder / variable.folder;
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(fs::is_directory(own) ? own : job.options().folder)) {
            const auto name = entry.path().filename().string();
            if (name.starts_with(variable.folder) && name.ends_with(".nc")) files.push_back(entry.path());
        }
        if (files.empty()) job.fail_missing(fmt::format("{}/{}*.nc", variable.folder, variable.folder));
        std::ranges::sort(files,
                          [](const auto& a, const auto& b) { return natural_less(a.string(), b.string()); });
        return files;
    }

    void add(LayoutJob& job, const fs::path& path) {
        Hdf5Array values(path, name_, job.options().external);
        for (const auto& line : values.warnings()) job.warn(line);
        const auto& shape = values.shape();
        if ((shape.size() != 3 && shape.size() != 4) || element_count(shape, values.where()) == 0) {
            fail("{}: shape {}, expected [time,lat,lon] or [time,level,lat,lon]", values.where(),
                 to_string(shape));
        }
        const auto height = shape[shape.size() - 2], width = shape.back();
        if (!parts_.empty() && (height != height_ || width != width_)) {
            fail("{}: maps of {}x{}, those before are {}x{}", values.where(), height, width, height_, width_);
        }
        height_ = height;
        width_ = width;
        const auto years = years_of(path, shape[0], job.options().external);
        parts_.push_back({std::move(values), steps()});
        years_.insert(years_.end(), years.begin(), years.end());
    }

    void load(std::int64_t step) {
        auto part = std::ranges::find_if(parts_.rbegin(), parts_.rend(),
                                         [&](const Part& p) { return p.first <= step; });
        const auto& values = part->values;
        constexpr std::int64_t block_bytes = 16 << 20;
        const auto most = std::max<std::int64_t>(
            1, block_bytes / (values.row_elements() * static_cast<std::int64_t>(sizeof(float))));
        const auto row = step - part->first;
        block_count_ = std::min(most, values.shape()[0] - row);
        block_first_ = step;
        block_levels_ = values.row_elements() / (height_ * width_);
        block_.resize(static_cast<std::size_t>(block_count_ * values.row_elements()));
        values.read(row, block_count_, std::span(block_));
        values.packing().unpack(block_);
    }

    std::string name_;
    std::vector<Part> parts_;
    std::vector<int> years_;
    std::int64_t height_ = 0, width_ = 0;
    std::vector<float> block_;
    std::int64_t block_first_ = 0, block_count_ = 0, block_levels_ = 1;
};

struct Period {
    const char* name;
    Split split;
    int first_year, last_year;
};

/// Steps [first, last) of a period, without its last one.
std::pair<std::int64_t, std::int64_t> steps_of(const Series& series, const Period& period) {
    const auto& years = series.years();
    const auto first = std::ranges::lower_bound(years, period.first_year);
    const auto last = std::ranges::upper_bound(first, years.end(), period.last_year);
    return {first - years.begin(), std::max(first - years.begin(), last - years.begin() - 1)};
}

struct Normalisation {
    double mean = 0, std = 0;
};

Normalisation measure(LayoutJob& job, Series& series, const Period& period, const char* name) {
    const auto [first, last] = steps_of(series, period);
    double shift = 0, sum = 0, squares = 0;
    std::int64_t count = 0;
    for (auto step = first; step < last; ++step) {
        const auto map = series.map(step);
        if (count == 0) shift = map.front();  // keeps the squares small
        for (const float value : map) {
            sum += value - shift;
            squares += (value - shift) * (value - shift);
        }
        count += std::ssize(map);
        if (step % 256 == 0) job.progress(fmt::format("mean of {}", name), step - first, last - first);
    }
    const double mean = sum / static_cast<double>(count);
    const double deviation = std::sqrt(squares / static_cast<double>(count) - mean * mean);
    if (!(deviation > 0) || !std::isfinite(deviation)) {
        fail("{}: mean {}, deviation {} in training, expected finite values that vary", name, mean + shift,
             deviation);
    }
    return {mean + shift, deviation};
}

class Importer {
  public:
    Importer(LayoutJob& job, const Choice& choice) : job_(job), choice_(choice) {
        for (const auto& variable : choice.channels) channels_.emplace_back(job, variable);
        for (const auto& channel : channels_) {
            if (channel.years() != channels_.front().years() ||
                channel.height() != channels_.front().height() ||
                channel.width() != channels_.front().width()) {
                fail("{}: {} steps of {}x{} and {} of {}x{}, expected equal numbers and sizes", choice.name,
                     channels_.front().steps(), channels_.front().height(), channels_.front().width(),
                     channel.steps(), channel.height(), channel.width());
            }
        }
    }

    void run(std::span<const Period> periods) {
        for (const auto& period : periods) check(period);
        Json means = Json::array(), deviations = Json::array();
        for (std::size_t c = 0; c < channels_.size(); ++c) {
            const auto scale = measure(job_, channels_[c], periods.front(), choice_.channels[c].name);
            means.push_back(scale.mean);
            deviations.push_back(scale.std);
        }
        job_.create({1, std::ssize(channels_), channels_[0].height(), channels_[0].width()}, DType::f32,
                    {{"variable", choice_.name},
                     {"mean", means},
                     {"std", deviations},
                     {"first_year", periods.front().first_year}});
        for (const auto& period : periods) import_period(period);
    }

  private:
    /// Validation may be missing, the others are needed.
    void check(const Period& period) const {
        const auto [first, last] = steps_of(channels_.front(), period);
        if (period.split == Split::validation || last - first > job_.length()) return;
        fail("{}: {} hours of {} to {} for {}, expected more than {}", job_.options().folder.string(),
             last - first, period.first_year, period.last_year, period.name, job_.length());
    }

    void import_period(const Period& period) {
        const auto [first, last] = steps_of(channels_.front(), period);
        const auto base = job_.frames();
        std::vector<float> frame;
        for (auto step = first; step < last; ++step) {
            frame.clear();
            for (std::size_t c = 0; c < channels_.size(); ++c) {
                const auto map = channels_[c].map(step);
                frame.insert(frame.end(), map.begin(), map.end());
            }
            if (!std::ranges::all_of(frame, [](float v) { return std::isfinite(v); })) {
                fail("{}: step {} of {} has missing values", choice_.name, step - first, period.name);
            }
            job_.append(frame);
            if (step % 64 == 0) job_.progress(period.name, step - first, last - first);
        }
        for (std::int64_t start = 0; start + job_.length() < last - first; ++start) {
            job_.add_window(base + start, period.split);
        }
        job_.source_done();
    }

    LayoutJob& job_;
    const Choice& choice_;
    std::vector<Series> channels_;
};

}  // namespace

int year_of(double value, const std::string& units, const std::string& where) {
    std::array<char, 16> unit{};
    int year = 0;
    unsigned month = 0, day = 0;
    const bool known =
        std::sscanf(units.c_str(), "%15s since %d-%u-%u", unit.data(), &year, &month, &day) == 4;
    const std::chrono::year_month_day epoch{std::chrono::year(year), std::chrono::month(month),
                                            std::chrono::day(day)};
    const std::string name(unit.data());
    const double per_day = name == "days"      ? 1
                           : name == "hours"   ? 24
                           : name == "minutes" ? 1440
                           : name == "seconds" ? 86400
                                               : 0;
    if (!known || !epoch.ok() || per_day == 0 || !std::isfinite(value) || std::abs(value / per_day) > 1e7) {
        fail("{}: {} '{}', expected hours since a day (or days, minutes, seconds)", where, value, units);
    }
    const auto date = std::chrono::sys_days(epoch) +
                      std::chrono::days(static_cast<std::int64_t>(std::floor(value / per_day)));
    return static_cast<int>(std::chrono::year_month_day(date).year());
}

void import_weather(LayoutJob& job) {
    constexpr int usual_first_year = 2010, last_year = 2015;
    const auto& chosen = job.options().variable;
    const int first_year = job.options().first_year > 0 ? job.options().first_year : usual_first_year;
    if (first_year > last_year) fail("import: --first-year {}, training ends with {}", first_year, last_year);
    const std::array periods{Period{"training", Split::train, first_year, last_year},
                             Period{"validation", Split::validation, 2016, 2016},
                             Period{"the test", Split::test, 2017, 2018}};
    Importer(job, find_choice(chosen.empty() ? "t2m" : chosen)).run(periods);
}

}  // namespace stl
