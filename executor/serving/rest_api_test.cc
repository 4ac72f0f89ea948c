// The REST as a table of requests and answers. Answers are compared as they are sent where
// TensorFlow Serving's bytes are known, without white space elsewhere.
#include "executor/serving/rest_api.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/utf8.h"

namespace kiln::executor {
namespace {

constexpr size_t kBodyLimit = 1 << 20;

std::string Compact(const std::string& json) {
  std::string compact;
  for (const char c : json) {
    if (c != ' ' && c != '\n') compact += c;
  }
  return compact;
}

// x / 2 + y
Model Half() { return {{"x", "y"}, "t", {}, Affine{{0.5f, 1}, {2}}}; }

// The first class for a < 0.5, else the second.
Model Stump(std::vector<std::string> classes) {
  return {{"a"},
          "t",
          std::move(classes),
          Forest{{{0.5f, 0, 1, 0}, {.left = 1, .leaf = 0}, {.left = 2, .leaf = 1}},
                 {0},
                 {1, 0, 0.25f, 0.75f}}};
}

class RestApiTest : public testing::Test {
 protected:
  RestApiTest() {
    Publish("half", 1, Half());
    Publish("half", 123, Half());
    Publish("digits", 2, Stump({"3", "7"}));
    Publish("words", 1, Stump({"no", "yes"}));
    EXPECT_TRUE(catalog_.SetLabel("half", "stable", 1).has_value());
  }

  void Publish(const std::string& name, int64_t version, Model model) {
    ASSERT_TRUE(CheckModel(model).has_value());
    catalog_.Publish(std::make_shared<ServedVersion>(name, version, std::move(model)));
  }

  RestAnswer Ask(const std::string& method, const std::string& target, const std::string& body,
                 net::Headers headers = {}) {
    return HandleRest({.method = method, .target = target, .headers = headers, .body = body},
                      catalog_, metrics_, kBodyLimit);
  }
  // "200 {...}" without white space.
  std::string Get(const std::string& target) { return Text(Ask("GET", target, "")); }
  std::string Post(const std::string& target, const std::string& body) {
    return Text(Ask("POST", target, body));
  }
  static std::string Text(const RestAnswer& answer) {
    return std::to_string(answer.response.status) + " " + Compact(answer.response.body);
  }
  // The status and the message of an error, as it is.
  std::string Error(const std::string& target, const std::string& body) {
    const RestAnswer answer = Ask("POST", target, body);
    const std::string before = "{\n    \"error\": \"";
    const std::string& text = answer.response.body;
    EXPECT_EQ(text.substr(0, before.size()), before);
    return std::to_string(answer.response.status) + " " +
           text.substr(before.size(), text.size() - before.size() - 3);
  }

  Catalog catalog_;
  ServingMetrics metrics_;
};

TEST_F(RestApiTest, RowsGivePredictionsInTheBytesOfTensorFlowServing) {
  const RestAnswer numbers =
      Ask("POST", "/v1/models/half:predict",
          R"({"instances": [[1, 1], [2.0, 0], [1e30, NaN], [Infinity, 0]]})");
  EXPECT_EQ(numbers.response.status, 200);
  EXPECT_EQ(numbers.response.headers, (net::Headers{{"Content-Type", "application/json"}}));
  EXPECT_EQ(numbers.response.body, "{\n    \"predictions\": [3.5, 3.0, NaN, Infinity\n    ]\n}");
  EXPECT_EQ(Ask("POST", "/v1/models/digits:predict", R"({"instances": [[0], [1]]})").response.body,
            "{\n    \"predictions\": [\n        {\n            \"class\": 3,\n"
            "            \"probabilities\": [1.0, 0.0]\n        },\n        {\n"
            "            \"class\": 7,\n            \"probabilities\": [0.25, 0.75]\n"
            "        }\n    ]\n}");
}

TEST_F(RestApiTest, ColumnsGiveOutputs) {
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"inputs": [[1, 1], [2, 0]]})"),
            R"(200 {"outputs":[3.5,3.0]})");
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"inputs": {"features": [[1, 1]], "more": 1}})"),
            R"(200 {"outputs":[3.5]})");
  EXPECT_EQ(Post("/v1/models/words:predict", R"({"inputs": [[0], [1]]})"),
            R"(200 {"outputs":{"class":["no","yes"],"probabilities":[[1.0,0.0],[0.25,0.75]]}})");
}

TEST_F(RestApiTest, VersionsLabelsAndCaseOfThePathAreUnderstood) {
  const std::string body = R"({"signature_name": "serving_default", "instances": [[1, 1]]})";
  for (const char* target : {
           "/v1/models/half:predict",
           "/v1/models/half/versions/1:predict",
           "/v1/models/half/versions/123:predict",
           "/v1/models/half/labels/stable:predict",
           "/V1/MODELS/half/Labels/st%61ble:predict",
           "/v1/models/h%61lf:predict?trace=1",
       }) {
    EXPECT_EQ(Post(target, body), R"(200 {"predictions":[3.5]})") << target;
  }
}

TEST_F(RestApiTest, NamedInstancesAndASingleFeatureWithoutADimension) {
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"instances": [{"features": [1, 1]}]})"),
            R"(200 {"predictions":[3.5]})");
  EXPECT_EQ(Post("/v1/models/words:predict", R"({"inputs": [0]})"),
            R"(200 {"outputs":{"class":["no"],"probabilities":[[1.0,0.0]]}})");
}

TEST_F(RestApiTest, BytesBehindTheObjectAndDeepNestingInOtherKeysAreIgnored) {
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"instances": [[1, 1]]} trailing)"),
            R"(200 {"predictions":[3.5]})");
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"ignored": )" + deep + R"(, "inputs": [[1, 1]]})"),
            R"(200 {"outputs":[3.5]})");
  EXPECT_EQ(Error("/v1/models/half:predict", R"({"inputs": )" + deep + "}"),
            "400 Encountered list at unexpected level: 254 expected < 254");
}

TEST_F(RestApiTest, NumbersBeyondAFloatAreInfinite) {
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"instances": [[1e60, 0], [0, -1e60]]})"),
            R"(200 {"predictions":[Infinity,-Infinity]})");
  EXPECT_EQ(Post("/v1/models/half:predict", R"({"instances": [[1435774380, -1]]})"),
            R"(200 {"predictions":[717887168.0]})");
}

TEST_F(RestApiTest, BadPredictRequestsHaveTheTextsOfTensorFlowServing) {
  const struct {
    std::string body;
    std::string error;
  } cases[] = {
      {"", "JSON Parse error: The document is empty"},
      {"{", "JSON Parse error: Missing a name for object member. at offset: 1"},
      {"no json", "JSON Parse error: Invalid value. at offset: 1"},
      {"[1, 2]", "JSON Value: [1, 2] Is not object"},
      {R"({"signature_name": 5, "inputs": [[1, 1]]})",
       "JSON Value: {\\n    \\\"signature_name\\\": 5,\\n    \\\"inputs\\\": [[1, 1]]\\n} not "
       "formatted correctly. 'signature_name' key must be a string value."},
      {R"({"signature_name": "other", "inputs": [[1, 1]]})",
       "Serving signature name: \\\"other\\\" not found in signature def"},
      {"{}", "Missing 'inputs' or 'instances' key"},
      {R"({"inputs": 1, "instances": 2})",
       "JSON Value: {\\n    \\\"inputs\\\": 1,\\n    \\\"instances\\\": 2\\n} Not formatted "
       "correctly expecting only one of 'inputs' or 'instances' keys to exist "},
      {R"({"instances": {}})",
       "JSON Value: {\\n    \\\"instances\\\": {}\\n} Expecting 'instances' to be an list/array"},
      {R"({"instances": []})",
       "JSON Value: {\\n    \\\"instances\\\": []\\n} No values in 'instances' array"},
      {R"({"instances": [[1, "x"]]})",
       "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: "
       "\\\"x\\\" Type: String is not of expected type: float"},
      {R"({"instances": [[1, 2], [3]]})",
       "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
       "tensor size: 2 but got: 1"},
      {R"({"instances": [[1, 2], [[3, 4]]]})",
       "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
       "shape [2] but got: [1,2]"},
      {R"({"instances": [[1, 2], {"features": [1, 2]}]})",
       "Expecting value/list but got object at item 1 of input list"},
      {R"({"instances": [{"features": [1, 2]}, [1, 2]]})",
       "Expecting object but got list at item 1 of input list"},
      {R"({"instances": [{"x": [1, 2]}]})",
       "Failed to process element: 0 key: x of 'instances' list. Error: INVALID_ARGUMENT: JSON "
       "object: does not have named input: x"},
      {R"({"instances": [{}]})",
       "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal to: "
       "features"},
      {R"({"inputs": {"x": 1}})", "Missing named input: features in 'inputs' object."},
      {R"({"inputs": [[1, 2], [3]]})",
       "Encountered list at unexpected size: 1 at level: 1 expected size: 2"},
      {R"({"inputs": [[1, 2], 3]})",
       "JSON Value: 3 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"},
      {R"({"inputs": [[1, [2]]]})", "Encountered list at unexpected level: 2 expected < 2"},
      {R"({"inputs": [[1, 2, 3]]})", "input features has the shape [1,3], expected [-1,2]"},
      {R"({"inputs": [1, 2]})", "input features has the shape [2], expected [-1,2]"},
      {R"({"inputs": 7})", "input features has the shape [], expected [-1,2]"},
      {R"({"inputs": {"b64": "AA=="}})",
       "JSON Value: {\\n    \\\"b64\\\": \\\"AA==\\\"\\n} Type: Object is not of expected type: "
       "float"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Error("/v1/models/half:predict", c.body), "400 " + c.error) << c.body;
  }
}

TEST_F(RestApiTest, TheEchoOfAValueIsShort) {
  std::string body = R"({"instances": 1, "more": [1)";
  for (int i = 0; i < 100'000; ++i) body += ",1";
  EXPECT_LT(Error("/v1/models/half:predict", body + "]}").size(), 500u);
}

TEST_F(RestApiTest, UnknownModelsVersionsLabelsAndPaths) {
  const std::string body = R"({"instances": [[1, 1]]})";
  const struct {
    std::string target;
    std::string error;
  } cases[] = {
      {"/v1/models/none:predict", "404 Servable not found for request: Latest(none)"},
      {"/v1/models/half/versions/9:predict",
       "404 Servable not found for request: Specific(half, 9)"},
      {"/v1/models/half/labels/canary:predict", "400 Unrecognized servable version label: canary"},
      {"/v1/models/half/versions/18446744073709551615:predict",
       "400 Failed to convert version: 18446744073709551615 to numeric."},
      {"/v1/models/half:PREDICT", "400 Malformed request: POST /v1/models/half:PREDICT"},
      {"/v1/models/half", "400 Malformed request: POST /v1/models/half"},
      {"/v1/models/half/versions/x:predict",
       "400 Malformed request: POST /v1/models/half/versions/x:predict"},
      {"/v1/foo", "400 Malformed request: POST /v1/foo"},
      {"/other", "404 Not found: POST /other"},
  };
  for (const auto& c : cases) EXPECT_EQ(Error(c.target, body), c.error);
  EXPECT_EQ(Get("/v1/models"), R"(400 {"error":"Missingmodelnameinrequest."})");
  EXPECT_EQ(Get("/v1/models/half:predict"),
            R"(400 {"error":"Malformedrequest:GET/v1/models/half:predict"})");
  EXPECT_EQ(Text(Ask("DELETE", "/v1/models/half", "")),
            R"(400 {"error":"Malformedrequest:DELETE/v1/models/half"})");
}

TEST_F(RestApiTest, StatusTellsOfAllVersionsOrOfOne) {
  const std::string available =
      R"("state":"AVAILABLE","status":{"error_code":"OK","error_message":""}})";
  EXPECT_EQ(Get("/v1/models/half"), R"(200 {"model_version_status":[{"version":"123",)" +
                                        available + R"(,{"version":"1",)" + available + "]}");
  EXPECT_EQ(Get("/v1/models/half/versions/1"),
            R"(200 {"model_version_status":[{"version":"1",)" + available + "]}");
  EXPECT_EQ(Get("/v1/models/none"), R"(404 {"error":"Couldnotfindanyversionsofmodelnone"})");
  EXPECT_EQ(Get("/v1/models/half/versions/7"),
            R"(404 {"error":"Couldnotfindversion7ofmodelhalf"})");
  catalog_.Announce("new", 1);
  EXPECT_EQ(Get("/v1/models/new"),
            R"(200 {"model_version_status":[{"version":"1","state":"LOADING",)"
            R"("status":{"error_code":"OK","error_message":""}}]})");
  catalog_.MarkFailed("new", 1, {ErrorCode::kNotFound, "gone", {}});
  EXPECT_EQ(Get("/v1/models/new"),
            R"(200 {"model_version_status":[{"version":"1","state":"END",)"
            R"("status":{"error_code":"NOT_FOUND","error_message":"gone"}}]})");
}

TEST_F(RestApiTest, MetadataTellsTheSignature) {
  EXPECT_EQ(Get("/v1/models/digits/metadata"),
            R"(200 {"model_spec":{"name":"digits","signature_name":"","version":"2"},"metadata":)"
            R"({"signature_def":{"signature_def":{"serving_default":{"inputs":{"features":)"
            R"({"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""},)"
            R"({"size":"1","name":""}],"unknown_rank":false},"name":"features:0"}},"outputs":)"
            R"({"class":{"dtype":"DT_INT64","tensor_shape":{"dim":[{"size":"-1","name":""}],)"
            R"("unknown_rank":false},"name":"class:0"},"probabilities":{"dtype":"DT_FLOAT",)"
            R"("tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"2","name":""}],)"
            R"("unknown_rank":false},"name":"probabilities:0"}},)"
            R"("method_name":"tensorflow/serving/predict","defaults":{}}}},)"
            R"("kiln":{"algorithm":"random_forest_classifier","target":"t","features":["a"],)"
            R"("classes":["3","7"]}}})");
  EXPECT_EQ(Get("/v1/models/half/versions/9/metadata"),
            "404 {\"error\":\"Servablenotfoundforrequest:Specific(half,9)\"}");
}

TEST_F(RestApiTest, ClassifyAndRegressTakeFeaturesByName) {
  EXPECT_EQ(Ask("POST", "/v1/models/words:classify", R"({"examples": [{"a": 0.2}, {"a": [1]}]})")
                .response.body,
            "{\n    \"results\": [[[\"no\", 1.0], [\"yes\", 0.0]], [[\"no\", 0.25], "
            "[\"yes\", 0.75]]\n    ]\n}");
  EXPECT_EQ(Ask("POST", "/v1/models/half:regress",
                R"({"context": {"y": 1}, "examples": [{"x": 1.0}, {"x": 2}]})")
                .response.body,
            "{\n    \"results\": [3.5, 4.0]\n}");
}

TEST_F(RestApiTest, BadExamplesHaveTheTextsOfTensorFlowServing) {
  const struct {
    std::string body;
    std::string error;
  } cases[] = {
      {R"({"examples": 1})",
       "JSON Value: {\\n    \\\"examples\\\": 1\\n} Expecting 'examples' value to be an "
       "list/array"},
      {R"({"examples": []})",
       "JSON Value: {\\n    \\\"examples\\\": []\\n} 'examples' value is an empty array"},
      {"{}",
       "JSON Value: {} When method is classify, key 'examples' is expected and was not found"},
      {R"({"examples": [1]})", "Example must be JSON object but got JSON Number"},
      {R"({"examples": [{"a": null}]})", "Feature: a has element with unexpected JSON type: Null"},
      {R"({"examples": [{"a": [[1]]}]})",
       "Feature: a has element with unexpected JSON type: Array"},
      {R"({"examples": [{"a": [1, 1.5]}]})",
       "Unexpected element type in feature: a expecting type: int64"},
      {R"({"examples": [{"a": 18446744073709551615}]})",
       "Feature: a has uint64_t element. Only int64_t is supported."},
      {R"({"examples": [{"b": 1}]})",
       "Feature: a (data type: float) is required but could not be found."},
      {R"({"examples": [{"a": "x"}]})",
       "Key: a.  Data types don't match. Data type: string but expected type: float"},
      {R"({"examples": [{"a": [1, 2]}]})",
       "Key: a.  Number of float values != expected.  Values size: 2 but output shape: []"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Error("/v1/models/words:classify", c.body), "400 " + c.error) << c.body;
  }
  EXPECT_EQ(Error("/v1/models/half:classify", R"({"examples": [{"x": 1, "y": 1}]})"),
            "400 Expected classification signature method_name to be "
            "tensorflow/serving/classify. Was: tensorflow/serving/predict");
}

TEST_F(RestApiTest, BodiesMayBePacked) {
  const std::string body = R"({"instances": [[1, 1]]})";
  const net::Headers gzip = {{"Content-Encoding", "gzip"}};
  EXPECT_EQ(Text(Ask("POST", "/v1/models/half:predict", net::GzipCompress(body), gzip)),
            R"(200 {"predictions":[3.5]})");
  EXPECT_EQ(Ask("POST", "/v1/models/half:predict",
                net::GzipCompress(std::string(kBodyLimit + 1, ' ')), gzip)
                .response.status,
            413);
  EXPECT_EQ(Text(Ask("POST", "/v1/models/half:predict", net::GzipCompress(body),
                     {{"Content-Encoding", "GZIP"}})),
            R"(200 {"predictions":[3.5]})");
  EXPECT_EQ(Text(Ask("POST", "/v1/models/half:predict", body, {{"Content-Encoding", "br"}})),
            R"(400 {"error":"contentencodingbrisnotknown,expectedgzip"})");
}

TEST_F(RestApiTest, HeadIsAnsweredAsGet) {
  for (const char* path : {"/v1/health", "/v1/models/half", "/monitoring/prometheus/metrics"}) {
    EXPECT_EQ(Text(Ask("HEAD", path, "")), Text(Ask("GET", path, ""))) << path;
  }
  EXPECT_EQ(Ask("HEAD", "/v1/models/half:predict", "").response.status, 400);
}

TEST_F(RestApiTest, ErrorsAreUtf8) {
  const std::string body = Ask("GET", "/v1/models/%ff", "").response.body;
  EXPECT_EQ(Utf8Length(body), body.size());
}

TEST_F(RestApiTest, HealthWaitsForEveryModel) {
  EXPECT_EQ(Get("/v1/health"), R"(200 {"status":"ok"})");
  catalog_.Announce("new", 1);
  EXPECT_EQ(Get("/v1/health"), R"(503 {"status":"loading"})");
}

TEST_F(RestApiTest, MetricsCountRequestsOfKnownModels) {
  const RestAnswer good = Ask("POST", "/v1/models/half:predict", R"({"inputs": [[1, 1]]})");
  EXPECT_EQ(std::tie(good.model, good.api, good.code), std::tuple("half", "predict", "OK"));
  const RestAnswer bad = Ask("POST", "/v1/models/half:predict", "{}");
  EXPECT_EQ(std::tie(bad.model, bad.api, bad.code),
            std::tuple("half", "predict", "INVALID_ARGUMENT"));
  EXPECT_EQ(Ask("POST", "/v1/models/none:predict", "{}").model, "");
  metrics_.Count("half", "predict", "OK", std::chrono::microseconds(7));
  metrics_.Count("a\"b", "predict", "NOT_FOUND", std::chrono::microseconds(5));
  metrics_.Count("half", "predict", "OK", std::chrono::microseconds(3));
  EXPECT_EQ(Ask("GET", "/monitoring/prometheus/metrics", "").response.body,
            "# TYPE :tensorflow:serving:request_count counter\n"
            ":tensorflow:serving:request_count{model_name=\"a\\\"b\",status=\"NOT_FOUND\"} 1\n"
            ":tensorflow:serving:request_count{model_name=\"half\",status=\"OK\"} 2\n"
            "# TYPE :tensorflow:serving:request_latency summary\n"
            ":tensorflow:serving:request_latency_sum{model_name=\"a\\\"b\",API=\"predict\","
            "entrypoint=\"REST\"} 5\n"
            ":tensorflow:serving:request_latency_count{model_name=\"a\\\"b\",API=\"predict\","
            "entrypoint=\"REST\"} 1\n"
            ":tensorflow:serving:request_latency_sum{model_name=\"half\",API=\"predict\","
            "entrypoint=\"REST\"} 10\n"
            ":tensorflow:serving:request_latency_count{model_name=\"half\",API=\"predict\","
            "entrypoint=\"REST\"} 2\n");
}

}  // namespace
}  // namespace kiln::executor
