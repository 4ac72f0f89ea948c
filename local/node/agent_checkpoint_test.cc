#include "local/node/agent_checkpoint.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kiln::local {
namespace {

namespace fs = std::filesystem;

class AgentCheckpointTest : public testing::Test {
 protected:
  AgentCheckpointTest() {
    std::string name = (fs::temp_directory_path() / "kiln-checkpoint-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~AgentCheckpointTest() override { fs::remove_all(folder_); }

  // A framework with one executor and one task that runs; its first update is acknowledged.
  void SaveLife() {
    AgentCheckpoint checkpoint(folder_);
    SaveAgent agent;
    agent.info.set_hostname("h");
    agent.info.mutable_id()->set_value("a");
    agent.info.set_port(31999);
    checkpoint.Save(agent);
    SaveFramework framework;
    framework.framework.set_user("root");
    framework.framework.set_name("n");
    framework.framework.mutable_id()->set_value("f");
    checkpoint.Save(framework);
    SaveExecutor executor{key_, {}, true};
    executor.executor.mutable_executor_id()->set_value("e");
    checkpoint.Save(executor);
    SaveTask task{key_, {}};
    task.task.set_name("t");
    task.task.mutable_task_id()->set_value("t");
    task.task.mutable_framework_id()->set_value("f");
    task.task.mutable_agent_id()->set_value("a");
    task.task.set_state(mesos::v1::TASK_STAGING);
    checkpoint.Save(task);
    for (const char* uuid : {"u1", "u2"}) {
      SaveUpdate update{key_, {}};
      update.status.mutable_task_id()->set_value("t");
      update.status.set_state(mesos::v1::TASK_RUNNING);
      update.status.set_uuid(uuid);
      checkpoint.Save(update);
    }
    checkpoint.Save(SaveAcknowledgement{key_, "t", "u1"});
  }

  std::string folder_;
  RunKey key_{"f", "e", "c"};
};

TEST_F(AgentCheckpointTest, AFirstLifeHasNoMemory) {
  EXPECT_FALSE(AgentCheckpoint(folder_).Load());
  EXPECT_EQ(SavedAgentPort(folder_), 0);
}

TEST_F(AgentCheckpointTest, WhatWasSavedComesBack) {
  SaveLife();
  const auto state = AgentCheckpoint(folder_).Load();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->id.value(), "a");
  EXPECT_EQ(SavedAgentPort(folder_), 31999);
  ASSERT_EQ(state->frameworks.size(), 1u);
  ASSERT_EQ(state->frameworks[0].executors.size(), 1u);
  const RecoveredExecutor& executor = state->frameworks[0].executors[0];
  EXPECT_EQ(executor.container_id, "c");
  EXPECT_TRUE(executor.command);
  ASSERT_EQ(executor.tasks.size(), 1u);
  EXPECT_EQ(executor.tasks[0].updates.size(), 2u);
  EXPECT_EQ(executor.tasks[0].acknowledged, std::set<std::string>{"u1"});
}

TEST_F(AgentCheckpointTest, APieceOfARecordAtTheEndIsCutOff) {
  SaveLife();
  const std::string journal = folder_ + "/meta/slaves/a/frameworks/f/executors/e/runs/c/journal";
  const auto whole = fs::file_size(journal);
  std::ofstream(journal, std::ios::app) << "U\x05";
  EXPECT_EQ(AgentCheckpoint(folder_).Load()->frameworks[0].executors[0].tasks[0].updates.size(),
            2u);
  EXPECT_EQ(fs::file_size(journal), whole);
}

TEST_F(AgentCheckpointTest, AnEndedRunAndAForgottenLifeAreGone) {
  SaveLife();
  AgentCheckpoint checkpoint(folder_);
  ASSERT_TRUE(checkpoint.Load());
  checkpoint.Save(SaveEnd{key_});
  EXPECT_TRUE(AgentCheckpoint(folder_).Load()->frameworks.empty());
  checkpoint.Forget();
  EXPECT_FALSE(AgentCheckpoint(folder_).Load());
}

}  // namespace
}  // namespace kiln::local
