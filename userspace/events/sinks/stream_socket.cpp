// stream_socket.cpp - non-blocking sockets with patience, TLS by OpenSSL, and the farewell that is our confirmation.
#include "events/sinks/stream_socket.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace apnat {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> resolve(const std::string& host, std::uint16_t port, int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) return fail(fmt::format("find the address of {}: {}", host, ::gai_strerror(error)));
  return Addresses(list);
}

Result<void> connect_to(int fd, const sockaddr* address, socklen_t size, std::chrono::milliseconds patience,
                        const Interrupt& interrupt) {
  if (::connect(fd, address, size) == 0) return {};
  if (errno != EINPROGRESS) return fail(errno, "connect");
  TRY_VOID(wait_for(fd, POLLOUT, patience, interrupt));
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail(error, "connect");
  return {};
}

Result<UniqueFd> connect_tcp(const StreamTarget& target, const Interrupt& interrupt) {
  const Addresses list = TRY(resolve(target.host, target.port, SOCK_STREAM));
  Error last{0, "the name has no address"};
  for (const addrinfo* at = list.get(); at; at = at->ai_next) {
    UniqueFd fd(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(errno, "make a socket");
    auto connected = connect_to(fd.get(), at->ai_addr, at->ai_addrlen, target.patience, interrupt);
    if (connected) return fd;
    last = std::move(connected.error());
    if (interrupt.is_due()) break;
  }
  return within(fmt::format("{}:{}", target.host, target.port), last);
}

Result<UniqueFd> connect_unix(const StreamTarget& target, const Interrupt& interrupt) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = target.unix_path.string();
  if (path.size() >= sizeof(address.sun_path)) return fail(ENAMETOOLONG, path);
  path.copy(address.sun_path, path.size());
  const int type = target.is_datagram ? SOCK_DGRAM : SOCK_STREAM;
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(errno, "make a socket");
  auto connected =
      connect_to(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address), target.patience, interrupt);
  if (!connected) return within(path, connected.error());
  return fd;
}

// OpenSSL's reason, or the certificate's.
std::unexpected<Error> tls_error(std::string_view what, SSL* session = nullptr) {
  const long verdict = session ? ::SSL_get_verify_result(session) : X509_V_OK;
  std::string reason = "the receiver ended the connection";
  if (verdict != X509_V_OK) {
    reason = fmt::format("its certificate is refused: {}", ::X509_verify_cert_error_string(verdict));
  } else if (const unsigned long code = ::ERR_peek_last_error()) {
    const char* text = ::ERR_reason_error_string(code);
    reason = text ? text : fmt::format("OpenSSL error {:x}", code);
  }
  ::ERR_clear_error();
  return fail(fmt::format("{}: {}", what, reason));
}

}  // namespace

Result<StreamSocket> StreamSocket::connect(const StreamTarget& target, const Interrupt& interrupt) {
  const bool is_unix = !target.unix_path.empty();
  UniqueFd fd = is_unix ? TRY(connect_unix(target, interrupt)) : TRY(connect_tcp(target, interrupt));
  StreamSocket socket(std::move(fd), target, interrupt);
  if (target.tls) {
    if (auto started = socket.start_tls(*target.tls, target.host); !started) {
      return within(fmt::format("{}:{}", target.host, target.port), started.error());
    }
  }
  return socket;
}

Result<void> StreamSocket::start_tls(const TlsSettings& tls, const std::string& host) {
  TRY_VOID(prepare_tls(tls, host));
  TRY(tls_step([this] { return ::SSL_connect(session_.get()); }, "TLS"));
  return {};
}

// RFC 5425 section 5: the receiver is authenticated, and its certificate names the host we meant.
Result<void> StreamSocket::prepare_tls(const TlsSettings& tls, const std::string& host) {
  context_.reset(::SSL_CTX_new(::TLS_client_method()));
  SSL_CTX* context = context_.get();
  if (!context) return tls_error("TLS");
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const int trusted = tls.ca.empty() ? ::SSL_CTX_set_default_verify_paths(context)
                                     : ::SSL_CTX_load_verify_locations(context, tls.ca.c_str(), nullptr);
  if (trusted != 1) return tls_error("read ca " + tls.ca.string());
  if (!tls.certificate.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context, tls.certificate.c_str()) != 1) {
      return tls_error("read certificate " + tls.certificate.string());
    }
    if (::SSL_CTX_use_PrivateKey_file(context, tls.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return tls_error("read key " + tls.key.string());
    }
  }
  session_.reset(::SSL_new(context));
  if (!session_) return tls_error("TLS");
  const std::string name = tls.server_name.empty() ? host : tls.server_name;
  X509_VERIFY_PARAM* expected = ::SSL_get0_param(session_.get());
  const bool is_address = ::X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1;
  if (!is_address) {
    if (::SSL_set1_host(session_.get(), name.c_str()) != 1) return tls_error("name of the receiver");
    ::SSL_set_tlsext_host_name(session_.get(), name.c_str());
  }
  ::ERR_clear_error();
  ::SSL_set_fd(session_.get(), fd_.get());
  return {};
}

// One call of OpenSSL's, waited for as often as it wants.
template <typename Step>
Result<int> StreamSocket::tls_step(Step step, const char* what) {
  for (;;) {
    errno = 0;
    const int done = step();
    if (done > 0) return done;
    const int why = errno;
    switch (::SSL_get_error(session_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        TRY_VOID(wait_for(fd_.get(), POLLIN, patience_, *interrupt_));
        break;
      case SSL_ERROR_WANT_WRITE:
        TRY_VOID(wait_for(fd_.get(), POLLOUT, patience_, *interrupt_));
        break;
      case SSL_ERROR_SYSCALL:
        if (why != 0) return fail(why, what);
        [[fallthrough]];
      default:
        return tls_error(what, session_.get());
    }
  }
}

Result<void> StreamSocket::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t taken = 0;
    if (session_) {
      const std::size_t piece = std::min<std::size_t>(bytes.size(), 1 << 20);
      taken = TRY(tls_step([&] { return ::SSL_write(session_.get(), bytes.data(), static_cast<int>(piece)); }, "send"));
    } else {
      taken = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (taken < 0 && errno == EINTR) continue;
      if (taken < 0 && errno == EAGAIN) {
        TRY_VOID(wait_for(fd_.get(), POLLOUT, patience_, *interrupt_));
        continue;
      }
      if (taken < 0) return fail(errno, "send");
    }
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  return {};
}

bool StreamSocket::has_been_closed() const {
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

// False: the receiver was gone before it had our last byte, although reading ended without an error.
bool StreamSocket::ended_in_order() const {
  int error = 0;
  socklen_t length = sizeof(error);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) return false;
  tcp_info info{};
  length = sizeof(info);
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return true;  // a unix socket
  return info.tcpi_state != TCP_LAST_ACK && info.tcpi_state != TCP_CLOSING && info.tcpi_state != TCP_CLOSE_WAIT;
}

Result<void> StreamSocket::finish() {
  constexpr const char* kGone = "the receiver closed the connection before it had everything";
  if (has_been_closed()) return fail(kGone);
  if (session_) ::SSL_shutdown(session_.get());  // close_notify, RFC 5425 section 4.4
  if (::shutdown(fd_.get(), SHUT_WR) != 0) return fail(errno, "end the connection");
  char rest[4096];
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), rest, sizeof(rest), 0);
    if (got == 0) break;
    if (got > 0 || errno == EINTR) continue;
    if (errno != EAGAIN) return fail(errno, "wait for the receiver to have read everything");
    if (auto waited = wait_for(fd_.get(), POLLIN, patience_, *interrupt_); !waited) {
      return within("the receiver does not say that it has read everything", waited.error());
    }
  }
  if (!ended_in_order()) return fail(kGone);
  return {};
}

Result<UniqueFd> connect_udp(const std::string& host, std::uint16_t port) {
  const Addresses list = TRY(resolve(host, port, SOCK_DGRAM));
  UniqueFd fd(::socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(errno, "make a socket");
  if (::connect(fd.get(), list->ai_addr, list->ai_addrlen) != 0) {
    return fail(errno, fmt::format("connect to {}:{}", host, port));
  }
  return fd;
}

}  // namespace apnat
