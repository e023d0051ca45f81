// Words and numbers as Go prints and reads them; command lines; forms.
#include "server/images/go_text.h"

#include <gtest/gtest.h>

#include "server/images/go_flags.h"
#include "server/images/multipart.h"
#include "server/images/simple_apps.h"

namespace {

using namespace server::images;
using std::chrono::nanoseconds;

TEST(GoText, durations) {
  struct Row {
    const char* in;
    int64_t want;        // Nanoseconds; -1: refused.
    const char* shown;
  };
  const Row rows[] = {
      {"0", 0, "0s"}, {"1s", 1000000000, "1s"}, {"300ms", 300000000, "300ms"}, {"1.5s", 1500000000, "1.5s"}, {"1m30s", 90000000000, "1m30s"},
      {"1h2m3s", 3723000000000, "1h2m3s"}, {"2h", 7200000000000, "2h0m0s"}, {"5us", 5000, "5µs"}, {"5µs", 5000, "5µs"}, {"7ns", 7, "7ns"},
      {"1.0000005s", 1000000500, "1.0000005s"}, {"", -1, ""}, {"1", -1, ""}, {"s", -1, ""}, {"1x", -1, ""}, {".s", -1, ""}, {"1..5s", -1, ""},
      {"9999999999999h", -1, ""}, {"1s ", -1, ""},
  };
  for (const Row& row : rows) {
    auto got = parse_go_duration(row.in);
    EXPECT_EQ(got ? got->count() : -1, row.want) << row.in;
    if (got) {
      EXPECT_EQ(render_go_duration(*got), row.shown) << row.in;
    }
  }
  EXPECT_EQ(parse_go_duration("-1s")->count(), -1000000000);
  EXPECT_EQ(render_go_duration(nanoseconds(-1500)), "-1.5µs");
}

TEST(GoText, words) {
  EXPECT_EQ(go_quoted("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\n\\x01\"");
  EXPECT_EQ(go_json_string("<a href=\"x\">&\n"), "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\n\"");
  EXPECT_EQ(go_json_string("\xff!"), "\"\xef\xbf\xbd!\"");
  EXPECT_EQ(parse_go_int("-12").value_or(0), -12);
  for (const char* bad : {"", "+", "1x", " 1", "12345678901"}) EXPECT_FALSE(parse_go_int(bad)) << bad;
}

TEST(GoText, content_types) {
  struct Row {
    std::string in;
    const char* want;
  };
  const Row rows[] = {
      {"hello", "text/plain; charset=utf-8"}, {"<a href=\"/x\">t</a>", "text/html; charset=utf-8"}, {"  \n<!doctype html>", "text/html; charset=utf-8"},
      {"<!-- c -->", "text/html; charset=utf-8"}, {"<abbr>", "text/plain; charset=utf-8"}, {"<a", "text/plain; charset=utf-8"},
      {"<?xml version=\"1.0\"?>", "text/xml; charset=utf-8"}, {std::string("\x00\x01", 2), "application/octet-stream"},
      {"\x89PNG\r\n\x1a\n...", "image/png"}, {"{\"a\":1}", "text/plain; charset=utf-8"}, {"", "text/plain; charset=utf-8"},
  };
  for (const Row& row : rows) EXPECT_EQ(sniff_content_type(row.in), row.want) << row.in;
}

TEST(GoFlags, both_styles) {
  struct Row {
    const char* name;
    FlagStyle style;
    std::vector<std::string> in;
    const char* want;  // "text number on wait|words" or the error
  };
  const FlagStyle s = FlagStyle::kStandard, c = FlagStyle::kCobra;
  const Row rows[] = {
      {"standard, one dash", s, {"-text", "a", "-number=3"}, "a 3 0 0s|"},
      {"standard, two dashes", s, {"--text=a=b", "--on"}, "a=b 0 1 0s|"},
      {"standard stops at a word", s, {"x", "-text", "a"}, " 0 0 0s|x -text a"},
      {"standard, unknown", s, {"-nope"}, "flag provided but not defined: -nope"},
      {"standard, no value", s, {"-text"}, "flag needs an argument: -text"},
      {"standard, no number", s, {"-number", "x"}, "invalid value \"x\" for flag -number: parse error"},
      {"cobra, anywhere", c, {"w", "--text", "a", "v", "--wait=1s"}, "a 0 0 1s|w v"},
      {"cobra, switched off", c, {"--on=false"}, " 0 0 0s|"},
      {"cobra, dashes end flags", c, {"--", "--text"}, " 0 0 0s|--text"},
      {"cobra, unknown", c, {"--nope=1"}, "unknown flag: --nope"},
      {"cobra, shorthand", c, {"-t"}, "unknown shorthand flag: 't' in -t"},
      {"cobra, no number", c, {"--number=x"}, "invalid argument \"x\" for \"--number\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"},
      {"cobra, no duration", c, {"--wait=x"}, "invalid argument \"x\" for \"--wait\" flag: time: invalid duration \"x\""},
  };
  for (const Row& row : rows) {
    std::string text;
    int number = 0;
    bool on = false;
    nanoseconds wait{0};
    auto words = parse_go_flags(row.style, {{"text", &text, ""}, {"number", &number, ""}, {"on", &on, ""}, {"wait", &wait, ""}}, row.in);
    std::string got = words.ok() ? text + " " + std::to_string(number) + " " + (on ? "1" : "0") + " " + render_go_duration(wait) + "|" : words.error().message;
    if (words.ok()) {
      for (size_t i = 0; i < words->size(); ++i) got += (i == 0 ? "" : " ") + (*words)[i];
    }
    EXPECT_EQ(got, row.want) << row.name;
  }
}

TEST(Multipart, files) {
  const std::string type = "multipart/form-data; boundary=XX";
  auto part = [](const std::string& name, const std::string& body) { return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"f\"\r\nContent-Type: x\r\n\r\n" + body + "\r\n"; };
  struct Row {
    const char* name;
    std::string type, body;
    const char* want;  // nullptr: none
  };
  const Row rows[] = {
      {"one", type, part("file", "abc") + "--XX--\r\n", "abc"},
      {"second", type, part("other", "1") + part("file", "2") + "--XX--\r\n", "2"},
      {"empty", type, part("file", "") + "--XX--\r\n", ""},
      {"lines inside", type, part("file", "a\r\n--X\r\nb") + "--XX--", "a\r\n--X\r\nb"},
      {"quoted boundary", "multipart/form-data; boundary=\"XX\"", part("file", "q") + "--XX--", "q"},
      {"other name", type, part("fil", "abc") + "--XX--", nullptr},
      {"unfinished", type, "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc", nullptr},
      {"no head end", type, "--XX\r\nContent-Disposition: form-data", nullptr},
      {"no boundary", "multipart/form-data", part("file", "abc"), nullptr},
      {"other type", "text/plain", part("file", "abc"), nullptr},
      {"nothing", type, "", nullptr},
  };
  for (const Row& row : rows) {
    auto got = multipart_file(row.type, row.body, "file");
    EXPECT_EQ(got.value_or("(none)"), row.want == nullptr ? "(none)" : row.want) << row.name;
  }
}

TEST(SimpleApps, listen_addresses) {
  struct Row {
    const char* in;
    const char* want;
  };
  const Row rows[] = {
      {":5678", " 5678"}, {"0.0.0.0:80", "0.0.0.0 80"}, {"[::1]:80", "::1 80"}, {"[::]:80", " 80"}, {"127.0.0.1:0", "127.0.0.1 0"}, {":", " 80"},
      {"5678", "listen tcp: address 5678: missing port in address"}, {"::1:80", "listen tcp: address ::1:80: too many colons in address"},
      {":x", "listen tcp: address :x: invalid port"}, {":65536", "listen tcp: address :65536: invalid port"},
  };
  for (const Row& row : rows) {
    auto got = parse_listen_address(row.in);
    EXPECT_EQ(got.ok() ? got->host + " " + std::to_string(got->port) : got.error().message, row.want) << row.in;
  }
}

}  // namespace
