// The recorded exchanges with a real Mesos master and agent, for tests. They are no part of the
// repository: the environment variable KILN_MESOS_EXCHANGES names their folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kiln::wire {

class RecordingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("KILN_MESOS_EXCHANGES");
    if (folder == nullptr) GTEST_SKIP() << "set KILN_MESOS_EXCHANGES to the folder of recordings";
    folder_ = folder;
  }

  // The scenarios whose file name starts so.
  std::vector<nlohmann::json> Load(const std::string& prefix) const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (name.rfind(prefix, 0) == 0 && entry.path().extension() == ".json") {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    std::vector<nlohmann::json> scenarios;
    for (const auto& file : files) scenarios.push_back(nlohmann::json::parse(std::ifstream(file)));
    return scenarios;
  }

  // The value with numbers in place of the placeholders that stand for numbers.
  static nlohmann::json Numbered(nlohmann::json value) {
    if (value.is_structured()) {
      for (auto& item : value) item = Numbered(std::move(item));
      return value;
    }
    if (!value.is_string()) return value;
    const std::string text = value;
    if (text.find("${uuid") == 0) return "AAECAwQFRgeICQoLDA0ODw==";
    if (text == "${timestamp}") return 1234567890.5;
    if (text == "${time_ns}") return 1234567890123456789;
    if (text == "${pid}" || text == "${number}") return 4242;
    if (text.find("_port}") == text.size() - 6 && text.rfind("${", 0) == 0 && text.size() > 6) {
      return 5050;
    }
    return value;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace kiln::wire
