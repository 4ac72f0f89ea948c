#include "wire/rest/cluster_codec.h"

#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr int kAgentsMax = 1000;
constexpr int kGpusMax = 1024;
constexpr double kCpusMax = 4096;

void DescribeGpus(Form& form, PretendedGpus& gpus) {
  Int(form, {"count", "devices"}, gpus.count, 0, kGpusMax);
  form.Text({"model", "such as A100"}, gpus.model);
  form.Size({"memory", "of each device"}, gpus.memory);
  Int(form, {"linked", "so many in a row are joined by NVLink; 0: none"}, gpus.linked, 0, kGpusMax);
}

void DescribeRevocable(Form& form, Revocable& revocable) {
  form.Number({"cpus", "of each agent"}, revocable.cpus, 0, kCpusMax);
}

void DescribeSpread(Form& form, Spread& spread) {
  form.Text({"attribute", "its name", true}, spread.attribute);
  Int(form, {"values", "how many there are"}, spread.values, 1, kAgentsMax);
}

void DescribeShape(Form& form, AgentShape& shape) {
  Int(form, {"count", "agents that are alike"}, shape.count, 1, kAgentsMax);
  form.Number({"cpus", "of each agent"}, shape.cpus, 0.01, kCpusMax);
  form.Size({"mem", "of each agent"}, shape.mem);
  form.Size({"disk", "of each agent"}, shape.disk);
  Object(form, {"revocable", "what each agent lends beyond that, to work that asks for it"},
         shape.revocable, DescribeRevocable);
  Object(form, {"gpus", "that each agent pretends to have: a count, or an object"}, shape.gpus,
         DescribeGpus, {{"integer", "count"}});
  form.TextMap({"attributes", "of each agent"}, shape.attributes);
  List(form, {"spread", "attributes whose values go round over all agents of the file"},
       shape.spread, DescribeSpread);
}

}  // namespace

Result<std::vector<AgentShape>> DecodeCluster(std::string_view text) {
  KILN_TRY(const Json json, ParseDocument(text));
  std::vector<AgentShape> shapes;
  KILN_TRY_OK(ReadForm(json, "", [&](Form& form) {
    List(form, {"agents", "the shapes of agents", true}, shapes, DescribeShape, {}, 1);
  }));
  int agents = 0;
  for (const AgentShape& shape : shapes) agents += shape.count;
  if (agents <= kAgentsMax) return shapes;
  return FailField("agents", "agents are {}: expected at most {}", agents, kAgentsMax);
}

}  // namespace kiln::wire
