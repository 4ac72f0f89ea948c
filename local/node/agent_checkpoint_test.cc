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

TEST_F(AgentCheckpointTest, VolumesLiveAsLongAsTheyAreSaved) {
  SaveResources saved;
  mesos::v1::Resource& volume = saved.resources.emplace_back();
  volume.set_name("disk");
  volume.set_type(mesos::v1::Value::SCALAR);
  volume.mutable_scalar()->set_value(64);
  volume.add_reservations()->set_role("a/b");
  volume.mutable_disk()->mutable_persistence()->set_id("v1");
  mesos::v1::Operation& operation = saved.operations.emplace_back();
  operation.mutable_info()->set_type(mesos::v1::Offer::Operation::CREATE);
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_FINISHED);
  operation.mutable_uuid()->set_value("u");
  AgentCheckpoint checkpoint(folder_);
  checkpoint.Save(saved);
  const std::string folder = folder_ + "/volumes/roles/a b/v1";
  EXPECT_EQ(checkpoint.VolumeFolder(volume), folder);
  std::ofstream(folder + "/file") << "kept";
  checkpoint.Forget();
  const SaveResources read = AgentCheckpoint(folder_).LoadResources();
  ASSERT_EQ(read.resources.size(), 1u);
  EXPECT_EQ(read.resources[0].SerializeAsString(), volume.SerializeAsString());
  ASSERT_EQ(read.operations.size(), 1u);
  EXPECT_EQ(read.operations[0].SerializeAsString(), operation.SerializeAsString());
  checkpoint.Save(saved);
  EXPECT_TRUE(fs::exists(folder + "/file"));
  checkpoint.Save(SaveResources{});
  EXPECT_FALSE(fs::exists(folder));
}

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
