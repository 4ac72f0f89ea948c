#include "executor/serving/rest_api.h"

#include "base/utf8.h"
#include "executor/kernels/predict.h"
#include "executor/serving/metadata.h"
#include "executor/serving/routes.h"
#include "executor/serving/tensors.h"

namespace kiln::executor {
namespace {

using Served = std::shared_ptr<const ServedVersion>;

int StatusOfCode(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFailedPrecondition:
      return 400;
    case ErrorCode::kPermissionDenied:
      return 403;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kResourceExhausted:
      return 429;
    case ErrorCode::kDataLoss:
    case ErrorCode::kInternal:
      return 500;
    case ErrorCode::kUnimplemented:
      return 501;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
  }
  return 500;
}

net::Response Json(int status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

Result<Served> FindWithSignature(const Catalog& catalog, const VersionRequest& request,
                                 const std::string& signature) {
  KILN_TRY(Served served, catalog.Find(request));
  if (!signature.empty() && signature != kSignature) {
    return Fail(ErrorCode::kInvalidArgument,
                "Serving signature name: \"{}\" not found in signature def", signature);
  }
  return served;
}

// A single feature may come without a dimension of its own.
Status CheckShape(const std::vector<uint64_t>& shape, size_t features) {
  const bool rows = shape.size() == 2 && shape[1] == features;
  const bool numbers = shape.size() == 1 && features == 1;
  if (rows || numbers) return {};
  return Fail(ErrorCode::kInvalidArgument, "input {} has the shape [{}], expected [-1,{}]", kInput,
              fmt::join(shape, ","), features);
}

Result<std::string> AnswerPredict(const rapidjson::Document& body, const std::string& signature,
                                  const VersionRequest& request, const Catalog& catalog) {
  KILN_TRY(const Served served, FindWithSignature(catalog, request, signature));
  KILN_TRY(const PredictInput input, ReadPredictInput(body));
  const size_t features = served->model.features.size();
  KILN_TRY_OK(CheckShape(input.features.shape, features));
  const std::vector<float> out =
      Predict(served->model, {input.features.values.data(), input.features.shape[0], features});
  return PredictAnswer(*served, input.format, out);
}

// Here the rows are read before the model is looked for, as TensorFlow Serving does; but their
// names only mean something to a model, so all that is wrong with them comes after a model that is
// not there.
Result<std::string> AnswerExamples(const rapidjson::Document& body, const std::string& signature,
                                   const ModelRoute& route, const Catalog& catalog) {
  KILN_TRY(const Served served, FindWithSignature(catalog, route.request, signature));
  const bool classify = route.action == ModelAction::kClassify;
  if (served->model.Classifies() != classify) {
    return Fail(ErrorCode::kInvalidArgument,
                "Expected {} signature method_name to be tensorflow/serving/{}. Was: {}",
                classify ? "classification" : "regression", ActionName(route.action),
                kPredictMethod);
  }
  const size_t features = served->model.features.size();
  KILN_TRY(const std::vector<float> rows, ReadExamples(body, served->model.features));
  const std::vector<float> out =
      Predict(served->model, {rows.data(), rows.size() / features, features});
  return classify ? ClassifyAnswer(*served, out) : RegressAnswer(out);
}

Result<std::string> AnswerModel(const ModelRoute& route, std::string_view body,
                                const Catalog& catalog) {
  switch (route.action) {
    case ModelAction::kStatus: {
      KILN_TRY(const auto statuses, catalog.StatusOf(route.request.model, route.request.version));
      return StatusAnswer(statuses);
    }
    case ModelAction::kMetadata: {
      KILN_TRY(const Served served, catalog.Find(route.request));
      return MetadataAnswer(*served);
    }
    case ModelAction::kPredict:
    case ModelAction::kClassify:
    case ModelAction::kRegress:
      break;
  }
  KILN_TRY(const rapidjson::Document document, ParseBody(body));
  KILN_TRY(const std::string signature, SignatureName(document));
  if (route.action == ModelAction::kPredict) {
    return AnswerPredict(document, signature, route.request, catalog);
  }
  return AnswerExamples(document, signature, route, catalog);
}

Result<std::string> UnpackedBody(const net::Request& request, size_t body_limit) {
  const auto encoding = request.headers.Get("Content-Encoding");
  if (!encoding || net::SameName(*encoding, "identity")) return request.body;
  if (!net::SameName(*encoding, "gzip")) {
    return Fail(ErrorCode::kInvalidArgument, "content encoding {} is not known, expected gzip",
                *encoding);
  }
  return net::GzipUncompress(request.body, body_limit);
}

RestAnswer AnswerRoute(const ModelRoute& route, const net::Request& request, const Catalog& catalog,
                       size_t body_limit) {
  RestAnswer answer;
  answer.api = ActionName(route.action);
  if (catalog.StatusOf(route.request.model, {})) answer.model = route.request.model;
  const bool packed = request.headers.Has("Content-Encoding");
  const Result<std::string> unpacked =
      packed ? UnpackedBody(request, body_limit) : Result<std::string>();
  Result<std::string> body =
      unpacked ? AnswerModel(route, packed ? *unpacked : request.body, catalog) : unpacked;
  if (body) {
    answer.response = Json(200, *std::move(body));
  } else {
    const bool large = !unpacked && unpacked.error().code == ErrorCode::kResourceExhausted;
    answer.response =
        RestError(large ? 413 : StatusOfCode(body.error().code), body.error().message);
    answer.code = ErrorCodeName(body.error().code);
  }
  return answer;
}

bool IsUnderV1(std::string_view path) {
  return path.starts_with("/v1/") || path.starts_with("/V1/");
}

}  // namespace

net::Response RestError(int status, const std::string& message) {
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  writer.Key("error");
  WriteText(writer, ToUtf8(message));
  writer.EndObject();
  return Json(status, {buffer.GetString(), buffer.GetSize()});
}

RestAnswer HandleRest(const net::Request& request, const Catalog& catalog,
                      const ServingMetrics& metrics, size_t body_limit) {
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  if (method == "GET" && path == "/v1/health") {
    bool healthy = true;
    for (const auto& [name, available] : catalog.Models()) healthy = healthy && available;
    return {Json(healthy ? 200 : 503, healthy ? R"({"status":"ok"})" : R"({"status":"loading"})"),
            {},
            {}};
  }
  if (method == "GET" && path == "/monitoring/prometheus/metrics") {
    return {{200, {{"Content-Type", "text/plain"}}, metrics.Text()}, {}, {}};
  }
  if (!IsUnderV1(path)) {
    return {RestError(404, fmt::format("Not found: {} {}", request.method, path)), {}, {}};
  }
  const auto route = ParseModelRoute(method, path);
  if (!route) return {RestError(400, route.error().message), {}, {}};
  return AnswerRoute(*route, request, catalog, body_limit);
}

}  // namespace kiln::executor
