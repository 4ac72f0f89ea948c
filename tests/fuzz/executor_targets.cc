#include <filesystem>

#include "base/file.h"
#include "executor/formats/table.h"
#include "executor/kernels/model.h"
#include "executor/kernels/predict.h"
#include "executor/serving/json.h"
#include "executor/serving/tensors.h"
#include "tests/fuzz/targets.h"
#include "tests/support/process.h"

namespace kiln::fuzz {
namespace {

using executor::Table;
using executor::TableReader;
using executor::TableSpec;

// Writes the file anew.
void Put(const std::string& path, std::string_view bytes) {
  std::filesystem::remove(path);  // a file system may flush one that is cut to nothing
  std::FILE* file = std::fopen(path.c_str(), "wb");
  Require(file != nullptr, "a file can be written");
  Require(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size(), "a file has room");
  std::fclose(file);
}

Result<size_t> RowsInPieces(const std::string& path, const TableSpec& spec) {
  KILN_TRY(TableReader reader, TableReader::Open(path, spec));
  size_t rows = 0;
  while (true) {
    KILN_TRY(const Table table, reader.Read(3));
    if (table.Rows() == 0) return rows;
    rows += table.Rows();
  }
}

void FeedTable(const char* name, std::string_view bytes) {
  static const support::TempFolder scratch;
  const std::string path = scratch.File(name);
  Put(path, bytes);
  for (const auto holes : {executor::HoleKind::kRefused, executor::HoleKind::kNan}) {
    const TableSpec spec{.holes = holes};
    const auto whole = executor::ReadTable(path, spec);
    const auto pieces = RowsInPieces(path, spec);
    Require(whole.has_value() == pieces.has_value(), "pieces change no verdict");
    if (!whole) continue;
    Require(whole->Rows() == *pieces, "pieces change no number of rows");
    Require(whole->values.size() == whole->Rows() * whole->columns.size(), "a table has no hole");
  }
}

}  // namespace

void FeedPredict(std::string_view bytes) {
  const auto body = executor::ParseBody(bytes);
  if (!body) return;
  (void)executor::SignatureName(*body);
  (void)executor::ReadExamples(*body, {"a", "b"});
  const auto input = executor::ReadPredictInput(*body);
  if (!input) return;
  uint64_t size = 1;
  for (const uint64_t length : input->features.shape) size *= length;
  Require(size == input->features.values.size(), "a tensor is as large as its shape");
}

void FeedModel(std::string_view bytes) {
  const auto model = executor::DecodeModel("fuzz", bytes);
  if (!model) return;
  const std::vector<float> row(model->features.size(), 0.5f);
  std::vector<float> out(model->Width());
  executor::Predict(*model, {row.data(), 1, row.size()}, out);
  const std::string written = executor::EncodeModel(*model);
  const auto again = executor::DecodeModel("fuzz", written);
  Require(again.has_value(), "a model that is written can be read");
  Require(executor::EncodeModel(*again) == written, "a model read and written again is the same");
}

void FeedNpy(std::string_view bytes) { FeedTable("t.npy", bytes); }
void FeedCsv(std::string_view bytes) { FeedTable("t.csv", bytes); }

}  // namespace kiln::fuzz
