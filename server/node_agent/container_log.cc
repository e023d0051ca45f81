#include "server/node_agent/container_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>

namespace server {
namespace {

constexpr auto kLookAtReader = std::chrono::milliseconds(500);
constexpr size_t kMaxLine = 16384;  // Longer lines are cut into parts tagged P, as CRI runtimes do.

struct Line {
  std::string_view time, stream, text;
  bool complete = true;
};

// "2026-01-02T03:04:05.000000007Z stdout F text"
Line parse_line(std::string_view raw) {
  Line line;
  size_t a = raw.find(' ');
  size_t b = a == std::string_view::npos ? a : raw.find(' ', a + 1);
  size_t c = b == std::string_view::npos ? b : raw.find(' ', b + 1);
  if (c == std::string_view::npos) return Line{"", "stdout", raw, true};
  line.time = raw.substr(0, a);
  line.stream = raw.substr(a + 1, b - a - 1);
  line.complete = raw.substr(b + 1, c - b - 1) != "P";
  line.text = raw.substr(c + 1);
  return line;
}

// Applies since, timestamps and limitBytes line by line.
class Filter {
 public:
  Filter(const LogOptions& options, base::WallTime now, const std::function<bool(std::string_view)>& sink) : options_(options), sink_(sink) {
    if (options.since_time.has_value()) since_ = *options.since_time;
    if (options.since_seconds.has_value()) since_ = now - std::chrono::seconds(*options.since_seconds);
    if (options.limit_bytes.has_value()) left_ = static_cast<size_t>(*options.limit_bytes);
  }

  bool wants(std::string_view raw) const {
    if (since_ == base::WallTime{}) return true;
    base::Result<base::WallTime> at = base::parse_rfc3339(parse_line(raw).time);
    return !at.ok() || *at >= since_;
  }

  bool send(std::string_view raw) {
    Line line = parse_line(raw);
    std::string out;
    if (options_.timestamps && at_start_) (out += line.time) += ' ';
    out += line.text;
    if (line.complete) out += '\n';
    at_start_ = line.complete;
    if (out.size() >= left_) {
      sink_(std::string_view(out).substr(0, left_));
      return false;
    }
    left_ -= out.size();
    return sink_(out);
  }

 private:
  const LogOptions& options_;
  const std::function<bool(std::string_view)>& sink_;
  base::WallTime since_{};
  size_t left_ = SIZE_MAX;
  bool at_start_ = true;
};

std::string read_from(const std::string& path, size_t offset) {
  std::string out;
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return out;
  char buffer[65536];
  for (ssize_t n; (n = ::pread(file.get(), buffer, sizeof buffer, static_cast<off_t>(offset + out.size()))) > 0;) out.append(buffer, static_cast<size_t>(n));
  return out;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    out.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

void ContainerLog::write_line(const char* stream, std::string_view line, bool complete) {
  if (!file_) {
    file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!file_) return;  // The tmpfs is full or gone: output is lost, the container goes on.
  }
  std::string text = base::render_rfc3339_nano(base::SystemClock().wall());
  ((text += ' ') += stream) += complete ? " F " : " P ";
  text += line;
  text += '\n';
  if (!base::write_all(file_.get(), text.data(), text.size()).ok()) {
    base::ignore(::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0, "half a line would be taken for one by readers");
    return;
  }
  size_ += text.size();
  if (size_ > kMaxFile) rotate();
}

ContainerLog::~ContainerLog() {
  ::unlink(path_.c_str());
  ::unlink((path_ + ".1").c_str());
}

void ContainerLog::rotate() {
  file_.reset();
  ::rename(path_.c_str(), (path_ + ".1").c_str());
  size_ = 0;
  ++generation_;
}

void ContainerLog::tell_subscribers(bool err, std::string_view bytes) {
  for (auto it = subscribers_.begin(); it != subscribers_.end();) {
    base::Fd& to = err ? it->err : it->out;
    bool gone = to.valid() && ::write(to.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size());
    it = gone ? subscribers_.erase(it) : it + 1;
  }
}

void ContainerLog::write_whole_line(const char* stream, std::string_view line) {
  for (; line.size() > kMaxLine; line.remove_prefix(kMaxLine)) write_line(stream, line.substr(0, kMaxLine), false);
  write_line(stream, line, true);
}

void ContainerLog::print(std::string_view lines) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  tell_subscribers(false, lines);
  for (std::string_view line : split(lines)) write_whole_line("stdout", line);
  grown_.notify_all();
}

void ContainerLog::write(const char* stream, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  bool is_err = std::strcmp(stream, "stderr") == 0;
  tell_subscribers(is_err, bytes);
  std::string& partial = streams_[is_err ? 1 : 0].partial;
  partial += bytes;
  size_t at = 0;
  for (size_t end; (end = partial.find('\n', at)) != std::string::npos; at = end + 1) write_whole_line(stream, std::string_view(partial).substr(at, end - at));
  partial.erase(0, at);
  while (partial.size() >= kMaxLine) {
    write_line(stream, std::string_view(partial).substr(0, kMaxLine), false);
    partial.erase(0, kMaxLine);
  }
  grown_.notify_all();
}

void ContainerLog::end() {
  std::lock_guard lock(mutex_);
  for (Stream& s : streams_) {
    if (!s.partial.empty()) write_line(s.name, s.partial, false);
    s.partial.clear();
  }
  ended_ = true;
  subscribers_.clear();
  grown_.notify_all();
}

bool ContainerLog::ended() {
  std::lock_guard lock(mutex_);
  return ended_;
}

void ContainerLog::subscribe(base::Fd out, base::Fd err) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  for (base::Fd* fd : {&out, &err}) {
    if (fd->valid()) base::ignore(base::set_nonblocking(fd->get()), "a blocking pipe would only be slower");
    if (fd->valid()) ::fcntl(fd->get(), F_SETPIPE_SZ, 1 << 20);
  }
  subscribers_.push_back({std::move(out), std::move(err)});
}

// Everything written so far, and where to go on.
std::string ContainerLog::snapshot(Position* position) {
  std::lock_guard lock(mutex_);
  std::string text = read_from(path_ + ".1", 0);
  std::string current = read_from(path_, 0);
  *position = {generation_, current.size()};
  return text + current;
}

// What came after `position`, or "" when nothing did for a while; nothing at the end of the log. A reader that
// fell behind by more than one rotation has missed what is not kept.
std::optional<std::string> ContainerLog::wait_for_more(Position* position) {
  std::unique_lock lock(mutex_);
  grown_.wait_for(lock, kLookAtReader, [&] { return ended_ || generation_ != position->generation || size_ > position->offset; });
  std::string text;
  if (generation_ != position->generation) {
    text = read_from(path_ + ".1", generation_ == position->generation + 1 ? position->offset : 0);
    *position = {generation_, 0};
  } else if (ended_ && size_ <= position->offset) {
    return std::nullopt;
  }
  std::string current = read_from(path_, position->offset);
  position->offset += current.size();
  return text + current;
}

void ContainerLog::read(const LogOptions& options, base::WallTime now, const std::function<bool(std::string_view)>& sink) {
  Position position;
  std::string text = snapshot(&position);
  Filter filter(options, now, sink);
  std::vector<std::string_view> lines = split(text);
  size_t begin = 0;
  if (options.tail_lines.has_value()) {
    auto want = static_cast<size_t>(*options.tail_lines);
    begin = lines.size() > want ? lines.size() - want : 0;
  }
  for (size_t i = begin; i < lines.size(); ++i) {
    if (filter.wants(lines[i]) && !filter.send(lines[i])) return;
  }
  while (options.follow) {
    std::optional<std::string> more = wait_for_more(&position);
    if (!more.has_value()) return;
    if (more->empty() && !sink("")) return;  // Only asks whether the reader is still there.
    for (std::string_view line : split(*more)) {
      if (filter.wants(line) && !filter.send(line)) return;
    }
  }
}

std::string ContainerLog::tail(size_t lines, size_t bytes) {
  Position position;
  std::string text = snapshot(&position);
  std::vector<std::string_view> all = split(text);
  std::string out;
  for (size_t i = all.size() > lines ? all.size() - lines : 0; i < all.size(); ++i) {
    Line line = parse_line(all[i]);
    (out += line.text) += line.complete ? "\n" : "";
  }
  return out.size() > bytes ? out.substr(out.size() - bytes) : out;
}

namespace {

struct Pump {
  base::Loop& io;
  std::shared_ptr<ContainerLog> log;
  base::Fd fds[2];
  base::Loop::Id ids[2] = {0, 0};
  int open = 0;
};

// One read a readiness event: the loop stays fair among many chatty containers.
void on_readable(const std::shared_ptr<Pump>& p, int which) {
  char buffer[65536];
  ssize_t n = ::read(p->fds[which].get(), buffer, sizeof buffer);
  if (n > 0) p->log->write(which == 0 ? "stdout" : "stderr", std::string_view(buffer, static_cast<size_t>(n)));
  if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
  // End of file; EIO is what a pty gives when its other side closed.
  std::shared_ptr<Pump> keep = p;
  keep->io.cancel(keep->ids[which]);
  keep->fds[which].reset();
  if (--keep->open == 0) keep->log->end();
}

}  // namespace

void pump(base::Loop& io, std::shared_ptr<ContainerLog> log, base::Fd out, base::Fd err) {
  auto p = std::make_shared<Pump>(Pump{io, std::move(log), {std::move(out), std::move(err)}});
  io.post([p] {
    for (int i = 0; i < 2; ++i) {
      if (!p->fds[i]) continue;
      base::ignore(base::set_nonblocking(p->fds[i].get()), "then a read may block for a moment");
      ++p->open;
      p->ids[i] = p->io.watch(p->fds[i].get(), base::Loop::Interest::kReadable, [p, i](base::Loop::Ready) { on_readable(p, i); });
    }
    if (p->open == 0) p->log->end();
  });
}

}  // namespace server
