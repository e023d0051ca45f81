// exec and attach over both framings.
#include "kubectl-compat/stream/remote_command.h"

#include <gtest/gtest.h>

#include "kubectl-compat/stream/websocket.h"
#include "tests/kubectl-compat/stream/spdy_client.h"

namespace compat {
namespace {

using namespace std::string_literals;

std::string text_of(const RemoteFeed& feed) {
  std::string out;
  for (const RemoteEvent& event : feed.events) {
    switch (event.kind) {
      case RemoteEvent::Kind::kReady: out += "ready; "; break;
      case RemoteEvent::Kind::kStdin: out += "in '" + event.data + "'; "; break;
      case RemoteEvent::Kind::kStdinClosed: out += "eof; "; break;
      case RemoteEvent::Kind::kResize: out += "resize " + std::to_string(event.width) + "x" + std::to_string(event.height) + "; "; break;
      case RemoteEvent::Kind::kClosed: out += "closed; "; break;
    }
  }
  return out;
}
std::string text_of(const base::Result<RemoteFeed>& feed) { return feed.ok() ? text_of(*feed) : "!" + feed.error().message; }

std::string client_frame(const std::string& payload, int opcode = 2) {
  return std::string{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0} + payload;  // A mask of zeros
}

TEST(RemoteCommand, WebSocketV5) {
  auto rc = RemoteCommand::make(RemoteProtocol::kWebSocketV5, {.in = true, .out = true, .err = true});
  EXPECT_EQ(rc->stdout_data("early"), "");
  EXPECT_EQ(text_of(rc->start()), "ready; ");
  EXPECT_EQ(text_of(rc->feed(client_frame("\0hello"s) + client_frame("\0"s) + client_frame("\4{\"Width\":1,\"Height\":1}"s))), "in 'hello'; ");
  EXPECT_EQ(rc->feed(client_frame("p", 9))->bytes, "\x8a\x01p"s);
  EXPECT_EQ(rc->stdout_data("out"), "\x82\x04\x01out"s);
  EXPECT_EQ(rc->stderr_data("err"), "\x82\x04\x02" "err"s);
  EXPECT_EQ(rc->stdout_data(std::string(40000, 'x')).size(), 40000u + 2 * 5u);
  EXPECT_EQ(text_of(rc->feed(client_frame("\xff\0"s) + client_frame("\0late"s))), "eof; ");
  EXPECT_EQ(rc->finish(exit_status_json(0)), "\x82\x23\x03{\"metadata\":{},\"status\":\"Success\"}\x88\x02\x03\xe8"s);
  EXPECT_EQ(rc->finish(exit_status_json(0)), "");
  EXPECT_EQ(rc->stdout_data("late"), "");
  EXPECT_EQ(text_of(rc->feed(client_frame("\x03\xe8"s, 8) + client_frame("\0x"s))), "closed; ");
  EXPECT_EQ(text_of(rc->feed("garbage")), "");
}

TEST(RemoteCommand, WebSocketV4Tty) {
  auto rc = RemoteCommand::make(RemoteProtocol::kWebSocketV4, {.in = true, .out = true, .err = true, .tty = true});
  rc->start();
  EXPECT_EQ(rc->stderr_data("no stderr on a terminal"), "");
  EXPECT_EQ(text_of(rc->feed(client_frame("\4{\"Width\":80,\"Hei"s) + client_frame("\4ght\":24}\n{\"Width\":100,\"Height\":30}"s))),
            "resize 80x24; resize 100x30; ");
  EXPECT_EQ(text_of(rc->feed(client_frame("\4junk}{\"Width\":-1,\"Height\":\"x\"}"s))), "");
  EXPECT_EQ(text_of(rc->feed(client_frame("\xff\0"s))), "") << "v4 cannot close stdin";
  auto closed = rc->feed(client_frame("\x03\xe8"s, 8));
  EXPECT_EQ(text_of(closed), "closed; ");
  EXPECT_EQ(closed->bytes, "\x88\x02\x03\xe8"s);
}

TEST(RemoteCommand, WebSocketProtocolErrors) {
  auto rc = RemoteCommand::make(RemoteProtocol::kWebSocketV5, {.out = true});
  rc->start();
  EXPECT_EQ(text_of(rc->feed("\x82\x01x"s)), "!websocket: frame of a client is not masked");
  EXPECT_EQ(text_of(rc->feed(client_frame("\0x"s))), "!websocket: frame of a client is not masked");
  EXPECT_EQ(rc->failure_bytes().substr(2, 2), "\x03\xea"s);  // 1002
}

TEST(RemoteCommand, SpdyWaitsForItsStreams) {
  auto rc = RemoteCommand::make(RemoteProtocol::kSpdyV4, {.in = true, .out = true, .err = true});
  SpdyClient client;
  EXPECT_EQ(text_of(rc->start()), "");
  auto first = rc->feed(join({client.syn_stream(1, {{"streamtype", "error"}}), client.syn_stream(3, {{"streamtype", "stdin"}}), SpdyClient::data(3, "early")}));
  EXPECT_EQ(text_of(first), "");
  EXPECT_EQ(SpdyClient::describe(first->bytes), "reply 1; reply 3; ");
  EXPECT_EQ(rc->finish(exit_status_json(0)), "");
  auto odd = rc->feed(join({client.syn_stream(5, {{"streamtype", "resize"}}), client.syn_stream(7, {{"streamtype", "stdin"}}), client.syn_stream(8, {})}));
  EXPECT_EQ(SpdyClient::describe(odd->bytes), "reset 5 3; reset 7 3; reset 8 1; ");
  EXPECT_EQ(text_of(rc->feed(join({client.syn_stream(9, {{"streamtype", "stdout"}}), client.syn_stream(11, {{"streamtype", "stderr"}})}))), "ready; in 'early'; ");
  EXPECT_EQ(text_of(rc->feed(SpdyClient::data(3, "more") + SpdyClient::data(3, "", true))), "in 'more'; eof; ");
  EXPECT_EQ(SpdyClient::describe(rc->feed(SpdyClient::ping(1) + SpdyClient::ping(2))->bytes), "ping 1; ");
  EXPECT_EQ(SpdyClient::describe(rc->stdout_data("out") + rc->stderr_data("err")), "data 9 'out'; data 11 'err'; ");
  EXPECT_EQ(SpdyClient::describe(rc->finish(exit_status_json(0))),
            "data 9 fin ''; data 11 fin ''; data 1 fin '{\"metadata\":{},\"status\":\"Success\"}'; ");
  EXPECT_EQ(rc->stdout_data("late"), "");
  EXPECT_EQ(text_of(rc->feed(SpdyClient::go_away())), "closed; ");
}

TEST(RemoteCommand, SpdyTerminal) {
  auto rc = RemoteCommand::make(RemoteProtocol::kSpdyV4, {.in = true, .out = true, .err = true, .tty = true});
  SpdyClient client;
  EXPECT_EQ(text_of(rc->feed(join({client.syn_stream(1, {{"streamtype", "error"}}), client.syn_stream(3, {{"streamtype", "stdin"}}),
                                   client.syn_stream(5, {{"streamtype", "stdout"}}), client.syn_stream(7, {{"streamtype", "resize"}}),
                                   SpdyClient::data(7, "{\"Width\":80,\"Height\":24}\n")}))),
            "ready; resize 80x24; ");
  EXPECT_EQ(text_of(rc->feed(SpdyClient::reset(3))), "eof; ");
  EXPECT_EQ(text_of(rc->feed(SpdyClient::reset(1) + SpdyClient::reset(5) + SpdyClient::reset(7))), "closed; ");
}

TEST(RemoteCommand, Negotiation) {
  struct Row {
    const char* name;
    std::vector<std::string> offered;
    std::string websocket;
    std::string spdy;
  };
  const Row rows[] = {
      {"kubectl", {"v5.channel.k8s.io"}, "v5.channel.k8s.io", "!403"},
      {"js", {"v5.channel.k8s.io, v4.channel.k8s.io,v3.channel.k8s.io"}, "v5.channel.k8s.io", "v4.channel.k8s.io"},
      {"several lines", {"v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"}, "v5.channel.k8s.io", "v4.channel.k8s.io"},
      {"client's order", {"v4.channel.k8s.io,v5.channel.k8s.io"}, "v4.channel.k8s.io", "v4.channel.k8s.io"},
      {"nothing known", {"chat", ""}, "!400", "!403"},
      {"nothing", {}, "!400", "!403"},
  };
  auto show = [](const base::Result<RemoteChoice>& choice) {
    return choice.ok() ? choice->name : "!" + std::to_string(base::http_code(choice.error().code));
  };
  for (const Row& row : rows) {
    EXPECT_EQ(show(choose_websocket_protocol(row.offered)), row.websocket) << row.name;
    EXPECT_EQ(show(choose_spdy_protocol(row.offered)), row.spdy) << row.name;
  }
  EXPECT_EQ(choose_spdy_protocol({"a", "b"}).error().message,
            "unable to upgrade: unable to negotiate protocol: client supports [a b], server accepts [v4.channel.k8s.io]");
}

TEST(RemoteCommand, StatusTexts) {
  EXPECT_EQ(exit_status_json(0), R"({"metadata":{},"status":"Success"})");
  EXPECT_EQ(exit_status_json(7),
            R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status 7","reason":"NonZeroExitCode",)"
            R"("details":{"causes":[{"reason":"ExitCode","message":"7"}]}})");
  EXPECT_EQ(error_status_json("no \"x\" \xff"s),
            R"({"metadata":{},"status":"Failure","message":"Internal error occurred: no \"x\" )" "\xef\xbf\xbd"
            R"(","reason":"InternalError","details":{"causes":[{"message":"no \"x\" )" "\xef\xbf\xbd" R"("}]},"code":500})");
}

}  // namespace
}  // namespace compat
