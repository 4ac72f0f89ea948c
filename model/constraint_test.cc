#include "model/constraint.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

using Op = ConstraintOperator;

struct Case {
  std::vector<Constraint> constraints;
  int members;
  const char* message;  // empty: all is well
};

const Constraint kUnique{"rack", Op::kUnique, ""};
const Constraint kOne{"rack", Op::kCluster, ""};
Constraint Is(const char* value) { return {"rack", Op::kIs, value}; }
Constraint In(const char* value) { return {"rack", Op::kCluster, value}; }
Constraint Like(const char* value) { return {"rack", Op::kLike, value}; }
Constraint Unlike(const char* value) { return {"rack", Op::kUnlike, value}; }

TEST(Constraints, ThoseThatExcludeEachOtherAreRefused) {
  const Case cases[] = {
      {{Is("a"), Is("a"), In("a")}, 4, ""},
      {{Is("a"), Is("b")},
       1,
       "constraints rack IS a and rack IS b exclude each other: expected a rack that has both"},
      {{In("a"), Is("b")},
       1,
       "constraints rack CLUSTER a and rack IS b exclude each other: expected a rack that has "
       "both"},
      {{Is("1"), Is("1.0")}, 1, ""},
      {{In("1"), In("1.0")},
       1,
       "constraints rack CLUSTER 1 and rack CLUSTER 1.0 exclude each other: expected a rack that "
       "has both"},
      {{kOne, Is("a")}, 4, ""},
      {{kOne, kUnique}, 1, ""},
      {{kOne, kUnique},
       2,
       "constraints rack CLUSTER and rack UNIQUE let 1 of 2 members start: expected all"},
      {{kUnique, Is("a")},
       4,
       "constraints rack UNIQUE and rack IS a let 1 of 4 members start: expected all"},
      {{{"rack", Op::kMaxPer, "3"}, In("a")}, 3, ""},
      {{{"rack", Op::kMaxPer, "3"}, In("a")},
       4,
       "constraints rack MAX_PER 3 and rack CLUSTER a let 3 of 4 members start: expected all"},
      {{Is("a"), {"rack", Op::kGroupBy, ""}}, 4, ""},
      {{Is("a"), {"rack", Op::kGroupBy, "2"}},
       4,
       "constraints rack IS a and rack GROUP_BY 2 let 1 of 4 members start: expected all"},
      {{Like("a.*"), Is("ab")}, 1, ""},
      {{Like("a.*"), Is("b")},
       1,
       "constraints rack LIKE a.* and rack IS b exclude each other: expected a rack that has "
       "both"},
      {{In("ab"), Unlike("a.*")},
       1,
       "constraints rack CLUSTER ab and rack UNLIKE a.* exclude each other: expected a rack that "
       "has both"},
      {{Like("a.*"), Unlike("ab")}, 4, ""},
      {{Like("a.*"), Unlike("a.*")},
       1,
       "constraints rack LIKE a.* and rack UNLIKE a.* exclude each other: expected a rack that has "
       "both"},
      // An agent may write the number otherwise.
      {{Is("1.50"), Unlike("1.50")}, 1, ""},
      // Each is about another field.
      {{Is("a"), {"zone", Op::kIs, "b"}, {"hostname", Op::kUnique, ""}}, 4, ""},
      {{{"hostname", Op::kIs, "a"}, {"@hostname", Op::kUnique, ""}},
       2,
       "constraints hostname IS a and @hostname UNIQUE let 1 of 2 members start: expected all"},
      {{{"rack", Op::kMaxPer, "0"}},
       1,
       "value of the constraint on rack is \"0\": expected a positive count"},
  };
  for (const Case& c : cases) {
    const Status status = CheckConstraints("constraints", c.constraints, c.members);
    const std::string message = status ? "" : status.error().message;
    EXPECT_EQ(message, c.message);
    if (status) continue;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(status.error().field,
              "constraints[" + std::to_string(c.constraints.size() - 1) + "]");
  }
}

}  // namespace
}  // namespace kiln
