#include "executor/kernels/predict.h"
#include "executor/serving/tensors.h"

namespace kiln::executor {
namespace {

using Floats = std::vector<float>;

// The outputs of a model for a batch of rows.
struct Outputs {
  const ServedVersion& served;
  const Floats& out;
  std::vector<uint32_t> best;  // of each row, for classes

  size_t Width() const { return served.model.Width(); }
  size_t Rows() const { return out.size() / Width(); }
};

void WriteClass(JsonWriter& writer, const ServedVersion& served, uint32_t index) {
  if (served.class_numbers.empty()) {
    WriteText(writer, served.model.classes[index]);
  } else {
    writer.Int64(served.class_numbers[index]);
  }
}

void WriteProbabilities(JsonWriter& writer, const Outputs& outputs, size_t row) {
  writer.StartArray();
  for (size_t i = 0; i < outputs.Width(); ++i) {
    WriteFloat(writer, outputs.out[row * outputs.Width() + i]);
  }
  writer.EndArray();
}

void WriteRows(JsonWriter& writer, const Outputs& outputs) {
  writer.Key("predictions");
  writer.StartArray();
  for (size_t row = 0; row < outputs.Rows(); ++row) {
    if (outputs.served.model.Classifies()) {
      writer.StartObject();
      writer.SetFormatOptions(rapidjson::kFormatSingleLineArray);
      writer.Key(kClassOutput);
      WriteClass(writer, outputs.served, outputs.best[row]);
      writer.Key(kProbabilitiesOutput);
      WriteProbabilities(writer, outputs, row);
      writer.SetFormatOptions(rapidjson::kFormatDefault);
      writer.EndObject();
    } else {
      writer.SetFormatOptions(rapidjson::kFormatSingleLineArray);
      WriteFloat(writer, outputs.out[row]);
      writer.SetFormatOptions(rapidjson::kFormatDefault);
    }
  }
  writer.EndArray();
}

void WriteColumns(JsonWriter& writer, const Outputs& outputs) {
  writer.Key("outputs");
  if (!outputs.served.model.Classifies()) {
    writer.StartArray();
    for (const float value : outputs.out) WriteFloat(writer, value);
    writer.EndArray();
    return;
  }
  writer.StartObject();
  writer.Key(kClassOutput);
  writer.StartArray();
  for (const uint32_t index : outputs.best) WriteClass(writer, outputs.served, index);
  writer.EndArray();
  writer.Key(kProbabilitiesOutput);
  writer.StartArray();
  for (size_t row = 0; row < outputs.Rows(); ++row) WriteProbabilities(writer, outputs, row);
  writer.EndArray();
  writer.EndObject();
}

}  // namespace

std::string PredictAnswer(const ServedVersion& served, PredictFormat format, const Floats& out) {
  Outputs outputs{served, out, {}};
  if (served.model.Classifies()) outputs.best = BestClasses(out, outputs.Width());
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  switch (format) {
    case PredictFormat::kRow:
      WriteRows(writer, outputs);
      break;
    case PredictFormat::kColumnar:
      WriteColumns(writer, outputs);
      break;
  }
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string ClassifyAnswer(const ServedVersion& served, const Floats& out) {
  const size_t width = served.model.Width();
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  writer.Key("results");
  writer.StartArray();
  for (size_t row = 0; row < out.size() / width; ++row) {
    writer.SetFormatOptions(rapidjson::kFormatSingleLineArray);
    writer.StartArray();
    for (size_t i = 0; i < width; ++i) {
      writer.StartArray();
      WriteText(writer, served.model.classes[i]);
      WriteFloat(writer, out[row * width + i]);
      writer.EndArray();
    }
    writer.EndArray();
    writer.SetFormatOptions(rapidjson::kFormatDefault);
  }
  writer.EndArray();
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string RegressAnswer(const Floats& out) {
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  writer.Key("results");
  writer.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  writer.StartArray();
  for (const float value : out) WriteFloat(writer, value);
  writer.EndArray();
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace kiln::executor
