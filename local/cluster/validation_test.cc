#include "local/cluster/validation.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "local/cluster/authorization.h"
#include "local/cluster/offer_constraints.h"
#include "local/cluster/task_validation.h"

namespace kiln::local {
namespace {

using mesos::v1::FrameworkInfo;
namespace scheduler = mesos::v1::scheduler;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  google::protobuf::TextFormat::Parser parser;
  parser.AllowPartialMessage(true);
  EXPECT_TRUE(parser.ParseFromString(text, &message)) << text;
  return message;
}

TEST(ValidateRoleTest, TellsWhatIsWrongWithARole) {
  const std::pair<std::string, std::string> cases[] = {
      {"*", ""},
      {"a/b", ""},
      {"a_b.c:d@e#f", ""},
      {"", "Role names cannot be the empty string"},
      {"/a", "Role '/a' cannot start with a slash"},
      {"a/", "Role 'a/' cannot end with a slash"},
      {"a//b", "Role 'a//b' cannot contain two adjacent slashes"},
      {"a/..", "Role 'a/..' cannot include '..' as a component"},
      {"a/*", "Role 'a/*' cannot include '*' as a component"},
      {"a/-b", "Role component '-b' is invalid because it starts with a dash"},
      {"a b", "Role component 'a b' is invalid because it contains backspace or whitespace"}};
  for (const auto& [role, text] : cases) EXPECT_EQ(ValidateRole(role).value_or(""), text) << role;
}

TEST(ValidateIdTest, IdsBecomeFileNames) {
  EXPECT_EQ(ValidateId("a b.c"), std::nullopt);
  EXPECT_EQ(ValidateId(std::string(255, 'x')), std::nullopt);
  EXPECT_EQ(ValidateId(""), "ID must not be empty");
  EXPECT_EQ(ValidateId(".."), "'..' is disallowed");
  EXPECT_EQ(ValidateId("a/b"), "'a/b' contains invalid characters");
  EXPECT_EQ(ValidateId(std::string(256, 'x')), "ID must not be greater than 255 characters");
}

TEST(ValidateCallTest, EachTypeNeedsItsMessage) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "Expecting 'type' to be present"},
      {"type: SUBSCRIBE", "Expecting 'subscribe' to be present"},
      {"type: TEARDOWN", "Expecting 'framework_id' to be present"},
      {"type: TEARDOWN framework_id {value: 'f'}", ""},
      {"type: KILL framework_id {value: 'f'}", "Expecting 'kill' to be present"},
      {"type: ACKNOWLEDGE framework_id {value: 'f'} acknowledge {uuid: 'short'}",
       "Not a valid UUID"},
      {"type: SUBSCRIBE subscribe {framework_info {id {value: 'a'}}}",
       "'framework_id' differs from 'subscribe.framework_info.id'"},
      {"type: SUBSCRIBE subscribe {framework_info {principal: 'other'}}",
       "Authenticated principal 'kiln' does not match principal 'other' set in `FrameworkInfo`"}};
  for (const auto& [call, text] : cases) {
    EXPECT_EQ(ValidateCall(Parse<scheduler::Call>(call), "kiln").value_or(""), text) << call;
  }
}

TEST(ValidateFrameworkTest, RolesGoWithMultiRole) {
  const std::pair<std::string, std::string> cases[] = {
      {"role: 'a'", ""},
      {"capabilities {type: MULTI_ROLE}", ""},
      {"capabilities {type: MULTI_ROLE} roles: ['a', 'a/b']", ""},
      {"capabilities {type: MULTI_ROLE} role: '*'",
       "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"},
      {"capabilities {type: MULTI_ROLE} roles: ['a', 'a']",
       "'FrameworkInfo.roles' contains duplicate items: { a }"},
      {"failover_timeout: 1e20", "The framework failover_timeout (1e+20) is invalid"},
      {"failover_timeout: inf", "The framework failover_timeout (inf) is invalid"},
      {"failover_timeout: -1", ""}};
  for (const auto& [info, text] : cases) {
    EXPECT_EQ(ValidateFramework(Parse<FrameworkInfo>(info)).value_or(""), text) << info;
  }
}

TEST(ValidateResourceTest, AmountsHaveTheFormOfTheirType) {
  const std::pair<std::string, std::string> cases[] = {
      {"name: 'cpus' type: SCALAR scalar {value: 0}", ""},
      {"name: 'cpus' type: SCALAR scalar {value: -1}", "Invalid scalar resource: value <= 0"},
      {"name: 'cpus' type: SCALAR scalar {value: inf}", "Invalid scalar resource: value <= 0"},
      {"name: 'cpus' type: SCALAR", "Invalid scalar resource"},
      {"name: '' type: SCALAR scalar {value: 1}", "Empty resource name"},
      {"name: 'x' type: TEXT", "Unsupported resource type"},
      {"name: 'p' type: RANGES ranges {range {begin: 1 end: 3} range {begin: 3 end: 4}}",
       "Invalid ranges resource: overlapping ranges"},
      {"name: 'g' type: SET set {item: ['a', 'a']}", "Invalid set resource: duplicated elements"}};
  for (const auto& [resource, text] : cases) {
    EXPECT_EQ(ValidateResource(Parse<mesos::v1::Resource>(resource)).value_or(""), text)
        << resource;
  }
}

class ValidateTaskTest : public testing::Test {
 protected:
  // A good task with these fields merged in.
  std::string Judge(const std::string& change) {
    auto task = Parse<mesos::v1::TaskInfo>(
        "task_id {value: 't'} agent_id {value: 's'} command {value: 'true'}"
        "resources {name: 'cpus' type: SCALAR scalar {value: 1}}");
    task.MergeFrom(Parse<mesos::v1::TaskInfo>(change));
    TaskContext context{"f", "s", duplicate_};
    context.available = &available_;
    return ValidateTask(task, context).value_or("");
  }
  static Resources Sum(const std::string& text) {
    const auto parsed = ParseResources(text);
    Resources all;
    for (const auto& resource : *parsed) all += resource;
    return all;
  }

  Resources available_ = Sum("cpus:4;mem:512;ports:[1-9]");
  bool duplicate_ = false;
};

TEST_F(ValidateTaskTest, TellsTheFirstFaultInMesossWords) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"task_id {value: 'a/b'}", "'a/b' contains invalid characters"},
      {"agent_id {value: 'x'}", "Task uses invalid agent x while agent s is expected"},
      {"kill_policy {grace_period {nanoseconds: -1}}",
       "Task's 'kill_policy.grace_period' must be non-negative"},
      {"health_check {delay_seconds: 1}",
       "Task uses invalid health check: HealthCheck must specify 'type'"},
      {"check {type: HTTP http {port: 1 path: 'x'}}",
       "Task uses invalid check: The path 'x' of HTTP check must start with '/'"},
      {"limits {key: 'cpus' value {value: 0.5}}",
       "The cpu limit must be greater than or equal to the cpu request"},
      {"limits {key: 'mem' value {value: -1}}", ""},
      {"command {environment {variables {name: 'A'}}}",
       "Task's `CommandInfo` is invalid: Environment variable 'A' of type 'VALUE' must have a "
       "value set"},
      {"resources {name: 'gpus' type: SCALAR scalar {value: 0.5}}",
       "Task uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an "
       "unsigned integer"},
      {"resources {name: 'cpus' type: SCALAR scalar {value: 1} revocable {}}",
       "Task mixes revocable and non-revocable resources: Cannot use both revocable and "
       "non-revocable 'cpus' at the same time"},
      {"resources {name: 'cpus' type: SCALAR scalar {value: 3.5}}",
       "Total resources cpus:4.5 required by task and its executor is more than available cpus:4; "
       "mem:512; ports:[1-9]"},
      {"executor {executor_id {value: 'e'}}",
       "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"}};
  for (const auto& [change, text] : cases) EXPECT_EQ(Judge(change), text) << change;
  duplicate_ = true;
  EXPECT_EQ(Judge(""), "Task has duplicate ID: t");
}

TEST_F(ValidateTaskTest, ATaskAndItsExecutorHaveCpusOfOneKind) {
  available_ = Sum("cpus:4;cpus{REV}:4;mem:512");
  const auto judge = [this](const std::string& task, const std::string& executor) {
    const TaskContext context{.framework_id = "f", .agent_id = "s", .available = &available_};
    return ValidateTask(
               Parse<mesos::v1::TaskInfo>(fmt::format(
                   "name: 't' task_id {{value: 't'}} agent_id {{value: 's'}}"
                   "resources {{name: 'cpus' type: SCALAR scalar {{value: 1}} {}}}"
                   "resources {{name: 'mem' type: SCALAR scalar {{value: 32}}}}"
                   "executor {{executor_id {{value: 'e'}} framework_id {{value: 'f'}} type: CUSTOM"
                   "  command {{value: 'run'}}"
                   "  resources {{name: 'cpus' type: SCALAR scalar {{value: 1}} {}}}"
                   "  resources {{name: 'mem' type: SCALAR scalar {{value: 32}}}}}}",
                   task, executor)),
               context)
        .value_or("");
  };
  constexpr char kMixed[] =
      "Task and its executor mix revocable and non-revocable resources: Cannot use both revocable "
      "and non-revocable 'cpus' at the same time";
  EXPECT_EQ(judge("", ""), "");
  EXPECT_EQ(judge("revocable {}", "revocable {}"), "");
  EXPECT_EQ(judge("revocable {}", ""), kMixed);
  EXPECT_EQ(judge("", "revocable {}"), kMixed);
}

TEST_F(ValidateTaskTest, AnExecutorIsTheSameForAllItsTasks) {
  auto task = Parse<mesos::v1::TaskInfo>(
      "task_id {value: 't'} agent_id {value: 's'}"
      "resources {name: 'cpus' type: SCALAR scalar {value: 1}}"
      "executor {executor_id {value: 'e'} framework_id {value: 'f'} type: CUSTOM"
      "          command {value: 'run'} labels {labels {key: 'a'}}}");
  mesos::v1::ExecutorInfo known = task.executor();
  known.clear_labels();
  TaskContext context{"f", "s", false, &known, &available_};
  EXPECT_EQ(ValidateTask(task, context), std::nullopt);
  known.mutable_command()->set_value("other");
  EXPECT_TRUE(
      ValidateTask(task, context)
          ->starts_with(
              "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID."));
}

// A good group of two tasks with these fields merged into the second and into the executor.
TEST_F(ValidateTaskTest, AGroupGoesOrFallsAsAWhole) {
  struct Case {
    std::string task, executor, text;
  };
  const std::string docker = "container {type: DOCKER docker {image: 'x'}}";
  const std::string port =
      "resources {name: 'ports' type: RANGES ranges {range {begin: 3 end: 3}}}";
  const Case cases[] = {
      {"", "type: DEFAULT", ""},
      {"", "type: CUSTOM command {value: 'run'}", ""},
      {"command {value: 'true'}", "type: CUSTOM command {value: 'run'}", ""},
      {"", "", "'ExecutorInfo.type' must be set"},
      {"", "type: UNKNOWN", "Unknown executor type"},
      {"", "type: CUSTOM", "'ExecutorInfo.command' must be set for 'CUSTOM' executor"},
      {"", "type: DEFAULT command {value: 'run'}",
       "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"},
      {"", "type: DEFAULT " + docker,
       "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor"},
      {"", "type: CUSTOM command {value: 'run'} " + docker,
       "Docker ContainerInfo is not supported on the executor"},
      {docker, "type: DEFAULT",
       "Task 'u' is invalid: Docker ContainerInfo is not supported on the task"},
      {"health_check {type: TCP tcp {port: 1}} container {type: MESOS network_infos {name: 'n'}}",
       "type: DEFAULT",
       "Task 'u' is invalid: HTTP and TCP health checks are not supported for nested containers "
       "not joining parent's network"},
      {"limits {key: 'cpus' value {value: 2}}", "type: DEFAULT",
       "Task 'u' is invalid: Resource limits may only be set for tasks within a task group when "
       "the 'share_cgroups' field is set to 'false'."},
      {"container {type: MESOS linux_info {share_cgroups: false}}", "type: DEFAULT",
       "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and "
       "under a single executor"},
      {port, "type: DEFAULT " + port,
       "There are overlapping resources in the task group's task resources [ cpus:1, cpus:1; "
       "ports:[3-3] ] and/or executor resources "
       "[{\"name\":\"cpus\",\"scalar\":{\"value\":1.0},\"type\":\"SCALAR\"},"
       "{\"name\":\"mem\",\"scalar\":{\"value\":32.0},\"type\":\"SCALAR\"},"
       "{\"name\":\"disk\",\"scalar\":{\"value\":1.0},\"type\":\"SCALAR\"},"
       "{\"name\":\"ports\",\"ranges\":{\"range\":[{\"begin\":3,\"end\":3}]},"
       "\"type\":\"RANGES\"}]"},
      {"", "type: DEFAULT resources {name: 'cpus' type: SCALAR scalar {value: 1} revocable {}}",
       "Executor mixes revocable and non-revocable resources: Cannot use both revocable and "
       "non-revocable 'cpus' at the same time"}};
  available_ = Sum("cpus:4;mem:512;disk:9;ports:[1-9]");
  for (const Case& each : cases) {
    auto launch = Parse<mesos::v1::Offer::Operation::LaunchGroup>(
        "executor {executor_id {value: 'e'} framework_id {value: 'f'}"
        "  resources {name: 'cpus' type: SCALAR scalar {value: 1}}"
        "  resources {name: 'mem' type: SCALAR scalar {value: 32}}"
        "  resources {name: 'disk' type: SCALAR scalar {value: 1}}}"
        "task_group {tasks {task_id {value: 't'} agent_id {value: 's'}"
        "    resources {name: 'cpus' type: SCALAR scalar {value: 1}}}"
        "  tasks {task_id {value: 'u'} agent_id {value: 's'}"
        "    resources {name: 'cpus' type: SCALAR scalar {value: 1}}}}");
    launch.mutable_executor()->MergeFrom(Parse<mesos::v1::ExecutorInfo>(each.executor));
    launch.mutable_task_group()->mutable_tasks(1)->MergeFrom(Parse<mesos::v1::TaskInfo>(each.task));
    const TaskContext context{.framework_id = "f", .agent_id = "s", .available = &available_};
    const auto free = [](const std::string&) { return false; };
    EXPECT_EQ(ValidateTaskGroup(launch, context, free).value_or(""), each.text)
        << each.task << each.executor;
    // Those that the executor has already said otherwise.
    TaskContext other = context;
    other.share_cgroups = false;
    EXPECT_EQ(ValidateTaskGroup(launch, other, free).value_or("").starts_with("If set"),
              each.text.empty() || each.text.starts_with("If set"));
  }
}

TEST(OfferConstraintsTest, ChooseAgentsByAttributes) {
  const auto agent = Parse<mesos::v1::AgentInfo>(
      "hostname: 'h1' attributes {name: 'gpu' type: TEXT text {value: 'A100'}}"
      "attributes {name: 'slots' type: SCALAR scalar {value: 4}}");
  const std::pair<std::string, bool> cases[] = {
      {"selector {attribute_name: 'gpu'} predicate {exists {}}", true},
      {"selector {attribute_name: 'gpu'} predicate {not_exists {}}", false},
      {"selector {attribute_name: 'gpu'} predicate {text_equals {value: 'A100'}}", true},
      {"selector {attribute_name: 'gpu'} predicate {text_matches {regex: 'A'}}", false},
      {"selector {attribute_name: 'gpu'} predicate {text_matches {regex: 'A.*'}}", true},
      {"selector {attribute_name: 'gpu'} predicate {text_not_matches {regex: 'H.*'}}", true},
      {"selector {attribute_name: 'zone'} predicate {text_equals {value: 'z'}}", false},
      {"selector {attribute_name: 'zone'} predicate {text_not_equals {value: 'z'}}", true},
      {"selector {attribute_name: 'slots'} predicate {text_equals {value: 'x'}}", true},
      {"selector {pseudoattribute_type: HOSTNAME} predicate {text_equals {value: 'h1'}}", true},
      {"selector {pseudoattribute_type: ZONE} predicate {exists {}}", false}};
  for (const auto& [constraint, wanted] : cases) {
    OfferConstraints constraints;
    ASSERT_EQ(OfferConstraints::Make(
                  Parse<scheduler::OfferConstraints>(
                      "role_constraints {key: 'r' value {groups {attribute_constraints {" +
                      constraint + "}}}}"),
                  {"r"}, &constraints),
              std::nullopt);
    EXPECT_EQ(constraints.Wants("r", agent), wanted) << constraint;
    EXPECT_TRUE(constraints.Wants("other", agent));
  }
}

TEST(OfferConstraintsTest, PatternsThatWouldGrowWithoutBoundAreRefused) {
  const std::string deep = std::string(10'000, '(') + std::string(10'000, ')');
  const std::pair<std::string, std::string> cases[] = {
      {"(a{100}){100}", "invalid repetition size: {100}"},
      {deep, "pattern too large - compile failed"},
  };
  for (const auto& [pattern, why] : cases) {
    OfferConstraints constraints;
    const auto wire = Parse<scheduler::OfferConstraints>(
        "role_constraints {key: 'r' value {groups {attribute_constraints {"
        "selector {attribute_name: 'x'} predicate {text_matches {regex: '" +
        pattern + "'}}}}}}");
    EXPECT_EQ(OfferConstraints::Make(wire, {"r"}, &constraints),
              "Offer constraints are not valid: A role r has an invalid 'AttributeConstraint': "
              "Failed to construct regex from pattern '" +
                  pattern + "': " + why);
  }
}

TEST(AuthorizationTest, TheFirstEntryThatSpeaksDecides) {
  const std::vector<Acl> acls{{{AclEntity::Type::kSome, {"kiln"}}, {AclEntity::Type::kSome, {"a"}}},
                              {{AclEntity::Type::kSome, {"kiln"}}, {AclEntity::Type::kNone, {}}}};
  EXPECT_TRUE(Allows(acls, false, "kiln", "a"));
  EXPECT_FALSE(Allows(acls, true, "kiln", "b"));
  EXPECT_TRUE(Allows(acls, true, "other", "b"));
  EXPECT_FALSE(Allows(acls, false, std::nullopt, "a"));
}

}  // namespace
}  // namespace kiln::local
