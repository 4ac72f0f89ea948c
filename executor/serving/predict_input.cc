#include <algorithm>

#include "executor/serving/tensors.h"

namespace kiln::executor {
namespace {

using rapidjson::Value;

constexpr size_t kRankMax = 254;

std::string ShapeText(const std::vector<uint64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

bool IsNamed(const Value& value) { return value.IsObject() && !IsBase64(value); }

Result<std::vector<uint64_t>> ShapeOf(const Value& value) {
  std::vector<uint64_t> shape;
  for (const Value* list = &value; list->IsArray(); list = &(*list)[0]) {
    if (shape.size() == kRankMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  "Encountered list at unexpected level: {} expected < {}", kRankMax, kRankMax);
    }
    shape.push_back(list->Size());
    if (list->Empty()) break;
  }
  return shape;
}

// Appends the numbers of a list that has to be of this shape.
Status Fill(const Value& value, size_t level, const std::vector<uint64_t>& shape,
            std::vector<float>& values) {
  const size_t rank = shape.size();
  if (!value.IsArray()) {
    if (level != rank) {
      return Fail(ErrorCode::kInvalidArgument,
                  "JSON Value: {} found at incorrect level: {} in the JSON DOM. Expected at "
                  "level: {}",
                  DebugText(value), level + 1, rank);
    }
    if (!value.IsNumber()) return TypeFailure(value, "float");
    values.push_back(value.GetFloat());
    return {};
  }
  if (level >= rank) {
    return Fail(ErrorCode::kInvalidArgument,
                "Encountered list at unexpected level: {} expected < {}", level, rank);
  }
  if (value.Size() != shape[level]) {
    return Fail(ErrorCode::kInvalidArgument,
                "Encountered list at unexpected size: {} at level: {} expected size: {}",
                value.Size(), level, shape[level]);
  }
  for (const Value& element : value.GetArray()) {
    KILN_TRY_OK(Fill(element, level + 1, shape, values));
  }
  return {};
}

Result<FloatTensor> TensorOf(const Value& value) {
  FloatTensor tensor;
  KILN_TRY(tensor.shape, ShapeOf(value));
  KILN_TRY_OK(Fill(value, 0, tensor.shape, tensor.values));
  return tensor;
}

// Appends one element of the batch.
Status AddInstance(const Value& value, size_t index, FloatTensor& batch) {
  KILN_TRY(std::vector<uint64_t> shape, ShapeOf(value));
  const size_t before = batch.values.size();
  KILN_TRY_OK(Fill(value, 0, shape, batch.values));
  if (index == 0) {
    batch.shape = std::move(shape);
    return {};
  }
  const size_t size = batch.values.size() - before;
  const size_t size_first = before / index;
  if (size != size_first) {
    return Fail(ErrorCode::kInvalidArgument, "Expecting tensor size: {} but got: {}", size_first,
                size);
  }
  if (shape != batch.shape) {
    return Fail(ErrorCode::kInvalidArgument, "Expecting shape {} but got: {}",
                ShapeText(batch.shape), ShapeText(shape));
  }
  return {};
}

// The error of one element as it is told within the error of the list.
Failure ElementFailure(size_t index, const std::string& key, const Error& error) {
  return Fail(ErrorCode::kInvalidArgument,
              "Failed to process element: {}{} of 'instances' list. Error: {}: {}", index, key,
              ErrorCodeName(error.code), error.message);
}

Status AddNamedInstance(const Value& object, size_t index, FloatTensor& batch) {
  bool seen = false;
  for (const auto& member : object.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    Status added = name == kInput ? AddInstance(member.value, index, batch)
                                  : Fail(ErrorCode::kInvalidArgument,
                                         "JSON object: does not have named input: {}", name);
    if (!added) return ElementFailure(index, " key: " + name, added.error());
    if (seen) {
      return ElementFailure(index, " key: " + name,
                            {ErrorCode::kInvalidArgument, "the key stands twice", {}});
    }
    seen = true;
  }
  if (seen) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "Failed to process element: {} of 'instances' list. JSON object: {} keys must be "
              "equal to: {}",
              index, DebugText(object), kInput);
}

Result<FloatTensor> ReadInstances(const Value& list) {
  const bool named = IsNamed(list[0]);
  FloatTensor batch;
  size_t index = 0;
  for (const Value& element : list.GetArray()) {
    if (IsNamed(element) != named) {
      return Fail(ErrorCode::kInvalidArgument, "Expecting {} but got {} at item {} of input list",
                  named ? "object" : "value/list", named ? "list" : "object", index);
    }
    if (named) {
      KILN_TRY_OK(AddNamedInstance(element, index, batch));
    } else if (auto added = AddInstance(element, index, batch); !added) {
      return ElementFailure(index, "", added.error());
    }
    ++index;
  }
  batch.shape.insert(batch.shape.begin(), list.Size());
  return batch;
}

Result<FloatTensor> ReadInputs(const Value& inputs) {
  if (!IsNamed(inputs)) return TensorOf(inputs);
  const auto found = inputs.FindMember(kInput);
  if (found == inputs.MemberEnd()) {
    return Fail(ErrorCode::kInvalidArgument, "Missing named input: {} in 'inputs' object.", kInput);
  }
  return TensorOf(found->value);
}

}  // namespace

Result<PredictInput> ReadPredictInput(const rapidjson::Document& body) {
  const auto instances = body.FindMember("instances");
  const auto inputs = body.FindMember("inputs");
  if (instances != body.MemberEnd() && inputs != body.MemberEnd()) {
    return Fail(ErrorCode::kInvalidArgument,
                "JSON Value: {} Not formatted correctly expecting only one of 'inputs' or "
                "'instances' keys to exist ",
                DebugText(body));
  }
  if (inputs != body.MemberEnd()) {
    KILN_TRY(FloatTensor features, ReadInputs(inputs->value));
    return PredictInput{PredictFormat::kColumnar, std::move(features)};
  }
  if (instances == body.MemberEnd()) {
    return Fail(ErrorCode::kInvalidArgument, "Missing 'inputs' or 'instances' key");
  }
  if (!instances->value.IsArray()) {
    return Fail(ErrorCode::kInvalidArgument,
                "JSON Value: {} Expecting 'instances' to be an list/array", DebugText(body));
  }
  if (instances->value.Empty()) {
    return Fail(ErrorCode::kInvalidArgument, "JSON Value: {} No values in 'instances' array",
                DebugText(body));
  }
  KILN_TRY(FloatTensor features, ReadInstances(instances->value));
  return PredictInput{PredictFormat::kRow, std::move(features)};
}

}  // namespace kiln::executor
