// tests/server/gateway/http2/rig.h - HTTP/2 sessions without sockets: a handler and events that write down what they hear, and
// a wire between two sessions that cuts the bytes at random places.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "server/gateway/http2/client_session.h"
#include "server/gateway/http2/server_session.h"

namespace server::gateway::http2 {

struct Carried : Session::Carrier {
  bool output = false, later = false;
  void want_output() override { output = true; }
  void want_later() override { later = true; }
};

inline std::string text_of(const Headers& headers) {
  std::string out;
  for (size_t i = 0; i < headers.size(); ++i) out += " [" + std::string(headers[i].name) + ": " + std::string(headers[i].value) + "]";
  return out;
}

// One request as the server's handler sees it.
struct Received final : DownstreamEvents {
  Downstream* stream = nullptr;
  RequestHead head;
  std::string body;
  std::string trailers;
  bool ended = false, gone = false;
  int drained = 0;
  std::function<void(Received&)> on_end, on_data, on_drain;

  void on_body(std::string_view data, bool end) override {
    body += data;
    ended = ended || end;
    if (!data.empty() && on_data) on_data(*this);
    if (end && on_end) on_end(*this);
  }
  void on_trailers(const Headers& t) override {
    trailers = text_of(t);
    ended = true;
    if (on_end) on_end(*this);
  }
  void on_drained() override {
    ++drained;
    if (on_drain) on_drain(*this);
  }
  void on_client_gone() override {
    gone = true;
    stream = nullptr;
  }
  void reply(int status, std::string_view text = {}) {
    ResponseHead answer;
    answer.status = status;
    answer.body = BodyKind::kLength;
    answer.length = text.size();
    stream->send_head(answer, text.empty());
    if (!text.empty()) stream->send_body(text, true);
    close();
  }
  void close() { std::exchange(stream, nullptr)->close(); }
};

struct Handler final : RequestHandler {
  std::vector<std::unique_ptr<Received>> requests;
  std::function<void(Received&)> on_new = [](Received&) {};
  void on_request(Downstream& stream, RequestHead head) override {
    auto made = std::make_unique<Received>();
    made->stream = &stream;
    made->head = std::move(head);
    Received* raw = made.get();
    requests.push_back(std::move(made));
    stream.set_events(raw);
    on_new(*raw);
  }
  Received& last() { return *requests.back(); }
};

// One answer as the client's caller sees it.
struct Answer final : UpstreamEvents {
  UpstreamStream* stream = nullptr;
  ResponseHead head;
  std::string informational, body, trailers, failure;
  bool headed = false, ended = false;
  int drained = 0;
  Failure kind = Failure::kRefused;
  std::function<void(Answer&)> on_drain, on_end;

  void on_informational(int status, const Headers& headers) override { informational += std::to_string(status) + text_of(headers) + ";"; }
  void on_head(ResponseHead h, bool end) override {
    head = std::move(h);
    headed = true;
    finish(end);
  }
  void on_body(std::string_view data, bool end) override {
    body += data;
    finish(end);
  }
  void on_trailers(const Headers& t) override {
    trailers = text_of(t);
    finish(true);
  }
  void on_drained() override {
    ++drained;
    if (on_drain) on_drain(*this);
  }
  void on_failure(Failure f, std::string_view text) override {
    kind = f;
    failure = text;
    stream = nullptr;
  }
  void finish(bool end) {
    if (!end) return;
    ended = true;
    if (on_end) on_end(*this);
  }
  void close() { std::exchange(stream, nullptr)->close(); }
};

inline RequestHead request(std::string method, std::string target) {
  RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.authority = "example.org";
  return head;
}

struct Pages final : Refusals {
  ResponseHead refusal(int status, std::string* body) override {
    *body = "refused: " + std::to_string(status);
    return Refusals::refusal(status, body);
  }
};

// A server session, and bytes to and from it.
struct ServerEnd {
  explicit ServerEnd(const SessionOptions& o = {}) : options(o), session(options, carried, client, handler, pages) {}
  SessionOptions options;
  Carried carried;
  ClientInfo client;
  Handler handler;
  Pages pages;
  ServerSession session;
};

// Both ends. settle() runs until nothing moves, cutting at random places with a fixed seed.
struct Pair {
  explicit Pair(const SessionOptions& server_options = {}, const SessionOptions& client_options = {}, uint32_t seed = 1)
      : server(server_options), client(client_options, client_carried, false), random(seed) {}

  ServerEnd server;
  Carried client_carried;
  ClientSession client;
  std::mt19937 random;
  bool cut = true;
  std::vector<std::unique_ptr<Answer>> answers;

  Answer& open() {
    answers.push_back(std::make_unique<Answer>());
    answers.back()->stream = client.open_stream(answers.back().get());
    return *answers.back();
  }
  Answer& get(const std::string& target) {
    Answer& a = open();
    a.stream->send_head(request("GET", target), true);
    return a;
  }

  template <class To>
  void deliver(const std::string& bytes, To& to) {
    for (size_t at = 0; at < bytes.size();) {
      Socket::Turn turn;
      size_t size = cut ? 1 + random() % std::min<size_t>(bytes.size() - at, 4096) : bytes.size() - at;
      to.feed(std::string_view(bytes).substr(at, size));
      at += size;
    }
  }
  template <class From, class To>
  bool carry(From& from, Carried& carried, To& to) {
    std::string bytes;
    bool moved = false;
    {
      Socket::Turn turn;
      if (std::exchange(carried.later, false)) {
        from.run_later();
        moved = true;
      }
      carried.output = false;
      from.take_output(&bytes, 64 * 1024);
    }
    deliver(bytes, to);
    return moved || !bytes.empty() || carried.output || carried.later;
  }
  void settle() {
    for (int i = 0; i < 200'000; ++i) {
      bool a = carry(client, client_carried, server.session);
      bool b = carry(server.session, server.carried, client);
      if (!a && !b) return;
    }
    FAIL() << "it never comes to rest";
  }
};

// Frames by hand.
inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out;
  out += static_cast<char>(payload.size() >> 16);
  out += static_cast<char>(payload.size() >> 8);
  out += static_cast<char>(payload.size());
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift);
  return out.append(payload);
}

// Fields as literals that are not indexed, without Huffman coding.
inline std::string block(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  auto number = [&out](size_t n) {  // 7 bits and on.
    if (n < 127) {
      out += static_cast<char>(n);
      return;
    }
    out += static_cast<char>(127);
    for (n -= 127; n >= 128; n >>= 7) out += static_cast<char>(0x80 | (n & 0x7f));
    out += static_cast<char>(n);
  };
  for (const auto& [name, value] : fields) {
    out += '\0';
    number(name.size());
    out += name;
    number(value.size());
    out += value;
  }
  return out;
}

inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");
enum : uint8_t { kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPing = 6, kGoaway = 7, kWindow = 8, kContinuation = 9 };
enum : uint8_t { kEndStream = 1, kEndHeaders = 4, kPadded = 8, kAck = 1 };
using Fields = std::vector<std::pair<std::string, std::string>>;
inline const Fields kGet = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
inline Fields with(Fields fields, const Fields& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// A server session that is given bytes, and the frames it answers with: "HEADERS1 431." (a refusal's page) "RST3=8".
struct Raw : ServerEnd {
  explicit Raw(const SessionOptions& o = {}) : ServerEnd(o) {}
  // What is sent, without SETTINGS, WINDOW_UPDATE and header fields.
  std::string feed(std::string_view bytes) {
    Socket::Turn turn;
    session.feed(bytes);
    return take();
  }
  std::string take() {
    Socket::Turn turn;
    std::string bytes, out;
    while (session.take_output(&bytes, 1 << 20)) continue;
    if (std::exchange(carried.later, false)) {
      session.run_later();
      while (session.take_output(&bytes, 1 << 20)) continue;
    }
    for (size_t at = 0; at + 9 <= bytes.size();) {
      auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[at + i]); };
      size_t size = size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2);
      uint32_t stream = uint32_t{byte(5)} << 24 | uint32_t{byte(6)} << 16 | uint32_t{byte(7)} << 8 | byte(8);
      static const char* const kNames[] = {"DATA", "HEADERS", "PRIORITY", "RST", "SETTINGS", "PUSH", "PING", "GOAWAY", "WINDOW", "CONT"};
      uint8_t type = byte(3);
      if (type != kSettings && type != kWindow) {
        std::string_view payload = std::string_view(bytes).substr(at + 9, size);
        bool page = type == kData && payload.substr(0, 9) == "refused: ";
        out += (out.empty() ? "" : " ") + (page ? std::string(payload.substr(9)) : kNames[type] + std::to_string(stream));
        if (type == kReset) out += "=" + std::to_string(byte(12));
        if (type == kGoaway) out += "=" + std::to_string(byte(16));
        if (type <= kHeaders && (byte(4) & kEndStream) != 0) out += ".";
      }
      at += 9 + size;
    }
    return out;
  }
};

}  // namespace server::gateway::http2
