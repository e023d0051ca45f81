#include "netns/process/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace netns {
namespace {

constexpr const char* kNames[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE"};
constexpr int kCount = static_cast<int>(std::size(kNames));

constexpr uint64_t bit(int capability) { return uint64_t{1} << capability; }

// What container runtimes leave by default.
constexpr uint64_t kUsual = bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) | bit(CAP_FSETID) | bit(CAP_KILL) | bit(CAP_SETGID) |
                            bit(CAP_SETUID) | bit(CAP_SETPCAP) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_NET_RAW) | bit(CAP_SYS_CHROOT) |
                            bit(CAP_MKNOD) | bit(CAP_AUDIT_WRITE) | bit(CAP_SETFCAP);

uint64_t wanted(const std::vector<std::string>& added) {
  uint64_t set = kUsual;
  for (const std::string& given : added) {
    if (given == "ALL") return ~uint64_t{0};
    const std::string name = given.compare(0, 4, "CAP_") == 0 ? given.substr(4) : given;
    for (int i = 0; i < kCount; ++i) {
      if (name == kNames[i]) set |= bit(i);
    }
  }
  return set;
}

}  // namespace

base::Status limit_capabilities(const std::vector<std::string>& added) {
  const uint64_t set = wanted(added);
  if (set == ~uint64_t{0}) return {};
  // The bounding set limits what exec gives to uid 0; the kernel's last capability is the first it does not know.
  for (int capability = 0; capability < 64; ++capability) {
    if ((set & bit(capability)) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return base::os_error("read capabilities");
  for (int word = 0; word < 2; ++word) {
    uint32_t keep = static_cast<uint32_t>(set >> (32 * word));
    data[word].permitted &= keep;
    data[word].effective = data[word].permitted;
    data[word].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, data) != 0) return base::os_error("limit capabilities");
  return {};
}

}  // namespace netns
