// The options shared by the subcommands that measure predictions, and the table of their results.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stl/metrics/metrics.h"
#include "tools/stl/command.h"

namespace stl::tools {

/// --ssim, --lpips, --lpips-heads, --spatial-norm and, where `scales`, the options that change how values are
/// read.
class MetricArguments {
  public:
    void add_to(CLI::App& command, bool scales);
    /// of_data: the data's range (values of black and white), if known; the command's options take precedence.
    /// UsageError if they contradict each other.
    MetricOptions options(const std::optional<ValueRange>& of_data) const;

  private:
    std::string ssim_ = "openstl";
    std::string lpips_, lpips_heads_;
    bool spatial_norm_ = false;
    std::optional<double> mean_, std_;
    static constexpr const char* default_clip = "0,1";
    std::string clip_ = default_clip;
    std::string range_;
    std::string channel_names_;
};

/// LOW,HIGH. UsageError naming the option.
ValueRange parse_range(const std::string& option, const std::string& text);

/// Warns where frames hold NaN, whose metrics are null in JSON, and where the true values leave [0, 1], so that
/// metrics that need a range are missing.
void warn_of_values(const MetricValues& values, Reporter& reporter);

/// A line per name, all frames together; then the first one frame by frame.
std::vector<std::string> metric_table(const std::vector<std::pair<std::string, MetricValues>>& rows,
                                      const MetricOptions& options);

}  // namespace stl::tools
