// A container's output: what is kept, and what readers ask of it.
#include "server/node_agent/container_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct ContainerLogTest : testing::Test {
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir.data()), nullptr);
    log = std::make_shared<ContainerLog>(dir + "/0.log");
  }
  void TearDown() override {
    log.reset();
    EXPECT_TRUE(std::filesystem::is_empty(dir)) << "a log takes its files with it";
    std::filesystem::remove_all(dir);
  }
  std::string read(const LogOptions& options = {}, base::WallTime now = base::SystemClock().wall()) {
    std::string out;
    log->read(options, now, [&](std::string_view text) { return out += text, true; });
    return out;
  }
  // Waits on a condition, not on time.
  static bool eventually(const std::function<bool()>& condition) {
    auto end = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      ::usleep(500);
    }
    return true;
  }

  std::string dir = "/tmp/kubelan-log-test-XXXXXX";
  std::shared_ptr<ContainerLog> log;
};

TEST_F(ContainerLogTest, Options) {
  log->write("stdout", "one\ntwo\n");
  log->write("stderr", "three\n");
  log->write("stdout", "four");  // Not ended yet: kept back.
  struct Row {
    const char* name;
    LogOptions options;
    const char* want;
  };
  auto with = [](auto set) {
    LogOptions o;
    set(o);
    return o;
  };
  const Row rows[] = {
      {"all, in the order written", {}, "one\ntwo\nthree\n"},
      {"tail", with([](LogOptions& o) { o.tail_lines = 2; }), "two\nthree\n"},
      {"tail of nothing", with([](LogOptions& o) { o.tail_lines = 0; }), ""},
      {"tail of more", with([](LogOptions& o) { o.tail_lines = 100; }), "one\ntwo\nthree\n"},
      {"limit in a line", with([](LogOptions& o) { o.limit_bytes = 6; }), "one\ntw"},
      {"limit at a line's end", with([](LogOptions& o) { o.limit_bytes = 4; }), "one\n"},
      {"limit beyond", with([](LogOptions& o) { o.limit_bytes = 1000; }), "one\ntwo\nthree\n"},
      {"tail, then limit", with([](LogOptions& o) { o.tail_lines = 1, o.limit_bytes = 3; }), "thr"},
      {"since long ago", with([](LogOptions& o) { o.since_seconds = 3600; }), "one\ntwo\nthree\n"},
      {"since a time to come", with([](LogOptions& o) { o.since_time = base::SystemClock().wall() + std::chrono::hours(1); }), ""},
  };
  for (const Row& row : rows) EXPECT_EQ(read(row.options), row.want) << row.name;
  LogOptions recent;
  recent.since_seconds = 10;
  EXPECT_EQ(read(recent, base::SystemClock().wall() + seconds(60)), "") << "the clock of the reader counts";
  log->end();
  EXPECT_EQ(read(), "one\ntwo\nthree\nfour") << "the end brings what was kept back";
}

TEST_F(ContainerLogTest, PrintedLinesStandBesideWhatTheContainerWrites) {
  ContainerLog own(dir + "/printed.log");
  own.write("stdout", "half ");
  own.print("a whole line\nanother\n");
  own.write("stdout", "and half\n");
  own.end();
  own.print("too late\n");
  std::string text;
  own.read(LogOptions{}, base::WallTime{}, [&](std::string_view chunk) {
    text += chunk;
    return true;
  });
  EXPECT_EQ(text, "a whole line\nanother\nhalf and half\n");
}

TEST_F(ContainerLogTest, Timestamps) {
  log->write("stdout", "a\n\nb\n");
  log->write("stdout", std::string(40000, 'x') + "\n");
  LogOptions options;
  options.timestamps = true;
  std::string text = read(options);
  int lines = 0;
  for (size_t at = 0; at < text.size(); ++lines) {
    size_t end = text.find('\n', at), space = text.find(' ', at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_TRUE(base::parse_rfc3339(text.substr(at, space - at)).ok()) << text.substr(at, 40);
    EXPECT_TRUE(lines != 3 || text.substr(space + 1, end - space - 1) == std::string(40000, 'x')) << "one stamp for a line kept in parts";
    at = end + 1;
  }
  EXPECT_EQ(lines, 4);
}

TEST_F(ContainerLogTest, LinesCutAnywhereComeOutWhole) {
  const std::string text = "first line\n" + std::string(50000, 'y') + "\n\nlast\n";
  for (size_t step : {1ul, 7ul, 16384ul, 60000ul}) {
    log = std::make_shared<ContainerLog>(dir + "/" + std::to_string(step) + ".log");
    for (size_t at = 0; at < text.size(); at += step) log->write("stdout", std::string_view(text).substr(at, step));
    EXPECT_EQ(read(), text) << step;
  }
}

TEST_F(ContainerLogTest, RotationIsBoundedAndKeepsTheNewest) {
  const std::string line(9999, 'z');
  for (int i = 0; i < 3000; ++i) log->write("stdout", std::to_string(i) + line + "\n");  // 30 MB
  uintmax_t size = 0;
  for (const auto& file : std::filesystem::directory_iterator(dir)) size += file.file_size();
  EXPECT_LE(size, 2 * ContainerLog::kMaxFile + 100000);
  LogOptions last;
  last.tail_lines = 1200;  // Across both files.
  std::string text = read(last);
  EXPECT_EQ(text.substr(0, 5), "1800z");
}

TEST_F(ContainerLogTest, FollowersMissNothingAcrossARotation) {
  std::atomic<size_t> got{0};
  std::string all;
  log->write("stdout", "old\n");
  std::thread reader([&] {
    LogOptions options;
    options.follow = true;
    log->read(options, base::SystemClock().wall(), [&](std::string_view text) {
      all += text;
      got = all.size();
      return true;
    });
  });
  ASSERT_TRUE(eventually([&] { return got == 4; }));
  size_t want = 4;
  const std::string line(9000, 'f');
  // Steps of half a file: a reader may fall behind by less than one rotation.
  for (int step = 0; step < 5; ++step) {
    for (int i = 0; i < 600; ++i) {
      log->write("stdout", line + "\n");
      want += line.size() + 1;
    }
    ASSERT_TRUE(eventually([&] { return got == want; })) << got << " of " << want;
  }
  log->end();
  reader.join();
  EXPECT_EQ(all.size(), want);
}

TEST_F(ContainerLogTest, FollowersAreAskedWhetherTheyAreStillThere) {
  log->write("stdout", "a\n");
  LogOptions options;
  options.follow = true;
  options.tail_lines = 0;
  int asked = 0;
  log->read(options, base::SystemClock().wall(), [&](std::string_view text) {
    EXPECT_TRUE(text.empty());
    return ++asked < 2;
  });
  EXPECT_EQ(asked, 2);
}

TEST_F(ContainerLogTest, FollowStopsAtTheLimit) {
  LogOptions options;
  options.follow = true;
  options.limit_bytes = 5;
  std::string out;
  std::thread reader([&] { log->read(options, base::SystemClock().wall(), [&](std::string_view text) { return out += text, true; }); });
  log->write("stdout", "abc\ndef\n");
  reader.join();
  EXPECT_EQ(out, "abc\nd");
}

TEST_F(ContainerLogTest, Subscribers) {
  base::Pipe out = base::make_pipe().value(), err = base::make_pipe().value(), only = base::make_pipe().value();
  log->write("stdout", "before\n");
  log->subscribe(std::move(out.write), std::move(err.write));
  log->subscribe(std::move(only.write), base::Fd());
  log->write("stdout", "O");
  log->write("stderr", "E");
  log->end();
  auto drain = [](const base::Fd& fd) {
    std::string text;
    char c;
    while (::read(fd.get(), &c, 1) == 1) text += c;
    return text;
  };
  EXPECT_EQ(drain(out.read), "O");
  EXPECT_EQ(drain(err.read), "E");
  EXPECT_EQ(drain(only.read), "O") << "standard error was not asked for";
  base::Pipe late = base::make_pipe().value();
  log->subscribe(std::move(late.write), base::Fd());
  EXPECT_EQ(drain(late.read), "") << "after the end: the end";
}

TEST_F(ContainerLogTest, ASubscriberThatDoesNotReadIsDropped) {
  base::Pipe slow = base::make_pipe().value();
  log->subscribe(std::move(slow.write), base::Fd());
  for (int i = 0; i < 200; ++i) log->write("stdout", std::string(16000, 's') + "\n");  // More than a pipe holds.
  std::string text(8 << 20, '\0');
  size_t got = 0;
  for (ssize_t n; (n = ::read(slow.read.get(), text.data(), text.size())) > 0;) got += static_cast<size_t>(n);
  EXPECT_LT(got, 200u * 16001) << "it ended early; nobody waited";
}

TEST_F(ContainerLogTest, Tail) {
  log->write("stdout", "1\n2\n3\n4");
  log->end();
  EXPECT_EQ(log->tail(2, 100), "3\n4");
  EXPECT_EQ(log->tail(10, 3), "3\n4");
}

TEST_F(ContainerLogTest, PumpReadsBothToTheEnd) {
  base::Loop io("io");
  base::Pipe out = base::make_pipe().value(), err = base::make_pipe().value();
  pump(io, log, std::move(out.read), std::move(err.read));
  ASSERT_TRUE(base::write_all(out.write.get(), "hello\n", 6).ok());
  out.write.reset();
  EXPECT_TRUE(eventually([&] { return read() == "hello\n"; }));
  EXPECT_FALSE(log->ended()) << "the other stream is open";
  ASSERT_TRUE(base::write_all(err.write.get(), "bye\n", 4).ok());
  err.write.reset();
  EXPECT_TRUE(eventually([&] { return log->ended(); }));
  EXPECT_EQ(read(), "hello\nbye\n");
}

TEST_F(ContainerLogTest, ALoopThatEndsLeavesNoPump) {
  base::Pipe out = base::make_pipe().value(), err = base::make_pipe().value();
  {
    base::Loop io("io");
    pump(io, log, std::move(out.read), std::move(err.read));
  }
  EXPECT_EQ(log.use_count(), 1);
  EXPECT_EQ(::write(out.write.get(), "", 0), 0);
}

}  // namespace
}  // namespace server
