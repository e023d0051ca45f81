// port-forward over its three framings.
#include "kubectl-compat/stream/port_forward.h"

#include <gtest/gtest.h>

#include "kubectl-compat/stream/websocket.h"
#include "tests/kubectl-compat/stream/spdy_client.h"

namespace compat {
namespace {

using namespace std::string_literals;

std::string text_of(const PortForwardFeed& feed) {
  std::string out;
  for (const PortForwardEvent& event : feed.events) {
    std::string conn = std::to_string(event.conn);
    switch (event.kind) {
      case PortForwardEvent::Kind::kOpen: out += "open " + conn + " to " + std::to_string(event.port) + "; "; break;
      case PortForwardEvent::Kind::kData: out += "data " + conn + " '" + event.data + "'; "; break;
      case PortForwardEvent::Kind::kHalfClose: out += "half " + conn + "; "; break;
      case PortForwardEvent::Kind::kReset: out += "reset " + conn + "; "; break;
      case PortForwardEvent::Kind::kClosed: out += "closed; "; break;
    }
  }
  return out;
}
std::string text_of(const base::Result<PortForwardFeed>& feed) { return feed.ok() ? text_of(*feed) : "!" + feed.error().message; }

std::string client_message(const std::string& payload, int opcode = 2) {
  EXPECT_LT(payload.size(), 126u);
  return std::string{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0} + payload;
}

// The two streams that kubectl opens for a local connection.
std::string open_pair(SpdyClient& client, uint32_t stream, const std::string& port, const std::string& id) {
  return join({client.syn_stream(stream, {{"streamtype", "error"}, {"port", port}, {"requestid", id}}, true),
               client.syn_stream(stream + 2, {{"streamtype", "data"}, {"port", port}, {"requestid", id}})});
}

TEST(PortForward, Spdy) {
  auto pf = PortForward::make(PortForwardProtocol::kSpdy, {});
  SpdyClient client;
  EXPECT_EQ(text_of(pf->start()), "");
  auto opened = pf->feed(join({open_pair(client, 1, "80", "0"), SpdyClient::data(3, "GET"), open_pair(client, 5, "81", "1")}));
  EXPECT_EQ(text_of(opened), "open 0 to 80; data 0 'GET'; open 1 to 81; ");
  EXPECT_EQ(SpdyClient::describe(opened->bytes), "reply 1; reply 3; reply 5; reply 7; ");
  EXPECT_EQ(SpdyClient::describe(pf->data(0, "200 OK")), "data 3 '200 OK'; ");
  EXPECT_EQ(text_of(pf->feed(SpdyClient::data(3, "x", true))), "data 0 'x'; half 0; ");
  EXPECT_EQ(SpdyClient::describe(pf->half_close(0)), "data 3 fin ''; ");
  EXPECT_EQ(pf->half_close(0), "");
  EXPECT_EQ(pf->data(0, "late"), "");
  EXPECT_EQ(SpdyClient::describe(pf->finish(0)), "data 1 fin ''; ");
  EXPECT_EQ(pf->finish(0), "");
  EXPECT_EQ(SpdyClient::describe(pf->fail(1, "connection refused")), "data 5 fin 'connection refused'; data 7 fin ''; ");
  EXPECT_EQ(text_of(pf->feed(SpdyClient::data(7, "to nobody") + SpdyClient::reset(7))), "");
  EXPECT_EQ(text_of(pf->feed(SpdyClient::go_away() + SpdyClient::data(3, "x"))), "closed; ");
}

TEST(PortForward, SpdyResetEndsTheErrorStream) {
  auto pf = PortForward::make(PortForwardProtocol::kSpdy, {});
  SpdyClient client;
  ASSERT_TRUE(pf->feed(open_pair(client, 1, "80", "0")).ok());
  auto reset = pf->feed(SpdyClient::reset(3));
  EXPECT_EQ(text_of(reset), "reset 0; ");
  EXPECT_EQ(SpdyClient::describe(reset->bytes), "data 1 fin ''; ");
  EXPECT_EQ(pf->data(0, "x") + pf->finish(0), "");
  EXPECT_EQ(text_of(pf->feed(open_pair(client, 5, "80", "0"))), "open 1 to 80; ") << "ids are not reused, request ids may be";
}

TEST(PortForward, SpdyOddStreams) {
  SpdyClient client;
  auto pf = PortForward::make(PortForwardProtocol::kSpdy, {});
  auto answer = [&](const std::string& bytes) {
    auto feed = pf->feed(bytes);
    return text_of(feed) + (feed.ok() ? SpdyClient::describe(feed->bytes) : "");
  };
  EXPECT_EQ(answer(client.syn_stream(1, {{"streamtype", "data"}, {"port", "0"}})), "reset 1 3; ");
  EXPECT_EQ(answer(client.syn_stream(3, {{"streamtype", "stdin"}, {"port", "80"}})), "reset 3 3; ");
  EXPECT_EQ(answer(client.syn_stream(4, {})), "reset 4 1; ");
  EXPECT_EQ(answer(client.syn_stream(5, {{"streamtype", "error"}, {"port", "80"}})), "reply 5; ");
  EXPECT_EQ(answer(client.syn_stream(7, {{"streamtype", "data"}, {"port", "80"}})), "open 0 to 80; reply 7; ") << "pairs of old clients, by order";
  EXPECT_EQ(answer(client.syn_stream(9, {{"streamtype", "data"}, {"port", "80"}, {"requestid", "9"}}) + SpdyClient::data(9, "ab", true)), "reply 9; ");
  EXPECT_EQ(answer(client.syn_stream(11, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "9"}})), "open 1 to 80; data 1 'ab'; half 1; reply 11; ");
  EXPECT_EQ(answer(client.syn_stream(13, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "x"}})), "reply 13; ");
  EXPECT_EQ(answer(client.syn_stream(15, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "x"}})), "reset 15 3; ");
  EXPECT_EQ(answer("\x80\x02xxxxxxxx"s), "!spdy: unknown version");
  EXPECT_EQ(SpdyClient::describe(pf->failure_bytes()), "goaway; ");
}

TEST(PortForward, TunnelInAnyCut) {
  for (size_t cut : {1u, 2u, 5u, 51u, 120u}) {
    SpdyClient client;
    auto pf = PortForward::make(PortForwardProtocol::kSpdyTunnel, {});
    std::string stream = open_pair(client, 1, "8080", "0") + SpdyClient::data(3, "hello") + SpdyClient::ping(1);
    std::string events, spdy;
    auto unwrap = [&](const std::string& bytes) {  // Small frames of a server
      for (size_t at = 0; at < bytes.size(); at += 2 + static_cast<unsigned char>(bytes[at + 1])) {
        ASSERT_EQ(bytes[at], '\x82');
        spdy += bytes.substr(at + 2, static_cast<unsigned char>(bytes[at + 1]));
      }
    };
    for (size_t at = 0; at < stream.size(); at += cut) {
      auto feed = pf->feed(client_message("") + client_message(stream.substr(at, cut)));
      events += text_of(feed);
      unwrap(feed->bytes);
    }
    EXPECT_EQ(events, "open 0 to 8080; data 0 'hello'; ") << cut;
    unwrap(pf->data(0, "world"));
    unwrap(pf->finish(0));
    EXPECT_EQ(SpdyClient::describe(spdy), "reply 1; reply 3; ping 1; data 3 'world'; data 1 fin ''; data 3 fin ''; ") << cut;
    auto closed = pf->feed(client_message("\x03\xe8"s, 8));
    EXPECT_EQ(text_of(closed), "closed; ");
    EXPECT_EQ(closed->bytes, ws_close(1000));
  }
}

TEST(PortForward, WebSocketChannels) {
  auto pf = PortForward::make(PortForwardProtocol::kWebSocket, {80, 8080});
  auto start = pf->start();
  EXPECT_EQ(text_of(start), "open 0 to 80; open 1 to 8080; ");
  EXPECT_EQ(start.bytes, "\x82\x03\x00\x50\x00\x82\x03\x01\x50\x00\x82\x03\x02\x90\x1f\x82\x03\x03\x90\x1f"s);
  EXPECT_EQ(text_of(pf->feed(client_message("\0GET"s) + client_message("\2x"s) + client_message("\3y"s) + client_message("\x20z"s))),
            "data 0 'GET'; data 1 'x'; ");
  EXPECT_EQ(pf->data(1, "out"), "\x82\x04\x02out"s);
  EXPECT_EQ(pf->half_close(1), "");
  EXPECT_EQ(pf->fail(0, "refused"), "\x82\x08\x01refused"s);
  EXPECT_EQ(pf->data(0, "late"), "");
  EXPECT_EQ(pf->finish(1), ws_close(1000));
  EXPECT_EQ(text_of(pf->feed(client_message("\x03\xe8"s, 8))), "closed; ");
  EXPECT_EQ(pf->data(7, "nobody"), "");
}

TEST(PortForward, Negotiation) {
  EXPECT_EQ(choose_port_forward_websocket({"SPDY/3.1+portforward.k8s.io"})->protocol, PortForwardProtocol::kSpdyTunnel);
  EXPECT_EQ(choose_port_forward_websocket({"v5.channel.k8s.io, v4.channel.k8s.io"})->name, "v4.channel.k8s.io");
  EXPECT_EQ(choose_port_forward_websocket({"chat"}).error().code, base::Code::kBadRequest);
  EXPECT_EQ(choose_port_forward_spdy({"portforward.k8s.io"})->protocol, PortForwardProtocol::kSpdy);
  EXPECT_EQ(choose_port_forward_spdy({})->name, "portforward.k8s.io");
  EXPECT_EQ(choose_port_forward_spdy({"other"}).error().code, base::Code::kForbidden);
}

}  // namespace
}  // namespace compat
