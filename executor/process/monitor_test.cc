#include "executor/process/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/net/server.h"

namespace kiln::executor {
namespace {

using mesos::v1::CheckInfo;
using mesos::v1::HealthCheck;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using Verdict = HealthTracker::Verdict;
constexpr auto kLong = std::chrono::seconds(20);

// "." no news, "+" healthy, "-" sick, "X" sick and to be killed.
std::string Answers(HealthPolicy policy, const std::string& probes) {
  HealthTracker tracker(policy, Instant{0});
  std::string out;
  for (char probe : probes) {
    auto verdict = tracker.OnProbe(probe == '+', tracker.next());
    out += !verdict ? '.' : verdict->healthy ? '+' : verdict->kill ? 'X' : '-';
  }
  return out;
}

TEST(HealthTrackerTest, FollowsMesossRules) {
  HealthPolicy no_grace{seconds(0), seconds(1), seconds(0), 3};
  HealthPolicy grace{seconds(0), seconds(1), seconds(2), 2};
  struct Case {
    HealthPolicy policy;
    const char *probes, *told;
  };
  for (const Case& c : {
           Case{no_grace, "++++", "+..."},
           {no_grace, "+-+", "+-+"},
           {no_grace, "---", "--X"},
           {no_grace, "--+---", "--+--X"},
           {grace, "---+", "...+"},    // at 0, 1 and 2 s failures are free
           {grace, "-----", "...-X"},  // later they are not
           {grace, "+--", "+-X"},      // nor behind the first success
       }) {
    EXPECT_EQ(Answers(c.policy, c.probes), c.told) << c.probes;
  }
}

TEST(HealthTrackerTest, ProbesBeginBehindTheDelayAndKeepTheirInterval) {
  HealthTracker tracker({}, Instant{0});
  EXPECT_EQ(tracker.next(), Instant{0} + seconds(15));
  tracker.OnProbe(true, Instant{0} + seconds(18));
  EXPECT_EQ(tracker.next(), Instant{0} + seconds(28));
}

class MonitorTest : public testing::Test {
 protected:
  template <typename Check>
  static void MakeQuick(Check& check) {
    check.set_delay_seconds(0);
    check.set_interval_seconds(0.01);
    check.set_timeout_seconds(5);
  }
  std::vector<bool> Healths(const HealthCheck& check, size_t count) {
    std::vector<bool> told;
    HealthMonitor monitor(loop_, check, around_, [&](Verdict verdict) {
      told.push_back(verdict.healthy);
      if (told.size() == count) loop_.Stop();
    });
    loop_.RunFor(kLong);
    return told;
  }
  std::string FirstCheck(const CheckInfo& check) {
    std::string text;
    CheckMonitor monitor(loop_, check, around_, [&](const mesos::v1::CheckStatusInfo& status) {
      text = status.ShortDebugString();
      loop_.Stop();
    });
    loop_.RunFor(kLong);
    return text;
  }

  net::Loop loop_;
  Surroundings around_{testing::TempDir(), OwnEnvironment()};
};

TEST_F(MonitorTest, ACommandIsHealthyWhileItSucceeds) {
  HealthCheck check;
  MakeQuick(check);
  check.set_grace_period_seconds(0);
  std::string mark = testing::TempDir() + "kiln_sick_" + std::to_string(getpid());
  check.mutable_command()->set_value("test ! -e " + mark + " && touch " + mark);
  EXPECT_THAT(Healths(check, 2), ElementsAre(true, false));
  unlink(mark.c_str());
}

TEST_F(MonitorTest, ATimedOutCommandIsAFailure) {
  HealthCheck check;
  MakeQuick(check);
  check.set_grace_period_seconds(0);
  check.set_timeout_seconds(0.05);
  check.mutable_command()->set_value("sleep 1000");
  EXPECT_THAT(Healths(check, 1), ElementsAre(false));
}

TEST_F(MonitorTest, HttpIsHealthyFrom200To399OrAsListed) {
  int status = 204;
  auto server = net::Server::Listen(loop_, {}, [&](std::shared_ptr<net::Exchange> e) {
    e->Respond({e->request().target == "/ping" ? status : 500, {}, {}});
    status = 404;
  });
  HealthCheck check;
  MakeQuick(check);
  check.set_grace_period_seconds(0);
  check.mutable_http()->set_port(static_cast<uint32_t>((*server)->port()));
  check.mutable_http()->set_path("/ping");
  EXPECT_THAT(Healths(check, 2), ElementsAre(true, false));
  check.mutable_http()->add_statuses(404);
  EXPECT_THAT(Healths(check, 1), ElementsAre(true));
}

TEST_F(MonitorTest, HttpIsWhatRedirectsLeadTo) {
  auto server = net::Server::Listen(loop_, {}, [](std::shared_ptr<net::Exchange> e) {
    if (e->request().target == "/page") return e->Respond({503, {}, {}});
    e->Respond({302, {{"Location", "/page"}}, {}});
  });
  HealthCheck check;
  MakeQuick(check);
  check.set_grace_period_seconds(0);
  check.mutable_http()->set_port(static_cast<uint32_t>((*server)->port()));
  EXPECT_THAT(Healths(check, 1), ElementsAre(false));
  check.mutable_http()->add_statuses(503);
  EXPECT_THAT(Healths(check, 1), ElementsAre(true));
}

TEST_F(MonitorTest, TcpIsHealthyWhileSomebodyListens) {
  auto server = net::Server::Listen(loop_, {}, [](std::shared_ptr<net::Exchange>) {});
  HealthCheck check;
  MakeQuick(check);
  check.set_grace_period_seconds(0);
  check.mutable_tcp()->set_port(static_cast<uint32_t>((*server)->port()));
  EXPECT_THAT(Healths(check, 1), ElementsAre(true));
  server->reset();
  EXPECT_THAT(Healths(check, 1), ElementsAre(false));
}

TEST_F(MonitorTest, ChecksTellWhatTheyFound) {
  CheckInfo check;
  MakeQuick(check);
  check.set_type(CheckInfo::COMMAND);
  check.mutable_command()->mutable_command()->set_value("exit 7");
  EXPECT_EQ(FirstCheck(check), "type: COMMAND command { exit_code: 7 }");

  auto server = net::Server::Listen(loop_, {}, [](std::shared_ptr<net::Exchange> e) {
    e->Respond({418, {}, {}});
  });
  CheckInfo http;
  MakeQuick(http);
  http.set_type(CheckInfo::HTTP);
  http.mutable_http()->set_port(static_cast<uint32_t>((*server)->port()));
  EXPECT_EQ(FirstCheck(http), "type: HTTP http { status_code: 418 }");

  CheckInfo tcp;
  MakeQuick(tcp);
  tcp.set_type(CheckInfo::TCP);
  tcp.mutable_tcp()->set_port(static_cast<uint32_t>((*server)->port()));
  EXPECT_EQ(FirstCheck(tcp), "type: TCP tcp { succeeded: true }");
}

}  // namespace
}  // namespace kiln::executor
