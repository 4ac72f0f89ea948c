// Messages of tests, written as JSON.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "wire/mesos/json.h"

namespace kiln::wire {

template <typename T>
T Read(const std::string& text) {
  T message;
  const auto status = FromJson(text, message);
  EXPECT_TRUE(status) << text << ": " << status.error().message;
  return message;
}

}  // namespace kiln::wire
