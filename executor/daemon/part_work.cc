// Batch scoring and search: a member reads its partition and writes one part of the result.
#include "executor/daemon/artifacts.h"
#include "executor/daemon/kernel_work.h"
#include "executor/daemon/runners.h"
#include "executor/formats/table.h"
#include "executor/formats/writers.h"
#include "executor/kernels/predict.h"
#include "executor/search/search.h"

namespace kiln::executor {
namespace {

constexpr size_t kRowsAtOnce = 1 << 16;
constexpr size_t kToldBytesMax = 4096;  // of a result without output: the scheduler remembers it

Status CheckCancelled(const KernelContext& context) {
  if (!context.cancel->flag()) return {};
  return Fail(ErrorCode::kFailedPrecondition, "work was cancelled");
}

Result<TableReader> OpenPart(const KernelContext& context, const LocalFile& file,
                             const v1::Table& data, std::vector<std::string> columns) {
  TableSpec spec;
  spec.columns = std::move(columns);
  spec.target = data.target();
  spec.key = data.key();
  return file.Named(TableReader::Open(file.path(), spec,
                                      {context.work.index(), std::max(context.work.count(), 1)}));
}

MatrixView RowsOf(const Table& table) {
  return {table.values.data(), table.Rows(), table.columns.size()};
}

void TellRows(const KernelContext& context, int64_t rows) {
  v1::Report report;
  report.set_rows(rows);
  context.tell(report);
}

v1::Report ReportOf(int64_t rows) {
  v1::Report report;
  report.set_fraction(1);
  report.set_rows(rows);
  report.set_message(fmt::format("{} rows", rows));
  return report;
}

// Writes through `fill` and puts the file into the folder that `output` names.
Result<v1::Report> WritePart(const KernelContext& context, Artifacts& artifacts,
                             const std::string& output, const std::vector<std::string>& columns,
                             const std::function<Result<int64_t>(CsvWriter&)>& fill) {
  std::string name = fmt::format("part-{:05}.csv", context.work.index());
  std::string uri = output + (output.ends_with('/') ? "" : "/") + name;
  KILN_TRY(std::string path, Artifacts::PathFor(uri, context.scratch));
  KILN_TRY(CsvWriter writer, CsvWriter::Create(path, columns));
  KILN_TRY(int64_t rows, fill(writer));
  KILN_TRY_OK(writer.Publish());
  KILN_TRY_OK(artifacts.Put(path, uri));
  return ReportOf(rows);
}

std::vector<std::string> ScoreColumns(const Model& model, const v1::Table& data) {
  std::vector<std::string> columns = {"row"};
  if (!data.key().empty()) columns.push_back(data.key());
  columns.push_back("prediction");
  for (const auto& label : model.classes) columns.push_back("probability_" + label);
  return columns;
}

Status WriteScores(const Model& model, const Table& table, CsvWriter& writer) {
  std::vector<float> out = Predict(model, RowsOf(table));
  size_t width = model.Width();
  std::vector<uint32_t> best;
  if (model.Classifies()) best = BestClasses(out, width);
  for (size_t row = 0; row < table.Rows(); ++row) {
    std::vector<std::string> cells = {std::to_string(table.row_numbers[row])};
    if (!table.keys.empty()) cells.push_back(table.keys[row]);
    if (model.Classifies()) {
      cells.push_back(model.classes[best[row]]);
      for (size_t i = 0; i < width; ++i) cells.push_back(FloatText(out[row * width + i]));
    } else {
      cells.push_back(FloatText(out[row]));
    }
    KILN_TRY_OK(writer.Append(cells));
  }
  return {};
}

Result<v1::Report> DoScore(const KernelContext& context) {
  const v1::Score& score = context.work.score();
  Artifacts artifacts(context);
  KILN_TRY(auto model_file, artifacts.Bring(score.model().uri(), context.scratch));
  KILN_TRY(Model model, model_file->Named(LoadModel(model_file->path())));
  KILN_TRY(auto file, artifacts.Bring(score.data().uri(), context.scratch));
  std::vector<std::string> columns(score.data().columns().begin(), score.data().columns().end());
  if (columns.empty()) columns = model.features;
  KILN_TRY(TableReader reader, OpenPart(context, *file, score.data(), columns));
  if (auto same = CheckColumns(model, reader.columns()); !same) {
    return Failure(Within(score.data().uri(), std::move(same).error()));
  }
  auto fill = [&](CsvWriter& writer) -> Result<int64_t> {
    int64_t rows = 0;
    while (true) {
      KILN_TRY_OK(CheckCancelled(context));
      KILN_TRY(Table table, file->Named(reader.Read(kRowsAtOnce)));
      if (table.Rows() == 0) return rows;
      KILN_TRY_OK(WriteScores(model, table, writer));
      TellRows(context, rows += static_cast<int64_t>(table.Rows()));
    }
  };
  return WritePart(context, artifacts, score.output(), ScoreColumns(model, score.data()), fill);
}

Result<SearchOptions> OptionsOf(const v1::Search& search) {
  SearchOptions options;
  switch (search.metric()) {
    case v1::Search::DOT:
      options.metric = Metric::kDot;
      break;
    case v1::Search::COSINE:
      options.metric = Metric::kCosine;
      break;
    case v1::Search::EUCLIDEAN:
      options.metric = Metric::kEuclidean;
      break;
    default:
      return FailField("metric", "metric: found {}, expected dot, cosine or euclidean",
                       static_cast<int>(search.metric()));
  }
  switch (search.aggregate()) {
    case v1::Search::NONE:
      options.aggregate = Aggregate::kNone;
      break;
    case v1::Search::MAX:
      options.aggregate = Aggregate::kMax;
      break;
    case v1::Search::MEAN:
      options.aggregate = Aggregate::kMean;
      break;
    case v1::Search::SUM:
      options.aggregate = Aggregate::kSum;
      break;
    case v1::Search::COUNT:
      options.aggregate = Aggregate::kCount;
      break;
    default:
      return FailField("aggregate", "aggregate: found {}, expected none, max, mean, sum or count",
                       static_cast<int>(search.aggregate()));
  }
  options.top = static_cast<size_t>(std::max(search.top(), 0));
  options.rows_per_key = static_cast<size_t>(std::max(search.rows_per_key(), 0));
  return options;
}

const std::vector<std::string> kAnswerColumns = {"row", "key", "score", "rows"};

std::vector<std::string> CellsOf(const Answer& answer) {
  return {std::to_string(answer.row), answer.key, fmt::format("{}", answer.score),
          std::to_string(answer.rows)};
}

// A result that goes with the news of the task's end.
Result<v1::Report> Told(const std::vector<Answer>& answers, int64_t rows) {
  v1::Report report = ReportOf(rows);
  std::string& text = *report.mutable_result();
  AppendCsv(text, kAnswerColumns);
  for (const Answer& answer : answers) AppendCsv(text, CellsOf(answer));
  if (text.size() <= kToldBytesMax) return report;
  return FailField("output",
                   "the result has {} bytes: expected at most {}, or an output to write it to",
                   text.size(), kToldBytesMax);
}

Result<v1::Report> DoSearch(const KernelContext& context) {
  const v1::Search& search = context.work.search();
  KILN_TRY(SearchOptions options, OptionsOf(search));
  Artifacts artifacts(context);
  KILN_TRY(auto file, artifacts.Bring(search.data().uri(), context.scratch));
  const auto& wanted = search.data().columns();
  KILN_TRY(TableReader reader,
           OpenPart(context, *file, search.data(), {wanted.begin(), wanted.end()}));
  if (reader.columns().size() != static_cast<size_t>(search.query_size())) {
    return FailField("query",
                     "query: found {} numbers, expected {}, as many as the data has columns",
                     search.query_size(), reader.columns().size());
  }
  KILN_TRY(Searcher searcher,
           Searcher::Create({search.query().begin(), search.query().end()}, options));
  int64_t rows = 0;
  while (true) {
    KILN_TRY_OK(CheckCancelled(context));
    KILN_TRY(Table table, file->Named(reader.Read(kRowsAtOnce)));
    if (table.Rows() == 0) break;
    searcher.Add(RowsOf(table), table.row_numbers, table.keys);
    TellRows(context, rows += static_cast<int64_t>(table.Rows()));
  }
  const std::vector<Answer> answers = Rank(searcher.Finish(), options);
  if (search.output().empty()) return Told(answers, rows);
  auto fill = [&](CsvWriter& writer) -> Result<int64_t> {
    for (const Answer& answer : answers) KILN_TRY_OK(writer.Append(CellsOf(answer)));
    return rows;
  };
  return WritePart(context, artifacts, search.output(), kAnswerColumns, fill);
}

}  // namespace

std::unique_ptr<RunningWork> RunScore(WorkContext context) {
  return StartKernel(std::move(context), DoScore);
}
std::unique_ptr<RunningWork> RunSearch(WorkContext context) {
  return StartKernel(std::move(context), DoSearch);
}

}  // namespace kiln::executor
