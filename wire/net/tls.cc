#include "wire/net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>

namespace kiln::net {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* value) const {
    Free(value);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;
using Certificate = Owned<X509, X509_free>;
using Bytes = Owned<BIO, BIO_free_all>;

// The oldest error of this thread, in OpenSSL's words; forgets all of them.
std::string Why() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* text = ERR_reason_error_string(code);
  return text == nullptr ? "unknown error" : text;
}

Failure FileFault(const std::string& file, const char* expected) {
  return Fail(ErrorCode::kInvalidArgument, "file {}: {}: expected {}", file, Why(), expected);
}

// What `write` puts out.
template <typename Write>
std::string Written(const Write& write) {
  const Bytes out(BIO_new(BIO_s_mem()));
  write(out.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

std::string TextOf(X509_NAME* name) {
  return Written([name](BIO* out) { X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253); });
}

std::string TextOf(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// Whom a certificate is for: names and addresses.
std::string HostsOf(const X509* certificate) {
  std::string hosts;
  const auto add = [&](std::string_view host) {
    hosts += hosts.empty() ? "" : ", ";
    hosts += host;
  };
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      add({reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
           static_cast<size_t>(ASN1_STRING_length(name->d.dNSName))});
    } else if (name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      const bool six = ASN1_STRING_length(name->d.iPAddress) == 16;
      inet_ntop(six ? AF_INET6 : AF_INET, ASN1_STRING_get0_data(name->d.iPAddress), text.data(),
                text.size());
      add(text.data());
    }
  }
  GENERAL_NAMES_free(names);
  return hosts.empty() ? "no host" : hosts;
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, 16> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// What is wrong with the certificate of a host, by the code of its verification.
std::string VerifyFault(long code, const X509* found, const std::string& host) {
  switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("certificate is for {}: expected {}", HostsOf(found), host);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("certificate has expired at {}: expected one that is valid",
                         TextOf(X509_get0_notAfter(found)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("certificate is not valid before {}: expected one that is valid",
                         TextOf(X509_get0_notBefore(found)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return fmt::format("certificate is signed by {}: expected an authority that is believed",
                         TextOf(X509_get_issuer_name(found)));
    default:
      return fmt::format("certificate is refused: {}", X509_verify_cert_error_string(code));
  }
}

class ContextImpl final : public TlsContext {
 public:
  explicit ContextImpl(SSL_CTX* context) : context_(context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    // A key that asks for a password is refused: nobody is there to type it.
    SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  }

  Status Show(const std::string& certificate, const std::string& key) const {
    if (SSL_CTX_use_certificate_chain_file(get(), certificate.c_str()) != 1) {
      return FileFault(certificate, "a PEM certificate");
    }
    if (SSL_CTX_use_PrivateKey_file(get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return FileFault(key, "the PEM key of the certificate");
    }
    return {};
  }

  Status Believe(const TlsClientOptions& options) const {
    if (!options.verify) return {};
    SSL_CTX_set_verify(get(), SSL_VERIFY_PEER, nullptr);
    // Whoever is named is believed, whether somebody else has signed it or not.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(get()), X509_V_FLAG_PARTIAL_CHAIN);
    if (!options.ca_file.empty() && SSL_CTX_load_verify_file(get(), options.ca_file.c_str()) != 1) {
      return FileFault(options.ca_file, "PEM certificates");
    }
    if (!options.ca_dir.empty() && SSL_CTX_load_verify_dir(get(), options.ca_dir.c_str()) != 1) {
      return FileFault(options.ca_dir, "a folder of PEM certificates");
    }
    Bytes pem(BIO_new_mem_buf(options.ca_pem.data(), static_cast<int>(options.ca_pem.size())));
    while (const Certificate one{PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr)}) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(get()), one.get());
    }
    ERR_clear_error();
    if (options.ca_file.empty() && options.ca_dir.empty() && options.ca_pem.empty()) {
      SSL_CTX_set_default_verify_paths(get());
      ERR_clear_error();  // a machine without roots believes nobody
    }
    return {};
  }

  Result<std::string> AuthorityOf(const TlsServerOptions& server) const override {
    KILN_TRY(const auto shown, ForServer(server));
    SSL_CTX* own = static_cast<const ContextImpl&>(*shown).get();
    X509* certificate = SSL_CTX_get0_certificate(own);
    STACK_OF(X509)* between = nullptr;
    SSL_CTX_get0_chain_certs(own, &between);
    const Owned<X509_STORE_CTX, X509_STORE_CTX_free> check(X509_STORE_CTX_new());
    X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(get()), certificate, between);
    X509_STORE_CTX_set_default(check.get(), "ssl_server");
    X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_PARTIAL_CHAIN);
    X509* authority = certificate;
    if (X509_verify_cert(check.get()) == 1) {
      STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(check.get());
      authority = sk_X509_value(chain, sk_X509_num(chain) - 1);
    } else if (const int code = X509_STORE_CTX_get_error(check.get());
               code != X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
      ERR_clear_error();
      return Fail(ErrorCode::kInvalidArgument, "file {}: {}", server.certificate,
                  VerifyFault(code, X509_STORE_CTX_get_current_cert(check.get()), ""));
    }
    ERR_clear_error();
    return Written([authority](BIO* out) { PEM_write_bio_X509(out, authority); });
  }

  SSL_CTX* get() const { return context_.get(); }

 private:
  Owned<SSL_CTX, SSL_CTX_free> context_;
};

class SessionImpl final : public TlsSession {
 public:
  // An empty host is that of a server's end.
  SessionImpl(const ContextImpl& context, std::string host, std::string name)
      : ssl_(SSL_new(context.get())),
        in_(BIO_new(BIO_s_mem())),
        out_(BIO_new(BIO_s_mem())),
        host_(std::move(host)),
        name_(std::move(name)) {
    SSL_set_bio(ssl_.get(), in_, out_);
    if (host_.empty()) {
      SSL_set_accept_state(ssl_.get());
      return;
    }
    SSL_set_connect_state(ssl_.get());
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_verify(ssl_.get(), SSL_get_verify_mode(ssl_.get()), Judge);
    if (IsAddress(host_)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host_.c_str());
    } else {
      SSL_set_tlsext_host_name(ssl_.get(), host_.c_str());
      SSL_set1_host(ssl_.get(), host_.c_str());
    }
    SSL_do_handshake(ssl_.get());  // the greeting goes to the output
  }

  Result<std::string> Take(std::string_view bytes) override {
    ERR_clear_error();
    BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    if (!IsOpen()) {
      const int done = SSL_do_handshake(ssl_.get());
      if (done != 1 && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) return Broken();
      if (done != 1) return std::string();
      Put(std::exchange(early_, {}));
    }
    std::string plain;
    while (true) {
      const size_t kept = plain.size();
      plain.resize(kept + kRecord);
      const int count = SSL_read(ssl_.get(), plain.data() + kept, kRecord);
      plain.resize(kept + static_cast<size_t>(std::max(count, 0)));
      if (count > 0) continue;
      const int code = SSL_get_error(ssl_.get(), count);
      if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_ZERO_RETURN) return Broken();
      return plain;
    }
  }

  void Put(std::string_view plain) override {
    if (!IsOpen()) {
      early_ += plain;
      return;
    }
    // The output takes whatever comes, so that a write is always whole.
    if (!plain.empty()) SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
  }

  std::string Output() override {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  bool End() override {
    if (!IsOpen() || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return false;
    SSL_shutdown(ssl_.get());
    return true;
  }

  bool IsOpen() const override { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool PeerEnded() const override {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

 private:
  static constexpr int kRecord = 16 << 10;  // bytes of plain text in a record of TLS, at most

  // Told of each certificate of the peer's chain: the first fault is kept, as the session forgets
  // the certificates that it refuses.
  static int Judge(int good, X509_STORE_CTX* check) {
    const void* ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
    auto* self = static_cast<SessionImpl*>(SSL_get_app_data(static_cast<const SSL*>(ssl)));
    if (good != 0) return good;
    const int code = X509_STORE_CTX_get_error(check);
    X509* found = X509_STORE_CTX_get_current_cert(check);
    const std::string& name = self->name_;
    if (code == X509_V_ERR_IP_ADDRESS_MISMATCH && !name.empty() &&
        X509_check_host(found, name.c_str(), name.size(), 0, nullptr) == 1) {
      X509_STORE_CTX_set_error(check, X509_V_OK);
      return 1;
    }
    if (self->fault_.empty()) {
      self->fault_ =
          VerifyFault(code, found, name.empty() ? self->host_ : self->host_ + " or " + name);
    }
    return 0;
  }

  Failure Broken() const {
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      ERR_clear_error();
      return Fail(ErrorCode::kUnavailable, "{}", fault_);
    }
    // An alert is the peer's word.
    if (reason > SSL_AD_REASON_OFFSET) {
      return Fail(ErrorCode::kUnavailable, "peer refuses the TLS handshake: {}", Why());
    }
    if (!IsOpen() && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)) {
      ERR_clear_error();
      return Fail(ErrorCode::kUnavailable, "peer speaks no TLS: expected https");
    }
    return Fail(ErrorCode::kUnavailable, "TLS: {}", Why());
  }

  Owned<SSL, SSL_free> ssl_;
  BIO* in_;   // of the session
  BIO* out_;  // of the session
  std::string host_;
  std::string name_;
  std::string fault_;  // of the peer's certificate
  std::string early_;  // plain text from before the end of the handshake
};

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::ForClients(const TlsClientOptions& options) {
  const auto context = std::make_shared<ContextImpl>(SSL_CTX_new(TLS_client_method()));
  KILN_TRY_OK(context->Believe(options));
  if (!options.certificate.empty()) {
    KILN_TRY_OK(context->Show(options.certificate, options.key));
  }
  return context;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::ForServer(const TlsServerOptions& options) {
  const auto context = std::make_shared<ContextImpl>(SSL_CTX_new(TLS_server_method()));
  KILN_TRY_OK(context->Show(options.certificate, options.key));
  return context;
}

const std::shared_ptr<const TlsContext>& SystemTls() {
  // Without files nothing can be wrong.
  static const std::shared_ptr<const TlsContext> context = *TlsContext::ForClients({});
  return context;
}

std::unique_ptr<TlsSession> TlsSession::Connect(const TlsContext& context, const std::string& host,
                                                const std::string& name) {
  return std::make_unique<SessionImpl>(static_cast<const ContextImpl&>(context), host, name);
}

std::unique_ptr<TlsSession> TlsSession::Accept(const TlsContext& context) {
  return std::make_unique<SessionImpl>(static_cast<const ContextImpl&>(context), "", "");
}

}  // namespace kiln::net
