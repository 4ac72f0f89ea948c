#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "executor/learning/affine.h"

namespace kiln::executor {
namespace {

constexpr size_t kBatchRows = 32;
constexpr double kMomentum = 0.9;

struct Scale {
  std::vector<double> means;
  std::vector<double> factors;  // 1 / deviation; 0 for a constant column
};

Scale ScaleOf(MatrixView x) {
  Scale scale{std::vector<double>(x.columns), std::vector<double>(x.columns)};
  const auto rows = static_cast<double>(x.rows);
  for (size_t j = 0; j < x.columns; ++j) {
    double sum = 0;
    for (size_t i = 0; i < x.rows; ++i) sum += x.data[i * x.columns + j];
    const double mean = sum / rows;
    double squares = 0;
    for (size_t i = 0; i < x.rows; ++i) {
      const double distance = x.data[i * x.columns + j] - mean;
      squares += distance * distance;
    }
    scale.means[j] = mean;
    scale.factors[j] = squares > 0 ? 1 / std::sqrt(squares / rows) : 0;
  }
  return scale;
}

void Softmax(std::span<double> logits) {
  const double greatest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& value : logits) sum += value = std::exp(value - greatest);
  for (double& value : logits) value /= sum;
}

class SoftmaxTrainer {
 public:
  // Weights hold the bias behind the features of each class.
  SoftmaxTrainer(MatrixView x, std::span<const uint32_t> classes, size_t class_count, double l2)
      : x_(x),
        classes_(classes),
        class_count_(class_count),
        l2_(l2),
        stride_(x.columns + 1),
        scale_(ScaleOf(x)),
        weights_(class_count * stride_),
        velocity_(weights_.size()),
        gradient_(weights_.size()),
        row_(stride_),
        probabilities_(class_count) {}

  void Epoch(std::vector<uint32_t>& order, double rate, Random& random) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
    for (size_t first = 0; first < order.size(); first += kBatchRows) {
      const size_t count = std::min(kBatchRows, order.size() - first);
      std::fill(gradient_.begin(), gradient_.end(), 0);
      for (size_t i = 0; i < count; ++i) AddGradient(order[first + i]);
      Step(rate, static_cast<double>(count));
    }
  }

  // In terms of the features as they are.
  Result<Affine> Finish() const {
    Affine affine;
    for (size_t k = 0; k < class_count_; ++k) {
      double bias = weights_[k * stride_ + x_.columns];
      for (size_t j = 0; j < x_.columns; ++j) {
        const double weight = weights_[k * stride_ + j] * scale_.factors[j];
        bias -= weight * scale_.means[j];
        affine.weights.push_back(static_cast<float>(weight));
      }
      affine.bias.push_back(static_cast<float>(bias));
      if (!std::isfinite(bias)) {
        return Fail(ErrorCode::kInvalidArgument,
                    "softmax regression does not converge, expected a smaller learning_rate");
      }
    }
    return affine;
  }

 private:
  void AddGradient(uint32_t index) {
    const std::span<const float> features = x_.Row(index);
    for (size_t j = 0; j < x_.columns; ++j) {
      row_[j] = (features[j] - scale_.means[j]) * scale_.factors[j];
    }
    row_[x_.columns] = 1;
    for (size_t k = 0; k < class_count_; ++k) {
      probabilities_[k] = std::inner_product(row_.begin(), row_.end(), &weights_[k * stride_], 0.0);
    }
    Softmax(probabilities_);
    probabilities_[classes_[index]] -= 1;
    for (size_t k = 0; k < class_count_; ++k) {
      double* gradient = &gradient_[k * stride_];
      for (size_t j = 0; j < stride_; ++j) gradient[j] += probabilities_[k] * row_[j];
    }
  }

  void Step(double rate, double count) {
    for (size_t i = 0; i < weights_.size(); ++i) {
      const bool bias = i % stride_ == x_.columns;
      const double slope = gradient_[i] / count + (bias ? 0 : l2_ * weights_[i]);
      velocity_[i] = kMomentum * velocity_[i] - rate * slope;
      weights_[i] += velocity_[i];
    }
  }

  MatrixView x_;
  std::span<const uint32_t> classes_;
  size_t class_count_;
  double l2_;
  size_t stride_;
  Scale scale_;
  std::vector<double> weights_, velocity_, gradient_;
  std::vector<double> row_, probabilities_;
};

}  // namespace

Result<Affine> FitSoftmax(MatrixView x, std::span<const uint32_t> classes, size_t class_count,
                          const SoftmaxOptions& options, const Progress& progress) {
  SoftmaxTrainer trainer(x, classes, class_count, options.l2);
  Random random(options.seed);
  std::vector<uint32_t> order(x.rows);
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    if (progress.Cancelled()) {
      return Fail(ErrorCode::kFailedPrecondition, "the work was cancelled");
    }
    const double done = static_cast<double>(epoch) / options.epochs;
    trainer.Epoch(order, options.learning_rate * (1 - done), random);
    if (progress.report) progress.report(static_cast<double>(epoch + 1) / options.epochs);
  }
  return trainer.Finish();
}

}  // namespace kiln::executor
