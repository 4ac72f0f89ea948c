// TensorFlow Serving's REST for the models of a catalog, as a function of the request.
//
//   POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict|classify|regress
//   GET  /v1/models/NAME[/versions/N|/labels/LABEL][/metadata]
//   GET  /v1/health                    200 when every model has a version that is available
//   GET  /monitoring/prometheus/metrics
//
// Every model has the signature serving_default with the input "features", float [-1, number of
// features]. A classifier gives "class" (int64 if all classes are whole numbers, else string) and
// "probabilities" (float [-1, number of classes]), a regressor gives "value" (float [-1]).
// The metadata route tells this, and the names of features and classes beside it.
#pragma once

#include <string>

#include "executor/serving/catalog.h"
#include "executor/serving/metrics.h"
#include "wire/net/http.h"

namespace kiln::executor {

// An answer and what is to be counted of it.
struct RestAnswer {
  net::Response response;
  std::string model;  // name of the model found; empty: nothing is counted
  std::string api;    // "predict"
  std::string code = "OK";
};

// No clock, no sockets. body_limit: bytes of a body that comes in gzip, unpacked.
// Threads: any, also at once.
RestAnswer HandleRest(const net::Request& request, const Catalog& catalog,
                      const ServingMetrics& metrics, size_t body_limit);

// {"error": "..."} with this status.
net::Response RestError(int status, const std::string& message);

}  // namespace kiln::executor
