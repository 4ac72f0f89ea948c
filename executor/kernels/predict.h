// Predictions of a model for many rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "executor/kernels/matrix.h"
#include "executor/kernels/model.h"

namespace kiln::executor {

// out[row * model.Width() + i]: the probability of class i, or the number. A row's result is the
// same to the bit whatever rows stand beside it.
// rows.columns is the number of the model's features; out.size() is rows.rows * model.Width(). The
// model has passed CheckModel. Threads: any, also at once.
void Predict(const Model& model, MatrixView rows, std::span<float> out);
std::vector<float> Predict(const Model& model, MatrixView rows);

// The definition of the above, without vector instructions.
void PredictScalar(const Model& model, MatrixView rows, std::span<float> out);

// For each row of `width` probabilities the index of the greatest; of equals the first.
std::vector<uint32_t> BestClasses(std::span<const float> probabilities, size_t width);

// Whether rows with these columns are what the model was trained on.
Status CheckColumns(const Model& model, const std::vector<std::string>& columns);

}  // namespace kiln::executor
