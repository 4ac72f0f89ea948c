// Arrows between folders point down, and each dependency has one door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/tidy/tree.h"

namespace kiln::tidy {
namespace {

using Faults = std::vector<std::string>;

// What a folder may include besides itself, base and model. "a/" stands for all below it.
const std::map<std::string, std::vector<std::string>> kDirections = {
    {"base", {}},
    {"model", {}},
    {"wire/net", {}},
    {"wire/mesos", {"proto/mesos/", "wire/net"}},
    {"wire/records", {"proto/kiln/", "scheduler/lifecycle"}},
    {"wire/zookeeper", {"wire/net"}},
    {"wire/rest", {"scheduler/lifecycle", "scheduler/placement", "scheduler/api"}},
    {"scheduler/lifecycle", {"scheduler/placement"}},
    {"scheduler/placement", {"scheduler/lifecycle"}},
    {"scheduler/store", {"wire/records", "wire/zookeeper"}},
    {"scheduler/api", {"wire/rest", "wire/net", "scheduler/lifecycle", "scheduler/placement"}},
    {"scheduler/daemon", {"scheduler/", "wire/", "proto/"}},
    {"executor/protocol", {"proto/mesos/"}},
    {"executor/process", {"wire/net", "proto/"}},
    {"executor/kernels", {"executor/learning"}},
    {"executor/formats", {}},
    {"executor/learning", {"executor/formats", "executor/kernels"}},
    {"executor/search", {"executor/kernels", "executor/formats"}},
    {"executor/serving", {"wire/net", "executor/kernels", "executor/formats", "executor/learning"}},
    {"executor/daemon", {"executor/", "wire/", "proto/"}},
    {"isolators/gpu_plan", {}},
    {"isolators/nvml", {}},
    {"isolators/cgroups", {"isolators/gpu_plan"}},
    {"isolators/module", {"isolators/"}},
    {"local/cluster", {"proto/mesos/"}},
    {"local/node", {"local/cluster", "wire/mesos", "wire/net", "wire/rest", "proto/"}},
    {"cli",
     {"wire/", "local/node", "scheduler/lifecycle", "scheduler/placement", "scheduler/api",
      "scheduler/store"}},
};

// A dependency's headers, and the folders that may include them.
const std::vector<std::pair<std::string, std::vector<std::string>>> kDoors = {
    {"glog/", {"base"}},
    {"tl/", {"base"}},
    {"boost/", {"wire/net"}},
    {"nlohmann/", {"wire/rest", "wire/mesos"}},
    {"yaml-cpp/", {"wire/rest"}},
    {"google/protobuf/", {"wire/mesos", "wire/records"}},
    {"rapidjson/", {"executor/serving"}},
    {"hwy/", {"executor/kernels", "executor/search"}},
    {"sqlite3.h", {"scheduler/store"}},
    {"zookeeper/", {"wire/zookeeper"}},
    {"zlib.h", {"wire/net", "executor/formats"}},
    {"openssl/", {"base", "wire/net"}},
    {"CLI/", {"cli", "scheduler/daemon", "local/node"}},
    {"mesos/", {"isolators/module"}},
    {"process/", {"isolators/module"}},
    {"stout/", {"isolators/module"}},
};

const std::set<std::string> kCores = {"scheduler/placement", "scheduler/lifecycle",
                                      "executor/protocol", "isolators/gpu_plan", "local/cluster"};
// Cores whose nouns are Mesos's own messages.
const std::set<std::string> kMesosCores = {"executor/protocol", "local/cluster"};

// What a core may not see: the clock, threads, files, sockets, the log.
const std::set<std::string> kEffects = {
    "thread",     "mutex",      "shared_mutex", "atomic",     "condition_variable",
    "future",     "fstream",    "iostream",     "filesystem", "cstdio",
    "random",     "ctime",      "unistd.h",     "fcntl.h",    "sys/socket.h",
    "sys/stat.h", "base/log.h", "base/file.h"};

// The folder that kDirections knows, for a path of the tree: "cli" for cli/commands/job.cc.
std::string KnownFolder(std::string path) {
  while (!path.empty() && !kDirections.contains(path)) {
    const size_t slash = path.rfind('/');
    path = slash == std::string::npos ? "" : path.substr(0, slash);
  }
  return path;
}

bool Production(const SourceFile& file) {
  return file.IsCode() && !file.IsTest() && !file.path.ends_with("_bench.cc") &&
         file.path.find("/fake/") == std::string::npos;
}

bool MayInclude(const std::string& folder, const std::string& included) {
  const std::string other = KnownFolder(included);
  if (other == folder || other == "base" || other == "model") return true;
  for (const std::string& allowed : kDirections.at(folder))
    if (allowed == other || (allowed.ends_with("/") && included.starts_with(allowed))) return true;
  return false;
}

TEST(DirectionsTest, FoldersIncludeOnlyWhatStandsBelowThem) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!Production(file)) continue;
    const std::string folder = KnownFolder(file.Folder());
    if (folder.empty()) {
      if (!file.path.starts_with("tests/"))
        faults.push_back(file.path + ": folder is not in kDirections");
      continue;
    }
    for (const Include& include : IncludesOf(file))
      if (!include.system && !MayInclude(folder, include.path))
        faults.push_back(At(file, include.line, folder + " may not include " + include.path));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(DirectionsTest, EachDependencyHasOneDoor) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    if (!Production(file)) continue;
    for (const Include& include : IncludesOf(file)) {
      if (!include.system) continue;
      for (const auto& [prefix, folders] : kDoors) {
        if (!include.path.starts_with(prefix)) continue;
        bool allowed = false;
        for (const std::string& folder : folders) allowed |= file.path.starts_with(folder + "/");
        if (!allowed)
          faults.push_back(At(file, include.line,
                              "<" + include.path + "> may be included only under " + folders[0]));
      }
    }
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(DirectionsTest, CoresSeeNoEffects) {
  Faults faults;
  for (const SourceFile& file : Tree()) {
    const std::string folder = KnownFolder(file.Folder());
    if (!Production(file) || !kCores.contains(folder)) continue;
    for (const Include& include : IncludesOf(file)) {
      const bool message = include.path.ends_with(".pb.h");
      if (kEffects.contains(include.path) || (message && !kMesosCores.contains(folder)))
        faults.push_back(At(file, include.line, "a core may not include " + include.path));
    }
    for (size_t i = 0; i < file.lines.size(); ++i)
      for (const char* banned : {"system_clock", "steady_clock", "getenv(", "RandomSeed("})
        if (file.lines[i].find(banned) != std::string::npos)
          faults.push_back(
              At(file, static_cast<int>(i) + 1, std::string("a core may not use ") + banned));
  }
  EXPECT_EQ(faults, Faults{});
}

TEST(DirectionsTest, RulesRefuseWhatTheyMust) {
  EXPECT_TRUE(MayInclude("scheduler/store", "wire/records/records.h"));
  EXPECT_FALSE(MayInclude("scheduler/store", "executor/kernels/forest.h"));
  EXPECT_FALSE(MayInclude("model", "wire/net/loop.h"));
  EXPECT_FALSE(MayInclude("local/node", "scheduler/daemon/daemon.h"));
  EXPECT_TRUE(MayInclude("cli", "local/node/node.h"));
}

}  // namespace
}  // namespace kiln::tidy
