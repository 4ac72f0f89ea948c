// The nodes of a state in ZooKeeper: a log of commits and pages of records. A commit is one node of
// the log, made together with a write of the node `state`, whose version is the fence: who has not
// seen the last write writes nothing.
//
//   state      "kiln 1 REVISION FIRST STEP WRITER"; FIRST is the oldest commit of the log
//   log/N      the changes of commit N
//   pages/B    the records whose kind and key hash to B, as of some commit from FIRST - 1 on
//
// When the log is long, the changes that are oldest are folded into their pages, which then hold
// later ones of theirs too; to play the log back over the pages gives the same in any case. What is
// larger than a node goes on in NAME.STEP.1 and so on, made before it, and named by it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "scheduler/store/store.h"

namespace kiln::wire {
class ZookeeperSession;
}

namespace kiln::scheduler {

struct StateHead {
  Revision revision = 0;
  Revision first = 1;
  uint64_t step = 0;    // counts the writes, so that no two of them are equal
  uint64_t writer = 0;  // the store that wrote, by a number of its own

  std::string Text() const;
};
// kDataLoss: it is none. kFailedPrecondition: a newer program wrote it.
Result<StateHead> ReadHead(const std::string& text);

std::string LogName(Revision revision);
std::string PageName(uint64_t page);

// What one name holds: "PARTS STEP\n" and the first part, then the others.
struct Blob {
  std::string name;
  std::vector<std::string> parts;
  uint64_t step = 0;

  std::string PartName(size_t part) const;
  // The nodes of the parts beside the first.
  std::vector<std::string> MoreNames() const;
  std::string First() const;
};
Blob Cut(std::string name, std::string_view bytes, uint64_t step, size_t limit);

// kNotFound: one of them is not there, or is written anew while it is read.
Result<std::vector<Blob>> ReadBlobs(wire::ZookeeperSession& session,
                                    const std::vector<std::string>& names);
Result<std::vector<Change>> ChangesOf(const Blob& blob);

}  // namespace kiln::scheduler
