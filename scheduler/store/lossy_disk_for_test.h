// A disk under SQLite of which the power goes at a chosen moment: a layer of SQLite's own kind
// (VFS) that remembers what was written and not synced.
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"

namespace kiln::scheduler {

// What a cut leaves of the bytes that were not synced.
enum class Unsynced {
  kKept,  // all: the process was killed, not the machine
  kLost,
  kTorn,  // some sectors of some writes, by chance
};

// Threads: one. SQLite uses it for every file that is opened until Rest.
class LossyDisk {
 public:
  LossyDisk() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
    instance_ = this;
    vfs_.pNext = nullptr;
    vfs_.zName = "lossy";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = Open;
    vfs_.xDelete = Delete;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~LossyDisk() { Rest(); }
  LossyDisk(const LossyDisk&) = delete;

  // The power goes in the middle of this write, sync or removal, counted from 0; what SQLite wants
  // then fails.
  void CutAt(int operation) { cut_at_ = operation; }
  bool cut() const { return cut_at_ >= 0 && operations_ > cut_at_; }

  // SQLite uses the real one again.
  void Rest() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
  }

  // Writes what is left into a folder, by the names that the files had.
  void Leave(Unsynced unsynced, uint64_t seed, const std::string& folder) const {
    Random random(seed);
    for (const auto& [path, content] : contents_) {
      if (content.removed && (unsynced == Unsynced::kKept || random.Below(2) == 0)) continue;
      std::string bytes = content.synced;
      for (const Write& write : content.pending) Apply(write, unsynced, random, bytes);
      const std::string name = folder + path.substr(path.rfind('/'));
      std::ofstream(name, std::ios::binary) << bytes;
    }
  }

 private:
  static constexpr size_t kSector = 512;

  struct Write {
    size_t offset = 0;
    std::string bytes;
    bool truncates = false;  // to the offset
  };
  struct Content {
    std::string synced;
    std::vector<Write> pending;
    bool named = false;    // its folder was synced since it was made
    bool removed = false;  // but its folder was not synced since
  };
  struct File {
    sqlite3_file base;
    std::string* path;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static void Apply(const Write& write, Unsynced unsynced, Random& random, std::string& bytes) {
    const auto kept = [&] { return unsynced == Unsynced::kKept || random.Below(2) == 0; };
    if (unsynced == Unsynced::kLost) return;
    if (write.truncates) {
      if (kept()) bytes.resize(write.offset);
      return;
    }
    for (size_t at = 0; at < write.bytes.size();) {
      const size_t sector_end = (write.offset + at) / kSector * kSector + kSector;
      const size_t size = std::min(write.bytes.size() - at, sector_end - (write.offset + at));
      if (kept()) {
        if (bytes.size() < write.offset + at + size) bytes.resize(write.offset + at + size);
        std::memcpy(bytes.data() + write.offset + at, write.bytes.data() + at, size);
      }
      at += size;
    }
  }

  // Whether there is power for one more operation.
  bool Step() {
    if (cut()) return false;
    ++operations_;
    return !cut();
  }

  static LossyDisk& Self() { return *instance_; }
  static File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  Content& ContentOf(File* file) { return contents_[*file->path]; }

  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    LossyDisk& self = Self();
    File* opened = Of(file);
    opened->base.pMethods = nullptr;
    if (self.cut()) return SQLITE_IOERR;
    const int result = self.real_->xOpen(self.real_, name, opened->real(), flags, out);
    if (opened->real()->pMethods == nullptr) return result;
    opened->path = new std::string(name == nullptr ? "/temporary" : name);
    opened->base.pMethods = &kMethods;
    Content& content = self.contents_[*opened->path];
    if (content.removed) content = {};
    return result;
  }
  static int Delete(sqlite3_vfs*, const char* name, int sync_folder) {
    LossyDisk& self = Self();
    if (!self.Step()) return SQLITE_IOERR;
    const auto found = self.contents_.find(name);
    if (found != self.contents_.end()) found->second.removed = true;
    if (sync_folder != 0) self.SyncFolder();
    return self.real_->xDelete(self.real_, name, 0);
  }
  void SyncFolder() {
    std::erase_if(contents_, [](const auto& entry) { return entry.second.removed; });
    for (auto& [path, content] : contents_) content.named = true;
  }

  static int Close(sqlite3_file* file) {
    delete Of(file)->path;
    return Of(file)->real()->pMethods->xClose(Of(file)->real());
  }
  static int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    if (Self().cut()) return SQLITE_IOERR_READ;
    return Of(file)->real()->pMethods->xRead(Of(file)->real(), to, size, offset);
  }
  static int WriteTo(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    LossyDisk& self = Self();
    if (self.cut()) return SQLITE_IOERR_WRITE;
    Write write{static_cast<size_t>(offset),
                std::string(static_cast<const char*>(from), static_cast<size_t>(size))};
    // The write that is cut is done in part.
    if (!self.Step()) write.bytes.resize(write.bytes.size() / 2);
    self.ContentOf(Of(file)).pending.push_back(std::move(write));
    if (self.cut()) return SQLITE_IOERR_WRITE;
    return Of(file)->real()->pMethods->xWrite(Of(file)->real(), from, size, offset);
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (!Self().Step()) return SQLITE_IOERR_TRUNCATE;
    Self().ContentOf(Of(file)).pending.push_back({static_cast<size_t>(size), "", true});
    return Of(file)->real()->pMethods->xTruncate(Of(file)->real(), size);
  }
  static int Sync(sqlite3_file* file, int) {
    LossyDisk& self = Self();
    if (!self.Step()) return SQLITE_IOERR_FSYNC;
    Content& content = self.ContentOf(Of(file));
    Random random(0);
    for (const Write& write : content.pending) {
      Apply(write, Unsynced::kKept, random, content.synced);
    }
    content.pending.clear();
    // SQLite syncs the folder with a log or journal that is new.
    if (!content.named) self.SyncFolder();
    return SQLITE_OK;
  }
  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Of(file)->real()->pMethods->xFileSize(Of(file)->real(), size);
  }
  static int Lock(sqlite3_file* file, int level) {
    return Of(file)->real()->pMethods->xLock(Of(file)->real(), level);
  }
  static int Unlock(sqlite3_file* file, int level) {
    return Of(file)->real()->pMethods->xUnlock(Of(file)->real(), level);
  }
  static int CheckReserved(sqlite3_file* file, int* out) {
    return Of(file)->real()->pMethods->xCheckReservedLock(Of(file)->real(), out);
  }
  static int Control(sqlite3_file* file, int operation, void* argument) {
    return Of(file)->real()->pMethods->xFileControl(Of(file)->real(), operation, argument);
  }
  static int SectorSize(sqlite3_file* file) {
    return Of(file)->real()->pMethods->xSectorSize(Of(file)->real());
  }
  static int Characteristics(sqlite3_file* file) {
    return Of(file)->real()->pMethods->xDeviceCharacteristics(Of(file)->real());
  }
  static int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return Of(file)->real()->pMethods->xShmMap(Of(file)->real(), page, size, extend, out);
  }
  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    return Of(file)->real()->pMethods->xShmLock(Of(file)->real(), offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* file) {
    Of(file)->real()->pMethods->xShmBarrier(Of(file)->real());
  }
  static int ShmUnmap(sqlite3_file* file, int remove) {
    return Of(file)->real()->pMethods->xShmUnmap(Of(file)->real(), remove);
  }

  // Of version 2: without memory that is mapped.
  static constexpr sqlite3_io_methods kMethods = {
      2,       Close,         Read,    WriteTo,    Truncate,        Sync,   FileSize, Lock,
      Unlock,  CheckReserved, Control, SectorSize, Characteristics, ShmMap, ShmLock,  ShmBarrier,
      ShmUnmap};

  static inline LossyDisk* instance_ = nullptr;
  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
  std::map<std::string, Content> contents_;
  int operations_ = 0;
  int cut_at_ = -1;
};

}  // namespace kiln::scheduler
