// tests/server/gateway/differential/conversation.h - one request of requests.txt: what is sent, what came back, and that in a form which two
// proxies can be compared by.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace differential {

struct Request {
  std::string name, bytes;
  bool tls = false;          // To the port for TLS.
  bool handshake = true;     // False with `tls`: plain bytes to that port.
  std::string server_name;   // SNI
};

// Requests of a file in the form that requests.txt explains; dies on a line it cannot read, naming it.
std::vector<Request> read_requests(const std::string& text);

struct Answer {
  std::string status;                 // "HTTP/1.1 200 OK"
  std::vector<std::string> headers;   // "name: value", names in lower case, sorted; without Date, Server and the like.
  std::string body;                   // Chunks undone. Of an echo: the head's fields in the same form.
  bool whole = true;                  // False: the connection ended before it should.
};
struct Conversation {
  std::vector<Answer> answers;
  std::string rest;          // What came after them and is no answer; of a tunnel, what came through it.
  bool kept = false;         // The connection took another request afterwards.
  bool answered_in_time = true;
  std::string certificate;   // PEM of what the other side showed; empty without TLS.
  std::string raw;           // All bytes that came, as they came.
};

// Sends the request on a connection of its own to 127.0.0.1, and after the first whole answer one more that asks for the connection's end,
// whose own answer (403, from end.example) is not among `answers`: so that everything comes without waiting for silence.
Conversation converse(const Request& request, uint16_t port, uint16_t tls_port);

// Where they differ: "status: A | B", "header x: A | B", "body: A | B", ... Empty: nowhere.
std::vector<std::string> compare(const Conversation& a, const Conversation& b);

}  // namespace differential
