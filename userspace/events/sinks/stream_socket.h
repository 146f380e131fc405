// stream_socket.h - one connection to a receiver: TCP, TLS over it, or a unix socket. Knows nothing of events.
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>
#include <string>

#include "events/sinks/transport.h"

namespace apnat {

struct TlsSettings {
  std::filesystem::path ca;           // who may have signed the receiver's certificate; empty: the system's list
  std::filesystem::path certificate;  // ours, if the receiver wants one
  std::filesystem::path key;
  std::string server_name;  // what its certificate must name; empty: the host
};

struct StreamTarget {
  std::string host;  // a name or an address
  std::uint16_t port = 0;
  std::filesystem::path unix_path;  // instead of both
  bool is_datagram = false;         // unix only
  std::optional<TlsSettings> tls;
  std::chrono::milliseconds patience{10'000};  // for each step
};

class StreamSocket {
 public:
  static Result<StreamSocket> connect(const StreamTarget& target, const Interrupt& interrupt);

  // Hands all of it to the kernel.
  Result<void> write(std::string_view bytes);

  // Says that we are done and waits until the receiver closes too. It does so once it has read everything: what TCP
  // alone cannot tell, since bytes that its kernel took may never reach a program that is killed.
  Result<void> finish();

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  };
  struct FreeSession {
    void operator()(SSL* session) const { ::SSL_free(session); }
  };

  StreamSocket(UniqueFd fd, const StreamTarget& target, const Interrupt& interrupt)
      : fd_(std::move(fd)), patience_(target.patience), interrupt_(&interrupt) {}
  Result<void> start_tls(const TlsSettings& tls, const std::string& host);
  Result<void> prepare_tls(const TlsSettings& tls, const std::string& host);
  template <typename Step>
  Result<int> tls_step(Step step, const char* what);
  bool has_been_closed() const;
  bool ended_in_order() const;

  UniqueFd fd_;
  std::chrono::milliseconds patience_;
  const Interrupt* interrupt_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSession> session_;
};

// Connects a UDP socket, so that send() is all that is left to do.
Result<UniqueFd> connect_udp(const std::string& host, std::uint16_t port);

}  // namespace apnat
