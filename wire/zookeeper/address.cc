#include "wire/zookeeper/address.h"

#include "wire/net/http.h"

namespace kiln::wire {
namespace {

constexpr std::string_view kScheme = "zk://";
constexpr const char* kExpected = "expected zk://HOST:PORT,HOST:PORT/PATH";

}  // namespace

bool IsZookeeperAddress(std::string_view text) { return text.starts_with(kScheme); }

Result<ZookeeperAddress> ParseZookeeperAddress(std::string_view text) {
  if (!IsZookeeperAddress(text)) {
    return Fail(ErrorCode::kInvalidArgument, "address is \"{}\": {}", text, kExpected);
  }
  text.remove_prefix(kScheme.size());
  const size_t slash = std::min(text.find('/'), text.size());
  ZookeeperAddress address;
  address.path = text.substr(slash);
  std::string_view servers = text.substr(0, slash);
  if (const size_t at = servers.rfind('@'); at != servers.npos) {
    address.credentials = servers.substr(0, at);
    servers.remove_prefix(at + 1);
    const size_t colon = address.credentials.find(':');
    if (colon == std::string::npos || colon == 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  "credentials of the address have no user or no password: expected "
                  "zk://USER:PASSWORD@HOST:PORT/PATH");
    }
  }
  address.servers = servers;
  while (address.path.ends_with('/')) address.path.pop_back();
  if (address.path.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "address of {} names no path: {}", address.servers,
                kExpected);
  }
  if (address.path.find("//") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "path is \"{}\": expected names between its slashes",
                address.path);
  }
  for (std::string_view rest = servers;;) {
    const size_t comma = std::min(rest.find(','), rest.size());
    KILN_TRY(const net::Url server, net::ParseHostPort(rest.substr(0, comma)));
    if (server.port == 0) {
      return Fail(ErrorCode::kInvalidArgument, "port of {} is 0: expected 1 to 65535", server.host);
    }
    if (comma == rest.size()) return address;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace kiln::wire
