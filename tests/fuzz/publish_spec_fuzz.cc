// libFuzzer: any bytes as a published port. What is understood is on a loopback address, and says the same when it is
// written out and read again; what is not gets one line without control bytes.
#include <cstdint>
#include <cstdlib>

#include "server/publish/spec.h"

namespace {

void require(bool holds) {
  if (!holds) abort();
}

bool printable(const std::string& text) {
  for (unsigned char c : text) {
    if (c < ' ' || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base::Result<server::publish::Spec> spec = server::publish::parse_spec(text);
  if (spec.ok()) {
    require(spec->host.ip.is_v4() ? spec->host.ip.bytes()[0] == 127 : spec->host.ip.text() == "::1");
    base::Result<server::publish::Spec> again = server::publish::parse_spec(server::publish::render_spec(*spec));
    require(again.ok() && *again == *spec);
  } else {
    require(printable(spec.error().message) && spec.error().message.size() < 2048);
  }
  base::Result<server::publish::HostPort> host = server::publish::parse_host_port(text);
  if (host.ok()) {
    base::Result<server::publish::HostPort> again = server::publish::parse_host_port(host->text());
    require(again.ok() && *again == *host);
  } else {
    require(printable(host.error().message));
  }
  return 0;
}
