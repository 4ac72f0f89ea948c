#include "executor/process/process_tree.h"

#include <dirent.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>

namespace kiln::executor {
namespace {

struct Entry {
  pid_t pid, parent;
};

// The fields behind the name of /proc/PID/stat; the name itself may hold blanks and brackets.
bool ReadEntry(const char* pid, Entry& entry) {
  std::string path = std::string("/proc/") + pid + "/stat";
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return false;
  char text[1024];
  size_t size = std::fread(text, 1, sizeof(text) - 1, file.get());
  text[size] = '\0';
  const char* behind = std::strrchr(text, ')');
  int parent = 0;
  if (behind == nullptr || std::sscanf(behind, ") %*c %d", &parent) != 1) return false;
  entry = {static_cast<pid_t>(std::atoi(pid)), parent};
  return true;
}

}  // namespace

std::vector<pid_t> Descendants(pid_t root) {
  std::vector<Entry> all;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  while (dirent* each = folder ? readdir(folder.get()) : nullptr) {
    Entry entry;
    if (each->d_name[0] >= '1' && each->d_name[0] <= '9' && ReadEntry(each->d_name, entry)) {
      all.push_back(entry);
    }
  }
  std::set<pid_t> tree{root};
  for (size_t before = 0; before != tree.size();) {
    before = tree.size();
    for (const Entry& entry : all) {
      if (tree.contains(entry.parent)) tree.insert(entry.pid);
    }
  }
  tree.erase(root);
  return {tree.begin(), tree.end()};
}

}  // namespace kiln::executor
