#include "store/base/clock.h"

#include <sys/random.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace base {
namespace {

std::string render(WallTime t, int digits) {
  auto since = t.time_since_epoch();
  auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count();
  time_t raw = static_cast<time_t>(seconds.count());
  tm parts{};
  gmtime_r(&raw, &parts);
  char buffer[64];
  size_t n = strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out(buffer, n);
  if (digits > 0) {
    snprintf(buffer, sizeof buffer, ".%09lld", static_cast<long long>(nanos));
    out.append(buffer, static_cast<size_t>(digits) + 1);
  }
  return out + "Z";
}

void fill_random(void* out, size_t size) {
  // getrandom never fails for up to 256 bytes once the pool is ready; without it no identity is safe.
  if (getrandom(out, size, 0) != static_cast<ssize_t>(size)) abort();
}

}  // namespace

std::string render_rfc3339(WallTime t) { return render(t, 0); }
std::string render_rfc3339_micro(WallTime t) { return render(t, 6); }
std::string render_rfc3339_nano(WallTime t) { return render(t, 9); }

std::string render_http_date(WallTime t) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(t);
  tm parts{};
  gmtime_r(&seconds, &parts);
  // Not strftime: its names depend on the locale.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[64];
  snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900,
           parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  std::string s(text);
  Error bad(Code::kInvalid, "\"" + s + "\" is not an RFC 3339 time");
  tm parts{};
  const char* rest = strptime(s.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return bad;
  std::chrono::nanoseconds nanos{0};
  if (*rest == '.') {
    int64_t scale = 100000000;
    const char* start = ++rest;
    for (; *rest >= '0' && *rest <= '9'; ++rest, scale /= 10) nanos += std::chrono::nanoseconds((*rest - '0') * scale);
    if (rest == start) return bad;
  }
  std::chrono::seconds offset{0};
  if (*rest == 'Z' || *rest == 'z') {
    ++rest;
  } else if (*rest == '+' || *rest == '-') {
    int hours = 0, minutes = 0, used = 0;
    if (sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5) return bad;
    offset = std::chrono::seconds(hours * 3600 + minutes * 60) * (*rest == '+' ? 1 : -1);
    rest += 6;
  } else {
    return bad;
  }
  if (*rest != '\0') return bad;
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(timegm(&parts)) - offset + nanos));
}

std::string make_uid() {
  uint8_t b[16];
  fill_random(b, sizeof b);
  b[6] = static_cast<uint8_t>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<uint8_t>((b[8] & 0x3f) | 0x80);
  char out[37];
  snprintf(out, sizeof out, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
           b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
  return out;
}

std::string make_name_suffix(int n) {
  static constexpr char kAlphabet[] = "bcdfghjklmnpqrstvwxz2456789";
  std::string out(static_cast<size_t>(n), ' ');
  fill_random(out.data(), out.size());
  for (char& c : out) c = kAlphabet[static_cast<uint8_t>(c) % (sizeof kAlphabet - 1)];
  return out;
}

}  // namespace base
