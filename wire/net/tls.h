// TLS between a stream of plain bytes and one of encrypted bytes. The door to OpenSSL's half for
// connections; no sockets here.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln::net {

// What a client believes and shows. Files are PEM.
struct TlsClientOptions {
  std::string ca_file;      // without ca_file, ca_dir and ca_pem: the roots of the system
  std::string ca_dir;       // with hashed names, as `openssl rehash` makes them
  std::string ca_pem;       // certificates themselves
  std::string certificate;  // file with what is shown to servers that ask; may be empty
  std::string key;          // its file
  bool verify = true;       // false: any server is believed

  bool operator==(const TlsClientOptions&) const = default;
};

// Files are PEM.
struct TlsServerOptions {
  std::string certificate;  // and those between it and its authority
  std::string key;
};

// Certificates and rules, TLS 1.2 and newer. Threads: any; it never changes.
class TlsContext {
 public:
  // Errors name the file.
  static Result<std::shared_ptr<const TlsContext>> ForClients(const TlsClientOptions& options);
  static Result<std::shared_ptr<const TlsContext>> ForServer(const TlsServerOptions& options);
  // The authority (PEM) by which clients that believe `clients` believe this server; itself when
  // it has signed itself. An error when they do not.
  virtual Result<std::string> AuthorityOf(const TlsServerOptions& server) const = 0;
  virtual ~TlsContext() = default;
};

// What clients believe where nothing else is said: the roots of the system. Threads: any.
const std::shared_ptr<const TlsContext>& SystemTls();

// One connection's end. Not for several threads at once.
class TlsSession {
 public:
  // `host` is the name or the IP address that the certificate has to be for; an address's may be
  // for `name` instead.
  static std::unique_ptr<TlsSession> Connect(const TlsContext& context, const std::string& host,
                                             const std::string& name = "");
  static std::unique_ptr<TlsSession> Accept(const TlsContext& context);
  virtual ~TlsSession() = default;

  // Takes bytes of the peer, gives the plain text in them. kUnavailable ends the session, and
  // tells what is wrong with the peer: no certificate that is believed, another host's, no TLS.
  virtual Result<std::string> Take(std::string_view bytes) = 0;
  // Plain text for the peer; what comes before the handshake is done goes out after it.
  virtual void Put(std::string_view plain) = 0;
  // The bytes to be sent to the peer since the last call.
  virtual std::string Output() = 0;
  // Says farewell; false when it is said already.
  virtual bool End() = 0;
  virtual bool IsOpen() const = 0;     // the handshake is done
  virtual bool PeerEnded() const = 0;  // the peer has said farewell
};

}  // namespace kiln::net
