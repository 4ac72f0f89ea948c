// What jobs need and nobody else may see: files of the scheduler's, one for each secret.
#pragma once

#include <string>

#include "base/result.h"
#include "model/job.h"

namespace kiln::scheduler {

// Each call looks at the files, so that a secret can be changed at any time; tasks that run keep
// what they have. No error tells what is in a file.
// Threads: any.
class Secrets {
 public:
  // Without a folder there are none.
  explicit Secrets(std::string folder = "") : folder_(std::move(folder)) {}

  // kInvalidArgument names the first secret of the job that is not there, or not private, and its
  // field.
  Status Check(const Job& job) const;
  // The bytes of the file; as a variable without the end of its last line. kFailedPrecondition as
  // above.
  Result<std::string> Read(const SecretUse& use) const;

 private:
  std::string folder_;
};

}  // namespace kiln::scheduler
