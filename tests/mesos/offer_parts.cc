#include "tests/mesos/offer_parts.h"

#include <map>

namespace kiln::replay {
namespace {

const Json* OnlyOffer(const Json& event) {
  const Json::json_pointer list("/offers/offers");
  if (!event.contains(list) || event.at(list).size() != 1) return nullptr;
  return &event.at(list)[0];
}

// What tells one kind of resource from another: all but its amount.
std::string KindOfResource(Json resource) {
  for (const char* amount : {"scalar", "ranges", "set"}) resource.erase(amount);
  return resource.dump();
}

void Add(Json& sum, const Json& resource) {
  const Json::json_pointer scalar("/scalar/value");
  if (sum.contains(scalar) && resource.contains(scalar)) {
    sum[scalar] = sum[scalar].get<double>() + resource.at(scalar).get<double>();
  }
  for (const Json::json_pointer& list :
       {Json::json_pointer("/ranges/range"), Json::json_pointer("/set/item")}) {
    if (!sum.contains(list) || !resource.contains(list)) continue;
    for (const Json& item : resource.at(list)) sum[list].push_back(item);
  }
}

}  // namespace

std::optional<Json> Joined(const Json& first, const Json& second) {
  const Json* part = OnlyOffer(first);
  const Json* rest = OnlyOffer(second);
  if (!part || !rest || !part->contains("executor_ids")) return std::nullopt;
  for (const char* field : {"agent_id", "allocation_info"}) {
    if (part->value(field, Json()) != rest->value(field, Json())) return std::nullopt;
  }
  std::map<std::string, Json> sums;
  for (const Json* offer : {part, rest}) {
    for (const Json& resource : offer->value("resources", Json::array())) {
      const auto [sum, first_of_kind] = sums.emplace(KindOfResource(resource), resource);
      if (!first_of_kind) Add(sum->second, resource);
    }
  }
  Json joined = second;
  Json& resources = joined["offers"]["offers"][0]["resources"] = Json::array();
  for (const auto& [kind, sum] : sums) resources.push_back(sum);
  return joined;
}

std::string OfferIdOf(const Json& event) {
  const Json* offer = OnlyOffer(event);
  const Json id = offer ? At(*offer, "/id/value") : Json();
  return id.is_string() ? id.get<std::string>() : "";
}

}  // namespace kiln::replay
