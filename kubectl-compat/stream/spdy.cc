#include "kubectl-compat/stream/spdy.h"

#include <zlib.h>

#include <optional>

#include "kubectl-compat/stream/spdy_dictionary.h"
#include "store/base/text.h"

namespace compat {
namespace {

constexpr size_t kFrameHead = 8;
constexpr size_t kMaxFrame = (1 << 24) - 1;
constexpr size_t kMaxControlFrame = 256 * 1024;
constexpr size_t kMaxHeaderBlock = 64 * 1024;
constexpr uint8_t kFlagFin = 1;
constexpr uint32_t kControlBit = 0x80000000u;
constexpr uint32_t kVersion = 3;
constexpr uint32_t kStreamMask = 0x7fffffffu;
constexpr uint16_t kSynStream = 1, kSynReply = 2, kRstStream = 3, kSettings = 4, kPing = 6, kGoAway = 7, kHeaders = 8, kWindowUpdate = 9;

base::Error spdy_error(const char* what) { return {base::Code::kBadRequest, std::string("spdy: ") + what}; }

uint32_t read32(std::string_view bytes, size_t at) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
  return out;
}

void put32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::string frame(uint32_t first, uint8_t flags, std::string_view payload) {
  std::string out;
  out.reserve(kFrameHead + payload.size());
  put32(out, first);
  put32(out, static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(payload.size()));
  out += payload;
  return out;
}

std::string control(uint16_t type, uint8_t flags, std::string_view payload) {
  return frame(kControlBit | kVersion << 16 | type, flags, payload);
}

const Bytef* dictionary() { return reinterpret_cast<const Bytef*>(spdy_dictionary().data()); }
uInt dictionary_size() { return static_cast<uInt>(spdy_dictionary().size()); }

// Where a control frame of a type keeps its stream id, its header block, and its least size.
struct Layout {
  uint16_t type;
  SpdyEvent::Kind kind;
  size_t fixed;  // Bytes before the header block, or the whole payload.
  bool headers;
  bool stream;
};
constexpr Layout kLayouts[] = {
    {kSynStream, SpdyEvent::Kind::kSynStream, 10, true, true},
    {kSynReply, SpdyEvent::Kind::kSynReply, 4, true, true},
    {kRstStream, SpdyEvent::Kind::kReset, 8, false, true},
    {kSettings, SpdyEvent::Kind::kSettings, 4, false, false},
    {kPing, SpdyEvent::Kind::kPing, 4, false, true},
    {kGoAway, SpdyEvent::Kind::kGoAway, 8, false, true},
    {kHeaders, SpdyEvent::Kind::kHeaders, 4, true, true},
    {kWindowUpdate, SpdyEvent::Kind::kWindowUpdate, 8, false, true},
};

const Layout* find_layout(uint16_t type) {
  for (const Layout& layout : kLayouts) {
    if (layout.type == type) return &layout;
  }
  return nullptr;
}

base::Result<std::map<std::string, std::string>> parse_headers(std::string_view block) {
  std::map<std::string, std::string> out;
  size_t at = 0;
  auto take = [&](size_t size) -> std::optional<std::string_view> {
    if (block.size() - at < size) return std::nullopt;
    at += size;
    return block.substr(at - size, size);
  };
  auto take_text = [&]() -> std::optional<std::string_view> {
    auto size = take(4);
    return size ? take(read32(*size, 0)) : std::nullopt;
  };
  auto count = take(4);
  if (!count) return spdy_error("header block too short");
  for (uint32_t left = read32(*count, 0); left > 0; --left) {
    auto name = take_text();
    auto value = name ? take_text() : std::nullopt;
    if (!value) return spdy_error("header block too short");
    if (!out.emplace(base::lower(*name), *value).second) return spdy_error("duplicate header");
  }
  return out;
}

}  // namespace

struct SpdySession::State {
  std::string buffer;
  z_stream inflater{};
  z_stream deflater{};
  bool inflating = false;
  bool deflating = false;
  bool failed = false;

  State() {
    inflating = inflateInit(&inflater) == Z_OK;
    deflating = deflateInit(&deflater, Z_BEST_COMPRESSION) == Z_OK && deflateSetDictionary(&deflater, dictionary(), dictionary_size()) == Z_OK;
  }
  ~State() {
    if (inflating) inflateEnd(&inflater);
    deflateEnd(&deflater);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  base::Result<std::string> decompress(std::string_view block);
  std::string compress(std::string_view block);
  base::Result<SpdyEvent> control_event(const Layout& layout, uint8_t flags, std::string_view payload);
  base::Result<std::vector<SpdyEvent>> parse();
};

// One zlib stream carries all header blocks of a direction, so that each must be inflated whole, even when
// its frame is of no interest.
base::Result<std::string> SpdySession::State::decompress(std::string_view block) {
  if (!inflating) return base::Error{base::Code::kInternal, "spdy: no memory for zlib"};
  std::string out;
  char chunk[4096];
  inflater.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));  // zlib's interface; not written to
  inflater.avail_in = static_cast<uInt>(block.size());
  for (;;) {
    inflater.next_out = reinterpret_cast<Bytef*>(chunk);
    inflater.avail_out = sizeof chunk;
    int code = inflate(&inflater, Z_SYNC_FLUSH);
    if (code == Z_NEED_DICT) code = inflateSetDictionary(&inflater, dictionary(), dictionary_size());
    if (code != Z_OK && code != Z_BUF_ERROR) return spdy_error("corrupt header block");
    size_t made = sizeof chunk - inflater.avail_out;
    out.append(chunk, made);
    if (out.size() > kMaxHeaderBlock) return spdy_error("header block too big");
    if (code == Z_BUF_ERROR || (made == 0 && inflater.avail_in == 0)) return out;
  }
}

std::string SpdySession::State::compress(std::string_view block) {
  if (!deflating) return {};
  std::string out;
  char chunk[512];
  deflater.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
  deflater.avail_in = static_cast<uInt>(block.size());
  do {
    deflater.next_out = reinterpret_cast<Bytef*>(chunk);
    deflater.avail_out = sizeof chunk;
    deflate(&deflater, Z_SYNC_FLUSH);
    out.append(chunk, sizeof chunk - deflater.avail_out);
  } while (deflater.avail_out == 0);
  return out;
}

base::Result<SpdyEvent> SpdySession::State::control_event(const Layout& layout, uint8_t flags, std::string_view payload) {
  if (payload.size() < layout.fixed) return spdy_error("frame too short");
  SpdyEvent event;
  event.kind = layout.kind;
  event.fin = layout.headers && (flags & kFlagFin) != 0;
  if (layout.stream) event.stream = read32(payload, 0);
  if (layout.kind != SpdyEvent::Kind::kPing) event.stream &= kStreamMask;  // A ping's id has all 32 bits.
  if (layout.fixed == 8) event.status = read32(payload, 4);
  if (!layout.headers) return event;
  std::string block = TRY(decompress(payload.substr(layout.fixed)));
  event.headers = TRY(parse_headers(block));
  return event;
}

base::Result<std::vector<SpdyEvent>> SpdySession::State::parse() {
  std::vector<SpdyEvent> out;
  size_t at = 0;
  while (buffer.size() - at >= kFrameHead) {
    std::string_view rest = std::string_view(buffer).substr(at);
    uint32_t first = read32(rest, 0);
    uint32_t second = read32(rest, 4);
    auto flags = static_cast<uint8_t>(second >> 24);
    size_t length = second & kMaxFrame;
    bool is_control = (first & kControlBit) != 0;
    if (is_control && (first >> 16 & 0x7fff) != kVersion) return spdy_error("unknown version");
    if (is_control && length > kMaxControlFrame) return spdy_error("control frame too big");
    if (rest.size() - kFrameHead < length) break;
    std::string_view payload = rest.substr(kFrameHead, length);
    at += kFrameHead + length;
    if (!is_control) {
      SpdyEvent event;
      event.stream = first & kStreamMask;
      event.fin = (flags & kFlagFin) != 0;
      event.data = payload;
      out.push_back(std::move(event));
      continue;
    }
    // Control frames of unknown types are skipped, as the draft asks.
    const Layout* layout = find_layout(static_cast<uint16_t>(first & 0xffff));
    if (layout != nullptr) out.push_back(TRY(control_event(*layout, flags, payload)));
  }
  buffer.erase(0, at);
  return out;
}

SpdySession::SpdySession() : state_(std::make_unique<State>()) {}
SpdySession::~SpdySession() = default;

base::Result<std::vector<SpdyEvent>> SpdySession::feed(std::string_view bytes) {
  if (state_->failed) return spdy_error("session is broken");
  state_->buffer.append(bytes);
  auto events = state_->parse();
  state_->failed = !events.ok();
  return events;
}

std::string SpdySession::syn_reply(uint32_t stream, bool fin) {
  std::string no_headers(4, '\0');
  std::string payload;
  put32(payload, stream & kStreamMask);
  payload += state_->compress(no_headers);
  return control(kSynReply, fin ? kFlagFin : 0, payload);
}

std::string SpdySession::data(uint32_t stream, std::string_view payload, bool fin) const {
  std::string out;
  do {
    std::string_view part = payload.substr(0, kMaxFrame);
    payload.remove_prefix(part.size());
    out += frame(stream & kStreamMask, fin && payload.empty() ? kFlagFin : 0, part);
  } while (!payload.empty());
  return out;
}

std::string SpdySession::reset(uint32_t stream, uint32_t status) const {
  std::string payload;
  put32(payload, stream & kStreamMask);
  put32(payload, status);
  return control(kRstStream, 0, payload);
}

std::string SpdySession::ping(uint32_t id) const {
  std::string payload;
  put32(payload, id);
  return control(kPing, 0, payload);
}

std::string SpdySession::go_away(uint32_t last_stream) const {
  std::string payload;
  put32(payload, last_stream & kStreamMask);
  put32(payload, 0);  // OK
  return control(kGoAway, 0, payload);
}

}  // namespace compat
