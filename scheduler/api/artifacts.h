// The artifact store: files under paths, that appear whole or not at all, with their SHA-256.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"

namespace kiln::scheduler {

struct Artifact {
  std::string digest;  // SHA-256, 64 hexadecimal digits
  uint64_t size = 0;
  std::string file;  // where its bytes are
};

// Bytes on their way into the store. Destroyed unpublished, it leaves nothing.
// Threads: one at a time.
class Upload {
 public:
  Upload(std::string file, int fd) : file_(std::move(file)), fd_(fd) {}
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // kResourceExhausted when the disk is full.
  Status Write(std::string_view bytes);

 private:
  friend class ArtifactStore;
  std::string file_;
  int fd_;
  uint64_t size_ = 0;
  Sha256 sha_;
};

// On disk: blobs/<digest> has the bytes, names/<path> is a link to one of them, tmp/ has uploads.
// A name changes by one rename, so a reader sees the old bytes or the new ones.
//
// Threads: any. Owner: the API. Errors: kInvalidArgument for a path that leads nowhere good.
class ArtifactStore {
 public:
  // Makes the folder where it is missing; removes what a stop left behind.
  static Result<std::unique_ptr<ArtifactStore>> Open(const std::string& folder);

  // kResourceExhausted when `size` bytes are more than the disk has.
  Result<std::shared_ptr<Upload>> Begin(const std::string& path, uint64_t size) const;
  // Looks at the digest that a path has, "" where nothing is; an error keeps it.
  using Precondition = std::function<Status(const std::string& digest)>;
  // Makes the bytes durable under this path. kInvalidArgument when their digest is not `expected`
  // (none: any). Blocks on the disk. True when the path is new.
  Result<bool> Publish(const std::shared_ptr<Upload>& upload, const std::string& path,
                       const std::optional<std::string>& expected, Artifact* published,
                       const Precondition& precondition = nullptr);
  Result<Artifact> Find(const std::string& path) const;
  Status Remove(const std::string& path);

  struct Entry {
    std::string name;
    bool folder = false;
    Artifact artifact;
  };
  // What is in a folder, by name; "" is the root.
  Result<std::vector<Entry>> List(const std::string& path) const;

 private:
  explicit ArtifactStore(std::string folder) : folder_(std::move(folder)) {}
  Status Recover();
  std::string NameFile(const std::string& path) const { return folder_ + "/names/" + path; }
  std::string BlobFile(const std::string& digest) const { return folder_ + "/blobs/" + digest; }
  Result<bool> Store(Upload& upload, const std::string& path,
                     const std::optional<std::string>& expected, Artifact* published,
                     const Precondition& precondition);
  Result<bool> Link(const Upload& upload, const std::string& path, const std::string& digest,
                    const Precondition& precondition);
  void Drop(const std::string& digest);

  const std::string folder_;
  mutable std::mutex mutex_;         // of names, blobs and uses_
  std::map<std::string, int> uses_;  // names of a digest
};

}  // namespace kiln::scheduler
