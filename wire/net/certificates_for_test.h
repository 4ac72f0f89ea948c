// Certificate authorities of a test, made as it runs.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "wire/net/tls.h"

namespace kiln::net {

// Files in a folder of the test. Threads: one.
class TestAuthority {
 public:
  TestAuthority(std::filesystem::path folder, std::string name)
      : folder_(std::move(folder)), name_(std::move(name)), key_(NewKey()) {
    Write(file(), *Make(name_, key_.get(), "CA:TRUE", "", {}));
  }

  // What clients believe.
  std::string file() const { return folder_ / (name_ + ".pem"); }

  struct Life {
    long begin = -60;  // seconds from now
    long end = 3600;
  };
  // `hosts` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1".
  TlsServerOptions Issue(const std::string& name, const std::string& hosts) const {
    return Issue(name, hosts, Life());
  }
  TlsServerOptions Issue(const std::string& name, const std::string& hosts, Life life) const {
    const Key key = NewKey();
    const TlsServerOptions files{folder_ / (name + ".crt"), folder_ / (name + ".key")};
    Write(files.certificate, *Make(name, key.get(), "CA:FALSE", hosts, life));
    FILE* out = std::fopen(files.key.c_str(), "w");
    PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    std::filesystem::permissions(files.key, std::filesystem::perms::owner_read);
    return files;
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static Key NewKey() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

  static void SetName(X509_NAME* to, const std::string& name) {
    X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  }
  static void Extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  Certificate Make(const std::string& name, EVP_PKEY* key, const char* constraints,
                   const std::string& hosts, Life life) const {
    Certificate made(X509_new(), X509_free);
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()),
                     static_cast<long>(std::hash<std::string>()(name) >> 33));
    X509_gmtime_adj(X509_getm_notBefore(made.get()), life.begin);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), life.end);
    X509_set_pubkey(made.get(), key);
    SetName(X509_get_subject_name(made.get()), name);
    SetName(X509_get_issuer_name(made.get()), name_);
    Extend(made.get(), NID_basic_constraints, constraints);
    if (!hosts.empty()) Extend(made.get(), NID_subject_alt_name, hosts);
    X509_sign(made.get(), key_.get(), EVP_sha256());
    return made;
  }

  static void Write(const std::string& path, X509& certificate) {
    FILE* out = std::fopen(path.c_str(), "w");
    PEM_write_X509(out, &certificate);
    std::fclose(out);
  }

  std::filesystem::path folder_;
  std::string name_;
  Key key_;
};

}  // namespace kiln::net
