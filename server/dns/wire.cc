#include "server/dns/wire.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace server::dns {
namespace {

constexpr size_t kHeader = 12;
constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxName = 255;
constexpr uint16_t kMaxUdp = 1232;
constexpr uint16_t kMinUdp = 512;
constexpr uint16_t kClassIn = 1;
constexpr uint16_t kOptionExtendedError = 15;
constexpr size_t kMaxErrorText = 128;

constexpr uint16_t kFlagResponse = 0x8000, kFlagAuthoritative = 0x0400, kFlagTruncated = 0x0200, kFlagRecursionDesired = 0x0100,
                   kFlagCheckingDisabled = 0x0010;

class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  bool ok() const { return ok_; }
  size_t left() const { return data_.size() - at_; }
  uint8_t u8() {
    if (left() < 1) return fail();
    return static_cast<uint8_t>(data_[at_++]);
  }
  uint16_t u16() {
    const uint16_t high = u8();
    return static_cast<uint16_t>(high << 8 | u8());
  }
  void skip(size_t count) {
    if (left() < count) {
      fail();
    } else {
      at_ += count;
    }
  }
  // Queries have nothing before the question that a pointer could refer to, and an OPT's owner is the root: so
  // compression is refused, and with it every pointer loop.
  Name name() {
    Name out;
    size_t total = 1;
    while (ok_) {
      const uint8_t length = u8();
      if (!ok_ || length == 0) break;
      total += 1u + length;
      if (length > kMaxLabel || total > kMaxName || left() < length) {
        fail();
        break;
      }
      out.emplace_back(data_.substr(at_, length));
      at_ += length;
    }
    return out;
  }
  // Over a name that may be compressed, without following it.
  void skip_name() {
    while (ok_) {
      const uint8_t length = u8();
      if (length == 0) return;
      if (length >= 0xc0) {
        u8();
        return;
      }
      if (length > kMaxLabel) fail();
      skip(length);
    }
  }

 private:
  uint8_t fail() {
    ok_ = false;
    at_ = data_.size();
    return 0;
  }
  std::string_view data_;
  size_t at_ = 0;
  bool ok_ = true;
};

class Writer {
 public:
  std::string& bytes() { return out_; }
  size_t size() const { return out_.size(); }
  void u8(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void u16(unsigned value) {
    u8(value >> 8 & 0xff);
    u8(value & 0xff);
  }
  void u32(uint32_t value) {
    u16(value >> 16);
    u16(value & 0xffff);
  }
  void raw(std::string_view data) { out_ += data; }
  void patch_u16(size_t at, unsigned value) {
    out_[at] = static_cast<char>(value >> 8 & 0xff);
    out_[at + 1] = static_cast<char>(value & 0xff);
  }
  // Case is compared as it stands, so that what a client asked in its own case comes back so.
  void name(const Name& name, bool compress) {
    for (size_t i = 0; i < name.size(); ++i) {
      std::string suffix;
      for (size_t j = i; j < name.size(); ++j) {
        suffix += static_cast<char>(name[j].size());
        suffix += name[j];
      }
      if (auto known = offsets_.find(suffix); compress && known != offsets_.end()) {
        u16(0xc000u | known->second);
        return;
      }
      if (size() < 0x4000) offsets_.emplace(std::move(suffix), static_cast<uint16_t>(size()));
      u8(static_cast<unsigned>(name[i].size()));
      raw(name[i]);
    }
    u8(0);
  }
  // Back to an earlier size; names that were written since are forgotten.
  void cut(size_t size) {
    out_.resize(size);
    std::erase_if(offsets_, [size](const auto& entry) { return entry.second >= size; });
  }

 private:
  std::string out_;
  std::map<std::string, uint16_t> offsets_;
};

struct DataWriter {
  Writer& out;
  void operator()(const base::Ip& ip) const { out.raw({reinterpret_cast<const char*>(ip.bytes()), ip.size()}); }
  void operator()(const Name& name) const { out.name(name, true); }
  void operator()(const Srv& srv) const {
    out.u16(srv.priority);
    out.u16(srv.weight);
    out.u16(srv.port);
    out.name(srv.target, false);  // RFC 2782: never compressed.
  }
  void operator()(const Soa& soa) const {
    out.name(soa.mname, true);
    out.name(soa.rname, true);
    for (uint32_t value : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) out.u32(value);
  }
  void operator()(const Txt& txt) const {
    out.u8(static_cast<unsigned>(std::min<size_t>(txt.text.size(), 255)));
    out.raw(std::string_view(txt.text).substr(0, 255));
  }
};

void write_record(Writer& out, const Record& record) {
  out.name(record.name, true);
  out.u16(static_cast<uint16_t>(record.type));
  out.u16(kClassIn);
  out.u32(record.ttl);
  const size_t length_at = out.size();
  out.u16(0);
  std::visit(DataWriter{out}, record.data);
  out.patch_u16(length_at, static_cast<unsigned>(out.size() - length_at - 2));
}

// Writes as many records as fit under `limit`.
unsigned write_section(Writer& out, const std::vector<Record>& records, size_t limit) {
  unsigned count = 0;
  for (const Record& record : records) {
    const size_t before = out.size();
    write_record(out, record);
    if (out.size() > limit) {
      out.cut(before);
      break;
    }
    ++count;
  }
  return count;
}

std::string render_opt(const Query& query, const Answer& answer) {
  if (!query.edns) return "";
  Writer options;
  if (answer.error) {
    const std::string text = answer.error->text.substr(0, kMaxErrorText);
    options.u16(kOptionExtendedError);
    options.u16(static_cast<unsigned>(2 + text.size()));
    options.u16(answer.error->code);
    options.raw(text);
  }
  Writer out;
  out.u8(0);
  out.u16(static_cast<uint16_t>(Type::kOpt));
  out.u16(kMaxUdp);
  out.u8(static_cast<unsigned>(answer.rcode) >> 4);  // The upper bits of the rcode.
  out.u8(0);                                         // Version.
  out.u16(0);                                        // Flags.
  out.u16(static_cast<unsigned>(options.size()));
  out.raw(options.bytes());
  return out.bytes();
}

struct Counts {
  unsigned answers = 0, authority = 0, additional = 0;
};

// The additional section of a query: at most one OPT is of interest.
bool read_additional(Reader& in, const Counts& counts, Query& query) {
  const unsigned before = counts.answers + counts.authority;
  for (unsigned i = 0; i < before + counts.additional && in.ok(); ++i) {
    in.skip_name();
    const uint16_t type = in.u16();
    const uint16_t klass = in.u16();
    in.u8();
    const uint8_t version = in.u8();
    in.u16();
    in.skip(in.u16());
    if (!in.ok()) return false;
    if (i < before || type != static_cast<uint16_t>(Type::kOpt)) continue;
    if (query.edns) return false;  // RFC 6891: more than one is an error.
    query.edns = Edns{klass, version};
  }
  return in.ok();
}

const char* type_text(Type type) {
  switch (type) {
    case Type::kA:
      return "A";
    case Type::kNs:
      return "NS";
    case Type::kCname:
      return "CNAME";
    case Type::kSoa:
      return "SOA";
    case Type::kPtr:
      return "PTR";
    case Type::kTxt:
      return "TXT";
    case Type::kAaaa:
      return "AAAA";
    case Type::kSrv:
      return "SRV";
    default:
      return "?";
  }
}

struct DataText {
  std::string operator()(const base::Ip& ip) const { return ip.text(); }
  std::string operator()(const Name& name) const { return render_name(name); }
  std::string operator()(const Srv& srv) const {
    return std::to_string(srv.priority) + " " + std::to_string(srv.weight) + " " + std::to_string(srv.port) + " " + render_name(srv.target);
  }
  std::string operator()(const Soa& soa) const {
    std::string out = render_name(soa.mname) + " " + render_name(soa.rname);
    for (uint32_t value : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) out += " " + std::to_string(value);
    return out;
  }
  std::string operator()(const Txt& txt) const { return "\"" + txt.text + "\""; }
};

}  // namespace

Name parse_name(std::string_view text) {
  Name out;
  while (!text.empty()) {
    const size_t dot = text.find('.');
    if (dot != 0) out.emplace_back(text.substr(0, dot));
    text = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  }
  return out;
}

std::string render_name(const Name& name) {
  std::string out;
  for (const std::string& label : name) {
    for (unsigned char c : label) {
      if (c > ' ' && c < 127 && c != '.' && c != '\\' && c != '"') {
        out += static_cast<char>(c);
      } else {
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\%03u", c);
        out += escaped;
      }
    }
    out += '.';
  }
  return out.empty() ? "." : out;
}

Name lower(Name name) {
  for (std::string& label : name) {
    for (char& c : label) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return name;
}

bool is_valid(const Name& name) {
  size_t total = 1;
  for (const std::string& label : name) {
    if (label.empty() || label.size() > kMaxLabel) return false;
    total += label.size() + 1;
  }
  return total <= kMaxName;
}

ParsedQuery parse_query(std::string_view message) {
  ParsedQuery out;
  if (message.size() < kHeader) return out;
  Reader in(message);
  Query& query = out.query;
  query.id = in.u16();
  const uint16_t flags = in.u16();
  if (flags & kFlagResponse) return out;  // Answering an answer could loop for ever.
  query.opcode = static_cast<uint8_t>(flags >> 11 & 0x0f);
  query.recursion_desired = flags & kFlagRecursionDesired;
  query.checking_disabled = flags & kFlagCheckingDisabled;
  const uint16_t questions = in.u16();
  Counts counts;
  counts.answers = in.u16();
  counts.authority = in.u16();
  counts.additional = in.u16();
  auto reject = [&out](Rcode rcode) {
    out.outcome = ParsedQuery::Outcome::kReject;
    out.rcode = rcode;
    return out;
  };
  if (query.opcode != 0) return reject(Rcode::kNotImp);
  if (questions != 1) return reject(Rcode::kFormErr);
  query.name = in.name();
  query.type = static_cast<Type>(in.u16());
  query.klass = in.u16();
  if (!in.ok()) {
    query.name.clear();
    return reject(Rcode::kFormErr);
  }
  query.has_question = true;
  if (!read_additional(in, counts, query)) {
    query.edns.reset();
    return reject(Rcode::kFormErr);
  }
  if (query.edns && query.edns->version != 0) return reject(Rcode::kBadVers);
  out.outcome = ParsedQuery::Outcome::kAnswer;
  return out;
}

std::string render_record(const Record& record) {
  return render_name(record.name) + " " + std::to_string(record.ttl) + " IN " + type_text(record.type) + " " +
         std::visit(DataText{}, record.data);
}

std::string render_response(const Query& query, const Answer& answer, size_t max_size) {
  const std::string opt = render_opt(query, answer);
  const size_t limit = max_size - opt.size();
  Writer out;
  uint16_t flags = kFlagResponse | static_cast<uint16_t>(query.opcode << 11) | (static_cast<uint16_t>(answer.rcode) & 0x0f);
  if (answer.authoritative) flags |= kFlagAuthoritative;
  if (query.recursion_desired) flags |= kFlagRecursionDesired;
  if (query.checking_disabled) flags |= kFlagCheckingDisabled;
  out.u16(query.id);
  out.u16(0);
  out.u16(query.has_question ? 1 : 0);
  for (int i = 0; i < 3; ++i) out.u16(0);
  if (query.has_question) {
    out.name(query.name, false);
    out.u16(static_cast<uint16_t>(query.type));
    out.u16(query.klass);
  }
  Counts counts;
  counts.answers = write_section(out, answer.answers, limit);
  if (counts.answers == answer.answers.size()) counts.authority = write_section(out, answer.authority, limit);
  if (counts.answers < answer.answers.size() || counts.authority < answer.authority.size()) {
    flags |= kFlagTruncated;
  } else {
    counts.additional = write_section(out, answer.additional, limit);
  }
  if (!opt.empty()) {
    out.raw(opt);
    ++counts.additional;
  }
  out.patch_u16(2, flags);
  out.patch_u16(6, counts.answers);
  out.patch_u16(8, counts.authority);
  out.patch_u16(10, counts.additional);
  return std::move(out.bytes());
}

size_t udp_limit(const Query& query) {
  if (!query.edns) return kMinUdp;
  return std::clamp(query.edns->udp_size, kMinUdp, kMaxUdp);
}

}  // namespace server::dns
