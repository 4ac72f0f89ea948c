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
// Schedulers share the folder, and one that has lost the lead may still publish while the next one
// cleans. So whoever changes names or blobs, or cleans, holds the file lock from the first look at
// the names to the last removal: nobody sees a blob that waits for its name, or takes one that gets
// its name anew. The file also says who held it last; where that is another, the names are counted
// again, so that a name which another made keeps its blob. Uploads are written without the lock,
// and some file systems keep locks to one machine: what is younger than an hour is left alone.
//
// Threads: any. Owner: the API. Errors: kInvalidArgument for a path that leads nowhere good.
class ArtifactStore {
 public:
  // Makes the folder where it is missing.
  static Result<std::unique_ptr<ArtifactStore>> Open(const std::string& folder);
  ~ArtifactStore();
  // Removes what stops left behind, but for what is younger than an hour. For who leads.
  Status Clean();

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
  ArtifactStore(std::string folder, int lock);
  struct Unlock {
    void operator()(const int* fd) const;
  };
  using FolderLock = std::unique_ptr<const int, Unlock>;
  // Waits for other schedulers; uses_ is right while it is held.
  Result<FolderLock> Lock();
  Status Count();
  std::string NameFile(const std::string& path) const { return folder_ + "/names/" + path; }
  std::string BlobFile(const std::string& digest) const { return folder_ + "/blobs/" + digest; }
  Result<bool> Store(Upload& upload, const std::string& path,
                     const std::optional<std::string>& expected, Artifact* published,
                     const Precondition& precondition);
  Result<bool> Link(const Upload& upload, const std::string& path, const std::string& digest,
                    const Precondition& precondition);
  void Drop(const std::string& digest);

  const std::string folder_;
  const std::string writer_;  // who this is, in the lock file
  const int lock_;
  mutable std::mutex mutex_;         // of names, blobs and uses_
  std::map<std::string, int> uses_;  // names of a digest
};

}  // namespace kiln::scheduler
