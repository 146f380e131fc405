// xdp_features.cpp - one dump of the netdev family.
#include "net/xdp_features.h"

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include <array>
#include <memory>

#include "net/netlink.h"

namespace apnat {
namespace {

// linux/netdev.h of newer kernels than this machine's headers.
constexpr std::uint8_t kDeviceGet = 1;              // NETDEV_CMD_DEV_GET
constexpr int kIfindex = 1;                         // NETDEV_A_DEV_IFINDEX
constexpr int kXdpFeatures = 3;                     // NETDEV_A_DEV_XDP_FEATURES
constexpr std::uint64_t kSendsSeveralBuffers = 64;  // NETDEV_XDP_ACT_NDO_XMIT_SG

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};

int note_device(nl_msg* message, void* found) {
  std::array<nlattr*, kXdpFeatures + 1> attributes{};
  if (genlmsg_parse(nlmsg_hdr(message), 0, attributes.data(), kXdpFeatures, nullptr) != 0) return NL_SKIP;
  if (!attributes[kIfindex] || !attributes[kXdpFeatures]) return NL_SKIP;
  if (nla_get_u64(attributes[kXdpFeatures]) & kSendsSeveralBuffers) {
    static_cast<std::set<std::uint32_t>*>(found)->insert(nla_get_u32(attributes[kIfindex]));
  }
  return NL_OK;
}

}  // namespace

std::set<std::uint32_t> devices_sending_several_buffers() {
  std::set<std::uint32_t> found;
  const NetlinkSocket socket(nl_socket_alloc());
  if (!socket || genl_connect(socket.get()) != 0) return found;
  const int family = genl_ctrl_resolve(socket.get(), "netdev");
  const std::unique_ptr<nl_msg, FreeMessage> question(nlmsg_alloc());
  if (family < 0 || !question) return found;
  if (!genlmsg_put(question.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, NLM_F_DUMP, kDeviceGet, 1)) return found;
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, note_device, &found);
  if (nl_send_auto(socket.get(), question.get()) < 0 || nl_recvmsgs_default(socket.get()) < 0) return {};
  return found;
}

}  // namespace apnat
