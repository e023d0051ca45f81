// Each request of smuggling_corpus.txt, whole and byte by byte: however it arrives, it is understood in the one way wanted.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/http1/parser.h"

namespace server::gateway::http1 {
namespace {

struct SmugglingRow {
  int line = 0;
  std::string want, bytes;
};

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    char kind = text[++i];
    if (kind == 'x') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else if (kind == '{') {
      size_t star = text.find('*', i);
      out.append(std::stoul(std::string(text.substr(i + 1, star - i - 1))), text.at(star + 1));
      i = star + 2;
    } else {
      out += kind == 'r' ? '\r' : kind == 'n' ? '\n' : kind == 't' ? '\t' : kind;
    }
  }
  return out;
}

std::vector<SmugglingRow> read_corpus() {
  std::ifstream in(KUBELAN_SOURCE_DIR "/tests/server/gateway/http1/smuggling_corpus.txt");
  std::vector<SmugglingRow> rows;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    size_t bar = line.find(" | ");
    EXPECT_NE(bar, std::string::npos) << "line " << number;
    if (bar != std::string::npos) rows.push_back({number, unescape(line.substr(0, bar)), unescape(line.substr(bar + 3))});
  }
  return rows;
}

// The body that follows a chunked head, given `step` bytes more at a time.
std::string read_chunks(std::string_view bytes, size_t step) {
  ChunkedReader reader;
  std::string body;
  size_t used = 0;
  for (size_t have = std::min(step, bytes.size());; have = std::min(have + step, bytes.size())) {
    for (;;) {
      ChunkedReader::Step s = reader.next(bytes.substr(used, have - used));
      used += s.used;
      body.append(s.data);
      if (s.kind == ChunkedReader::Step::Kind::kBroken) return "broken \"" + body + "\"";
      if (s.kind == ChunkedReader::Step::Kind::kNeedMore) break;
      if (s.kind != ChunkedReader::Step::Kind::kEnd) continue;
      std::string out = " body=\"" + body + "\"";
      for (size_t i = 0; i < reader.trailers().size(); ++i) out += " {" + std::string(reader.trailers()[i].name) + ": " + std::string(reader.trailers()[i].value) + "}";
      if (used < bytes.size()) out += " +" + std::to_string(bytes.size() - used);
      return out;
    }
    if (have == bytes.size()) return "more";
  }
}

std::string outcome(std::string_view bytes, size_t step) {
  RequestHead head;
  Parsed parsed;
  for (size_t have = std::min(step, bytes.size());; have = std::min(have + step, bytes.size())) {
    parsed = parse_request_head(bytes.substr(0, have), HeadLimits(), &head);
    if (parsed.kind != Parsed::Kind::kNeedMore || have == bytes.size()) break;
  }
  if (parsed.kind == Parsed::Kind::kNeedMore) return "more";
  if (parsed.kind == Parsed::Kind::kRefused) return std::to_string(parsed.status);
  std::string out = head.method + " " + head.target + " host=" + head.authority;
  if (head.body == BodyKind::kLength) out += " length=" + std::to_string(head.length);
  if (head.body == BodyKind::kStream) out += " chunked";
  if (!head.upgrade.empty()) out += " upgrade=" + head.upgrade;
  for (size_t i = 0; i < head.headers.size(); ++i) out += " [" + std::string(head.headers[i].name) + ": " + std::string(head.headers[i].value) + "]";
  std::string_view rest = bytes.substr(parsed.used);
  if (head.body != BodyKind::kStream) return rest.empty() ? out : out + " +" + std::to_string(rest.size());
  std::string body = read_chunks(rest, step);
  return body[0] == ' ' ? out + body : body;
}

TEST(Smuggling, every_request_has_one_reading) {
  std::vector<SmugglingRow> rows = read_corpus();
  ASSERT_GE(rows.size(), 100u);
  for (const SmugglingRow& row : rows) {
    for (size_t step : {row.bytes.size(), size_t{7}, size_t{1}}) {
      if (step == 1 && row.bytes.size() > 2000) continue;  // Each step reads the head anew.
      EXPECT_EQ(outcome(row.bytes, step), row.want) << "smuggling_corpus.txt:" << row.line << ", " << step << " bytes at a time";
    }
  }
}

}  // namespace
}  // namespace server::gateway::http1
