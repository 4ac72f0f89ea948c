// The files of sandboxes, as agents show them: by the paths of executors' runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// Threads: one. A value: the real folder behind "/frameworks/...".
class SandboxFiles {
 public:
  // `agent_folder` is <work_dir>/slaves/<agent id>.
  explicit SandboxFiles(std::string agent_folder) : agent_folder_(std::move(agent_folder)) {}

  // The real path of something in a sandbox, named by its virtual path
  // (/frameworks/F/executors/E/runs/latest/...) or by its real one. None outside of sandboxes, also
  // by way of links and "..".
  std::optional<std::string> Resolve(const std::string& path) const;

  // The entries of a folder by name; kNotFound.
  Result<std::vector<mesos::v1::FileInfo>> List(const std::string& path) const;

  struct Piece {
    uint64_t size = 0;  // of the file
    std::string data;
  };
  // At most 16 pages from `offset`; without a length as much. kNotFound, kInvalidArgument.
  Result<Piece> Read(const std::string& path, uint64_t offset,
                     std::optional<uint64_t> length) const;

 private:
  std::string agent_folder_;
};

// "-rw-r--r--".
std::string ModeText(uint32_t mode);

}  // namespace kiln::local
