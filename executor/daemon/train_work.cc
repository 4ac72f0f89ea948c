// Training: a model, or a member's share of one; and the joining of the shares.
#include "executor/daemon/artifacts.h"
#include "executor/daemon/kernel_work.h"
#include "executor/daemon/runners.h"
#include "executor/learning/train.h"

namespace kiln::executor {
namespace {

constexpr double kReadFraction = 0.05;  // of the whole work, as told
constexpr double kGrownFraction = 0.95;

Result<Algorithm> AlgorithmOf(v1::Algorithm algorithm) {
  switch (algorithm) {
    case v1::RANDOM_FOREST_CLASSIFIER:
      return Algorithm::kRandomForestClassifier;
    case v1::RANDOM_FOREST_REGRESSOR:
      return Algorithm::kRandomForestRegressor;
    case v1::LINEAR_REGRESSION:
      return Algorithm::kLinearRegression;
    case v1::SOFTMAX_REGRESSION:
      return Algorithm::kSoftmaxRegression;
    default:
      return FailField("algorithm", "algorithm: found {}, expected one that is known here",
                       static_cast<int>(algorithm));
  }
}

bool IsForest(v1::Algorithm algorithm) {
  return algorithm == v1::RANDOM_FOREST_CLASSIFIER || algorithm == v1::RANDOM_FOREST_REGRESSOR;
}

// Zeros are what the job did not say.
Result<TrainOptions> OptionsOf(const v1::Train& train, const v1::Work& work, int threads) {
  TrainOptions options;
  KILN_TRY(options.algorithm, AlgorithmOf(train.algorithm()));
  options.seed = train.seed();
  options.threads = threads;
  if (train.trees() > 0) options.trees = train.trees();
  int count = std::max(work.count(), 1);
  options.tree_begin = static_cast<int>(int64_t{work.index()} * options.trees / count);
  options.tree_end = static_cast<int>((int64_t{work.index()} + 1) * options.trees / count);
  options.depth_max = train.depth_max();
  if (train.leaf_rows_min() > 0) options.leaf_rows_min = train.leaf_rows_min();
  options.features_per_split = train.features_per_split();
  if (train.learning_rate() > 0) options.learning_rate = train.learning_rate();
  if (train.epochs() > 0) options.epochs = train.epochs();
  options.l2 = train.l2();
  return options;
}

std::map<std::string, std::string> ParametersOf(const v1::Train& train,
                                                const TrainOptions& options) {
  std::map<std::string, std::string> parameters = {
      {"seed", std::to_string(options.seed)},
      {"test_fraction", fmt::format("{}", train.test_fraction())}};
  if (IsForest(train.algorithm())) {
    parameters["trees"] = std::to_string(options.trees);
    parameters["depth_max"] = std::to_string(options.depth_max);
    parameters["leaf_rows_min"] = std::to_string(options.leaf_rows_min);
    parameters["features_per_split"] = std::to_string(options.features_per_split);
  } else {
    parameters["l2"] = fmt::format("{}", options.l2);
  }
  if (train.algorithm() == v1::SOFTMAX_REGRESSION) {
    parameters["learning_rate"] = fmt::format("{}", options.learning_rate);
    parameters["epochs"] = std::to_string(options.epochs);
  }
  return parameters;
}

// The data of a training as it lies before every member: the same rows in the same two halves.
struct Data {
  Table table;
  RowSplit rows;
  std::string digest;
};

Result<Data> ReadData(const v1::Train& train, const TrainOptions& options, Artifacts& artifacts,
                      const std::string& scratch) {
  KILN_TRY(auto file, artifacts.Bring(train.data().uri(), scratch));
  TableSpec spec;
  spec.columns.assign(train.data().columns().begin(), train.data().columns().end());
  spec.target = train.data().target();
  spec.key = train.data().key();
  spec.target_kind = TargetKindOf(options.algorithm);
  Data data;
  KILN_TRY(data.table, file->Named(ReadTable(file->path(), spec)));
  auto rows = SplitRows(data.table.Rows(), train.test_fraction(), options.seed);
  if (!rows) return Failure(Within(train.data().uri(), std::move(rows).error()));
  data.rows = *std::move(rows);
  KILN_TRY(data.digest, DigestOfFile(file->path()));
  return data;
}

std::string PartUri(const std::string& job, int index) {
  return fmt::format("artifact:parts/{}/{}", job, index);
}

// Puts the model where it stays, and into the registry; what it measured ends up in the report.
Result<v1::Report> Publish(const KernelContext& context, const v1::Train& train,
                           const TrainOptions& options, const Data& data, const Model& model,
                           Artifacts& artifacts) {
  KILN_TRY(auto metrics, Measure(model, data.table, data.rows.test));
  const v1::Work& work = context.work;
  std::string uri =
      fmt::format("artifact:models/{}/{}-{:016x}", train.model(), work.job(), work.job_digest());
  KILN_TRY(std::string path, Artifacts::PathFor(uri, context.scratch));
  KILN_TRY_OK(SaveModel(path, model));
  KILN_TRY_OK(artifacts.Put(path, uri));
  KILN_TRY(int64_t version, artifacts.Register({train.model(), uri, work.job(), metrics,
                                                data.digest, ParametersOf(train, options),
                                                AlgorithmName(model), model.features}));
  v1::Report report;
  report.set_fraction(1);
  report.set_rows(static_cast<int64_t>(data.table.Rows()));
  report.mutable_metrics()->insert(metrics.begin(), metrics.end());
  report.set_message(fmt::format("model {} version {}", train.model(), version));
  return report;
}

Result<v1::Report> PublishPart(const KernelContext& context, const Data& data, const Model& model,
                               const TrainOptions& options, Artifacts& artifacts) {
  std::string uri = PartUri(context.work.job(), context.work.index());
  KILN_TRY(std::string path, Artifacts::PathFor(uri, context.scratch));
  KILN_TRY_OK(SaveModel(path, model));
  KILN_TRY_OK(artifacts.Put(path, uri));
  v1::Report report;
  report.set_fraction(1);
  report.set_rows(static_cast<int64_t>(data.table.Rows()));
  report.set_message(fmt::format("trees {} to {}", options.tree_begin, options.tree_end - 1));
  return report;
}

Result<v1::Report> DoTrain(const KernelContext& context) {
  const v1::Train& train = context.work.train();
  KILN_TRY(TrainOptions options, OptionsOf(train, context.work, context.threads));
  bool shared = context.work.count() > 1;
  if (shared && !IsForest(train.algorithm())) {
    return FailField("count", "members of a training: found {}, expected 1 for this algorithm",
                     context.work.count());
  }
  Artifacts artifacts(context);
  KILN_TRY(Data data, ReadData(train, options, artifacts, context.scratch));
  auto rows = static_cast<int64_t>(data.table.Rows());
  auto model = Train(data.table, train.data().target(), data.rows.train, options,
                     context.ProgressOf(kReadFraction, kGrownFraction, rows));
  if (!model) return Failure(Within(train.data().uri(), std::move(model).error()));
  if (shared) return PublishPart(context, data, *model, options, artifacts);
  return Publish(context, train, options, data, *model, artifacts);
}

Result<v1::Report> DoMerge(const KernelContext& context) {
  const v1::Train& train = context.work.merge().train();
  KILN_TRY(TrainOptions options, OptionsOf(train, v1::Work(), context.threads));
  Artifacts artifacts(context);
  std::vector<Model> parts;
  for (int index = 0; index < context.work.merge().parts(); ++index) {
    KILN_TRY(auto file, artifacts.Bring(PartUri(context.work.job(), index), context.scratch));
    KILN_TRY(Model part, LoadModel(file->path()));
    parts.push_back(std::move(part));
  }
  KILN_TRY(Model model, Join(parts));
  context.ProgressOf(0, 1).report(0.5);
  KILN_TRY(Data data, ReadData(train, options, artifacts, context.scratch));
  return Publish(context, train, options, data, model, artifacts);
}

}  // namespace

std::unique_ptr<RunningWork> RunTrain(WorkContext context) {
  return StartKernel(std::move(context), DoTrain);
}
std::unique_ptr<RunningWork> RunMerge(WorkContext context) {
  return StartKernel(std::move(context), DoMerge);
}

}  // namespace kiln::executor
