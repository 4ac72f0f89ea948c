#include "wire/mesos/master_address.h"

#include "proto/mesos/v1/mesos.pb.h"
#include "wire/mesos/json.h"
#include "wire/net/http.h"

namespace kiln::wire {
namespace {

using mesos::v1::MasterInfo;

// The number holds the address in network byte order: its lowest byte is the first.
std::string Dotted(uint32_t ip) {
  return fmt::format("{}.{}.{}.{}", ip & 0xff, ip >> 8 & 0xff, ip >> 16 & 0xff, ip >> 24);
}

MasterPlace PlaceOf(const MasterInfo& info) {
  const std::string& host = !info.address().ip().empty()         ? info.address().ip()
                            : !info.address().hostname().empty() ? info.address().hostname()
                            : info.ip() != 0                     ? Dotted(info.ip())
                                                                 : info.hostname();
  const uint32_t port =
      info.has_address() ? static_cast<uint32_t>(info.address().port()) : info.port();
  net::Url url;
  url.host = host;
  url.port = static_cast<decltype(url.port)>(port);
  const std::string& name = info.address().hostname();
  return {url.Authority(), name.empty() ? info.hostname() : name};
}

Result<MasterPlace> Read(std::string_view node, std::string_view content) {
  const std::string_view label = node.substr(0, std::min(node.find('_'), node.size()));
  MasterInfo info;
  if (label == "json.info") {
    KILN_TRY_OK(Parse(Encoding::kJson, content, info));
    return PlaceOf(info);
  }
  if (label == "info") {
    KILN_TRY_OK(Parse(Encoding::kProtobuf, content, info));
    return PlaceOf(info);
  }
  if (label == node && content.starts_with("master@")) {
    return MasterPlace{std::string(content.substr(content.find('@') + 1)), ""};
  }
  return Fail(ErrorCode::kInvalidArgument, "expected the MasterInfo of a Mesos master");
}

}  // namespace

Result<MasterPlace> MasterAddress(std::string_view node, std::string_view content) {
  auto place = Read(node, content);
  Status good = place ? Status() : Failure(place.error());
  if (place) {
    if (const auto url = net::ParseHostPort(place->address); !url) good = Failure(url.error());
  }
  if (!good) return Failure(Within(fmt::format("master's node {}", node), good.error()));
  return place;
}

}  // namespace kiln::wire
