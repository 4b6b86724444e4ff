// The files that an evaluation writes: RUN/evaluation.json, and a small file under experiments/results from which the
// tables are made. Both have the keys of Evaluation::to_json() and a record of where everything came from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stl/eval/evaluate.h"
#include "stl/predict/predictor.h"

namespace stl {

/// Adds: "dataset", "translator", "epochs" (or "steps"), "seed" and the whole "experiment" (null where not
/// known), "checkpoint", "weights", "epoch", "parameters", "macs", "device", "precision", "threads",
/// "revision", "training" (device, revision, hours, from run.json) and "published" (the row to compare with,
/// or null).
Json evaluation_document(const Predictor& predictor, const std::string& weights,
                         const Evaluation& evaluation);

/// Error: the predictor's run has not finished its training, or it is not a run.
void require_finished(const Predictor& predictor);
/// Makes a record of a document by adding the data files with their SHA-256, and the evaluation of the weights with the
/// best validation loss. Error if the run is not finished: the tables show results of the last epoch.
Json record_document(Json document, const Predictor& predictor, const std::vector<fs::path>& data_files,
                     const std::optional<Evaluation>& best, std::int64_t best_epoch);

/// results/<dataset>/<run's name>.json
fs::path record_file(const fs::path& results, const Predictor& predictor);

}  // namespace stl
