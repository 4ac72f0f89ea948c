#include "wire/zookeeper/address.h"

#include <gtest/gtest.h>

namespace kiln::wire {
namespace {

TEST(ZookeeperAddress, NamesServersPathAndCredentials) {
  const std::pair<const char*, ZookeeperAddress> cases[] = {
      {"zk://h:2181/mesos", {"h:2181", "/mesos", ""}},
      {"zk://h1:1,h2:2,h3:3/a/b/", {"h1:1,h2:2,h3:3", "/a/b", ""}},
      {"zk://me:p@ss:w@10.0.0.1:2181/mesos", {"10.0.0.1:2181", "/mesos", "me:p@ss:w"}},
      {"zk://[::1]:2181/mesos", {"[::1]:2181", "/mesos", ""}}};
  for (const auto& [text, address] : cases) {
    const auto parsed = ParseZookeeperAddress(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, address) << text;
  }
  EXPECT_EQ(ParseZookeeperAddress("zk://me:secret@h:1/m")->Text(), "zk://h:1/m");
}

TEST(ZookeeperAddress, EachFaultIsOneSentenceWithoutThePassword) {
  const std::pair<const char*, const char*> cases[] = {
      {"http://h:1/m", "address is \"http://h:1/m\": expected zk://HOST:PORT,HOST:PORT/PATH"},
      {"zk://h:1", "address of h:1 names no path: expected zk://HOST:PORT,HOST:PORT/PATH"},
      {"zk://me:secret@h:1//",
       "address of h:1 names no path: expected "
       "zk://HOST:PORT,HOST:PORT/PATH"},
      {"zk://h:1/a//b", "path is \"/a//b\": expected names between its slashes"},
      {"zk://secret@h:1/m",
       "credentials of the address have no user or no password: expected "
       "zk://USER:PASSWORD@HOST:PORT/PATH"},
      {"zk://h/m", "address: found 'h', expected host:port"},
      {"zk://h:1,i:0/m", "port of i is 0: expected 1 to 65535"},
      {"zk://h:1,/m", ""},
      {"zk://h:99999/m", ""},
      {"zk:///m", ""}};
  for (const auto& [text, message] : cases) {
    const auto parsed = ParseZookeeperAddress(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
    if (*message != '\0') EXPECT_EQ(parsed.error().message, message);
  }
}

}  // namespace
}  // namespace kiln::wire
