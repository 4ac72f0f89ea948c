// Service accounts of DC/OS against a login server that checks what they sign.
#include "scheduler/daemon/service_account.h"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "scheduler/daemon/dcos_login.h"
#include "scheduler/daemon/fake_master_for_test.h"
#include "scheduler/daemon/scheduler.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using wire::Json;

struct KeyPair {
  KeyPair() : key(EVP_RSA_gen(2048), EVP_PKEY_free) {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);
    pem.assign(bytes, static_cast<size_t>(size));
    BIO_free(out);
  }
  // Whether this key has signed the text.
  bool Signed(const std::string& text, const std::string& signature) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key.get());
    const int good = EVP_DigestVerify(
        context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
        reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    return good == 1;
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
  std::string pem;
};

const KeyPair& TheKey() {
  static const KeyPair pair;
  return pair;
}

std::string FromBase64Url(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  return net::Base64Decode(text).value_or("");
}

std::string Encoded(const Json& json) {
  std::string text = net::Base64Encode(wire::DumpJson(json));
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string TokenUntil(Instant end) {
  return Encoded({{"alg", "HS256"}}) + "." + Encoded({{"uid", "sa"}, {"exp", end.Seconds()}}) +
         ".sig";
}

Json Secret(const std::string& endpoint) {
  return {{"scheme", "RS256"},
          {"uid", "sa"},
          {"private_key", TheKey().pem},
          {"login_endpoint", endpoint}};
}

TEST(ServiceAccount, IsReadAndItsFaultsAreNamedWithoutItsKey) {
  const Json good = Secret("https://master.mesos/acs/api/v1/auth/login");
  EXPECT_EQ(ParseServiceAccount(wire::DumpJson(good)),
            (ServiceAccount{"sa", TheKey().pem, "https://master.mesos/acs/api/v1/auth/login"}));
  struct Case {
    const char* member;
    Json value;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"scheme", "HS256", "scheme is HS256: expected RS256"},
           {"uid", "", "has no uid: expected a text"},
           {"private_key", 5, "has no private_key: expected a text"},
           {"private_key", "k", "private key is none of RSA in PEM: expected one"},
           {"login_endpoint", "ftp://x",
            "login_endpoint: url 'ftp://x': found scheme 'ftp', expected http or https"}}) {
    Json bad = good;
    bad[c.member] = c.value;
    EXPECT_EQ(ParseServiceAccount(wire::DumpJson(bad)).error().message, c.message);
  }
  EXPECT_EQ(ParseServiceAccount("x").error().message, "is no JSON object: expected one");
}

TEST(ServiceAccount, IsNamedByTheOptionOrByDcossVariableWhichMayHoldItItself) {
  const std::string path = testing::TempDir() + "/account-" + std::to_string(getpid());
  const std::string text = wire::DumpJson(Secret("http://iam:1/login"));
  ASSERT_TRUE(WriteFile(path, text));
  const auto parse = [](std::vector<std::string> words, const std::string& variable) {
    setenv("DCOS_SERVICE_ACCOUNT_CREDENTIAL", variable.c_str(), 1);
    words.insert(words.begin(), {"kiln-scheduler", "--master=m:1", "--state=/s"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return ParseOptions(static_cast<int>(argv.size()), argv.data());
  };
  for (const auto& [words, variable] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--service-account=" + path}, "/none"},
           {{}, path},
           {{}, "file://" + path},
           {{}, text}}) {
    const auto parsed = parse(words, variable);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->options.principal, "sa");
    EXPECT_EQ(parsed->options.service_account,
              (ServiceAccount{"sa", TheKey().pem, "http://iam:1/login"}));
  }
  EXPECT_EQ(parse({}, "")->options.service_account, std::nullopt);
  EXPECT_EQ(parse({"--principal=me"}, path).error().message,
            "--principal is me: expected none or sa, the uid of the service account");
  EXPECT_THAT(parse({}, "/none").error().message,
              testing::StartsWith("DCOS_SERVICE_ACCOUNT_CREDENTIAL: "));
  EXPECT_EQ(parse({"--service-account=/dev/null"}, "").error().message,
            "--service-account: is no JSON object: expected one");
  unsetenv("DCOS_SERVICE_ACCOUNT_CREDENTIAL");
  std::filesystem::remove(path);
}

TEST(ServiceAccount, AGrantTellsWhenItExpires) {
  const Instant end = Instant{} + hours(1000);
  EXPECT_EQ(ParseGrant(wire::DumpJson({{"token", TokenUntil(end)}})),
            (Grant{TokenUntil(end), end}));
  EXPECT_EQ(ParseGrant(R"({"token":"opaque"})"), (Grant{"opaque", std::nullopt}));
  EXPECT_EQ(ParseGrant(R"({"token":"a.b.c"})"), (Grant{"a.b.c", std::nullopt}));
  EXPECT_FALSE(ParseGrant("{}"));
}

TEST(LoginPlan, LogsInBeforeTheEndOfATokenAndLaterAndLaterWhileItFails) {
  const Instant start = Instant{} + hours(1);
  LoginPlan plan;
  EXPECT_LE(plan.next(), start);
  plan.OnGrant(start, start + hours(120));
  EXPECT_EQ(plan.next() - start, hours(90));
  plan.OnGrant(start, std::nullopt);
  EXPECT_EQ(plan.next() - start, hours(18));
  plan.OnGrant(start, start - hours(1));  // the clocks differ
  EXPECT_EQ(plan.next() - start, hours(18));
  plan.OnRefused(start + minutes(1));
  EXPECT_EQ(plan.next() - start, minutes(1));
  std::vector<Duration> pauses;
  for (int i = 0; i < 8; ++i) {
    plan.OnFailure(start);
    pauses.push_back(plan.next() - start);
  }
  EXPECT_THAT(pauses, testing::ElementsAre(seconds(1), seconds(2), seconds(4), seconds(8),
                                           seconds(16), seconds(32), seconds(60), seconds(60)));
}

TEST(LoginPlan, ATokenThatIsRefusedWhileNewIsAFailure) {
  const Instant start = Instant{} + hours(1);
  LoginPlan plan;
  for (const int pause : {1, 2, 4}) {
    plan.OnGrant(start, std::nullopt);
    plan.OnRefused(start + seconds(1));
    EXPECT_EQ(plan.next() - start, seconds(1 + pause));
  }
}

// Grants tokens with this life to whoever signs as it should.
class LoginServer {
 public:
  LoginServer(net::Loop& loop, Duration life) : loop_(loop), life_(life) {
    server_ = *net::Server::Listen(loop, {}, [this](std::shared_ptr<net::Exchange> exchange) {
      exchange->Respond(Answer(exchange->request()));
    });
  }
  std::string endpoint() const { return "http://" + server_->address() + "/acs/api/v1/auth/login"; }
  int logins = 0;
  int failures = 0;  // of the next ones

 private:
  net::Response Answer(const net::Request& request) {
    ++logins;
    if (failures-- > 0) return {503, {}, "starting"};
    const Json body = *wire::ParseJson(request.body);
    const std::string token = body["token"];
    const size_t dot = token.rfind('.');
    const std::string text = token.substr(0, dot);
    const Json header = *wire::ParseJson(FromBase64Url(text.substr(0, text.find('.'))));
    const Json claims = *wire::ParseJson(FromBase64Url(text.substr(text.find('.') + 1)));
    const double left = claims["exp"].get<double>() - loop_.Now().Seconds();
    const bool good = request.method == "POST" && request.target == "/acs/api/v1/auth/login" &&
                      header == Json{{"alg", "RS256"}, {"typ", "JWT"}} && body["uid"] == "sa" &&
                      claims["uid"] == "sa" && left > 60 && left <= 120 &&
                      TheKey().Signed(text, FromBase64Url(token.substr(dot + 1)));
    if (!good) return {401, {}, "bad login"};
    return {200, {}, wire::DumpJson({{"token", TokenUntil(loop_.Now() + life_)}})};
  }

  net::Loop& loop_;
  Duration life_;
  std::unique_ptr<net::Server> server_;
};

class DcosLoginTest : public testing::Test {
 protected:
  std::unique_ptr<DcosLogin> LoginAt(const LoginServer& server) {
    const auto account = ParseServiceAccount(wire::DumpJson(Secret(server.endpoint())));
    return std::make_unique<DcosLogin>(
        loop_, *account,
        DcosLogin::Callbacks{
            [this](const std::string& authorization) { granted_.push_back(authorization); },
            [this](const Error& why) { failed_.push_back(why.message); }});
  }
  bool Until(const std::function<bool()>& done) {
    const Instant end = loop_.Now() + seconds(20);
    while (!done() && loop_.Now() < end) loop_.RunFor(milliseconds(2));
    return done();
  }

  net::Loop loop_;
  std::vector<std::string> granted_;
  std::vector<std::string> failed_;
};

TEST_F(DcosLoginTest, LogsInAndAgainBeforeTheTokenExpires) {
  LoginServer server(loop_, milliseconds(400));
  const auto login = LoginAt(server);
  login->Start();
  ASSERT_TRUE(Until([&] { return granted_.size() == 3; }));
  EXPECT_EQ(server.logins, 3);
  EXPECT_THAT(granted_, testing::Each(testing::StartsWith("token=ey")));
  EXPECT_THAT(failed_, testing::IsEmpty());
}

TEST_F(DcosLoginTest, TriesAgainWhenItFailsAndTellsWhy) {
  LoginServer server(loop_, hours(1));
  server.failures = 1;
  const auto login = LoginAt(server);
  login->Start();
  ASSERT_TRUE(Until([&] { return granted_.size() == 1; }));
  EXPECT_THAT(failed_, testing::ElementsAre("login of sa at " + server.endpoint() +
                                            ": answered 503 starting: expected a token"));
}

TEST_F(DcosLoginTest, ATokenThatIsRefusedIsReplaced) {
  LoginServer server(loop_, hours(1));
  const auto login = LoginAt(server);
  login->Start();
  ASSERT_TRUE(Until([&] { return granted_.size() == 1; }));
  login->Refused();
  ASSERT_TRUE(Until([&] { return granted_.size() == 2; }));
  EXPECT_EQ(server.logins, 2);
}

TEST_F(DcosLoginTest, TheSchedulerWaitsForItsTokenAndGetsAnotherWhenAMasterRefusesIt) {
  LoginServer server(loop_, hours(1));
  FakeMaster master(loop_);
  int good = 2;  // the login of which the token is taken
  std::vector<std::string> shown;
  master.admits = [&](const std::string& authorization) {
    if (shown.empty() || shown.back() != authorization) shown.push_back(authorization);
    return server.logins >= good;
  };
  Options options;
  options.masters = {master.address()};
  options.service_account = *ParseServiceAccount(wire::DumpJson(Secret(server.endpoint())));
  options.principal = "sa";
  const auto scheduler = *Scheduler::Open(loop_, options, OpenMemoryStore());
  scheduler->SetApiUrl("http://api:1");
  scheduler->Start();
  ASSERT_TRUE(Until([&] { return scheduler->GetHealth().recovered; }));
  EXPECT_EQ(shown.size(), 2U);
  EXPECT_THAT(shown, testing::Each(testing::StartsWith("token=ey")));
  EXPECT_EQ(master.subscriptions[0].framework_info().principal(), "sa");

  // While it is subscribed a call is refused: the one that takes this offer.
  good = 3;
  master.Offer("o-1", 4, 4096);
  scheduler->Submit({.name = "j", .groups = {{.name = "g", .work = CommandWork{.shell = "true"}}}},
                    1, [](const Status&) {});
  EXPECT_TRUE(Until([&] { return master.subscriptions.size() == 2; }));
  EXPECT_EQ(server.logins, 3);
  scheduler->Stop();
}

}  // namespace
}  // namespace kiln::scheduler
