#include "executor/serving/metadata.h"

#include "executor/serving/json.h"
#include "executor/serving/tensors.h"

namespace kiln::executor {
namespace {

const char* StateText(VersionState state) {
  switch (state) {
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kAvailable:
      return "AVAILABLE";
    case VersionState::kEnd:
      return "END";
  }
  return "UNKNOWN";
}

void WriteMember(JsonWriter& writer, const char* key, const std::string& text) {
  writer.Key(key);
  WriteText(writer, text);
}

void WriteTexts(JsonWriter& writer, const char* key, const std::vector<std::string>& texts) {
  writer.Key(key);
  writer.StartArray();
  for (const std::string& text : texts) WriteText(writer, text);
  writer.EndArray();
}

void WriteTensor(JsonWriter& writer, const std::string& name, const char* type,
                 const std::vector<int64_t>& shape) {
  writer.Key(name.c_str());
  writer.StartObject();
  WriteMember(writer, "dtype", type);
  writer.Key("tensor_shape");
  writer.StartObject();
  writer.Key("dim");
  writer.StartArray();
  for (const int64_t size : shape) {
    writer.StartObject();
    WriteMember(writer, "size", std::to_string(size));
    WriteMember(writer, "name", "");
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("unknown_rank");
  writer.Bool(false);
  writer.EndObject();
  WriteMember(writer, "name", name + ":0");
  writer.EndObject();
}

void WriteSignature(JsonWriter& writer, const ServedVersion& served) {
  const Model& model = served.model;
  writer.StartObject();
  writer.Key("inputs");
  writer.StartObject();
  WriteTensor(writer, kInput, "DT_FLOAT", {-1, static_cast<int64_t>(model.features.size())});
  writer.EndObject();
  writer.Key("outputs");
  writer.StartObject();
  if (model.Classifies()) {
    WriteTensor(writer, kClassOutput, served.class_numbers.empty() ? "DT_STRING" : "DT_INT64",
                {-1});
    WriteTensor(writer, kProbabilitiesOutput, "DT_FLOAT",
                {-1, static_cast<int64_t>(model.classes.size())});
  } else {
    WriteTensor(writer, kValueOutput, "DT_FLOAT", {-1});
  }
  writer.EndObject();
  WriteMember(writer, "method_name", kPredictMethod);
  writer.Key("defaults");
  writer.StartObject();
  writer.EndObject();
  writer.EndObject();
}

}  // namespace

std::string StatusAnswer(const std::vector<VersionStatus>& statuses) {
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  writer.Key("model_version_status");
  writer.StartArray();
  for (const VersionStatus& status : statuses) {
    writer.StartObject();
    WriteMember(writer, "version", std::to_string(status.version));
    WriteMember(writer, "state", StateText(status.state));
    writer.Key("status");
    writer.StartObject();
    WriteMember(writer, "error_code", status.error ? ErrorCodeName(status.error->code) : "OK");
    WriteMember(writer, "error_message", status.error ? status.error->message : "");
    writer.EndObject();
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string MetadataAnswer(const ServedVersion& served) {
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  writer.Key("model_spec");
  writer.StartObject();
  WriteMember(writer, "name", served.name);
  WriteMember(writer, "signature_name", "");
  WriteMember(writer, "version", std::to_string(served.version));
  writer.EndObject();
  writer.Key("metadata");
  writer.StartObject();
  writer.Key("signature_def");
  writer.StartObject();
  writer.Key("signature_def");
  writer.StartObject();
  writer.Key(kSignature);
  WriteSignature(writer, served);
  writer.EndObject();
  writer.EndObject();
  writer.Key("kiln");
  writer.StartObject();
  WriteMember(writer, "algorithm", AlgorithmName(served.model));
  WriteMember(writer, "target", served.model.target);
  WriteTexts(writer, "features", served.model.features);
  WriteTexts(writer, "classes", served.model.classes);
  writer.EndObject();
  writer.EndObject();
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace kiln::executor
