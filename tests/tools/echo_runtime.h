// A PodRuntime without pods: exec copies its input to its output, says its command on stderr and exits with the
// number of its arguments; logs are two lines; every port answers with what it gets.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "server/api/pod_runtime.h"

namespace server {

class EchoSession final : public ExecSession {
 public:
  explicit EchoSession(const ExecOptions& options) : code_(static_cast<int>(options.command.size()) - 1) {
    for (base::Pipe* pipe : {&in_, &out_, &err_}) {
      auto made = base::make_pipe();
      if (made.ok()) *pipe = std::move(*made);
    }
    std::string text = "ran:";
    for (const std::string& word : options.command) text += " " + word;
    thread_ = std::thread([this, text, reads = options.in] {
      base::ignore(base::write_all(err_.write.get(), (text + "\n").data(), text.size() + 1), "test");
      char b[4096];
      for (ssize_t n; reads && (n = ::read(in_.read.get(), b, sizeof b)) > 0;) base::ignore(base::write_all(out_.write.get(), b, static_cast<size_t>(n)), "test");
      out_.write.reset();
      err_.write.reset();
    });
  }
  ~EchoSession() override {
    in_.write.reset();
    thread_.join();
  }
  int in() const override { return in_.write.get(); }
  void close_in() override { in_.write.reset(); }
  int out() const override { return out_.read.get(); }
  int err() const override { return err_.read.get(); }
  void resize(int, int) override {}
  bool has_exit() const override { return true; }
  int wait() override { return code_; }

 private:
  base::Pipe in_, out_, err_;
  int code_;
  std::thread thread_;
};

class EchoRuntime : public PodRuntime {
 public:
  base::Status logs(const std::string&, const std::string&, const LogOptions& options, const std::function<bool(std::string_view)>& sink) override {
    if (!options.container.empty() && options.container != "c") return base::Error(base::Code::kBadRequest, "container " + options.container + " is not valid for pod");
    if (sink("one\n")) sink("two\n");
    return {};
  }
  base::Result<std::unique_ptr<ExecSession>> exec(const std::string&, const std::string&, const ExecOptions& options) override {
    if (!options.container.empty() && options.container == "nosuch") return base::Error(base::Code::kBadRequest, "container nosuch is not valid for pod");
    return std::unique_ptr<ExecSession>(new EchoSession(options));
  }
  base::Result<std::unique_ptr<ExecSession>> attach(const std::string& ns, const std::string& pod, const ExecOptions& options) override { return exec(ns, pod, options); }
  base::Result<base::Fd> dial(const std::string&, const std::string&, uint16_t port) override {
    if (port == 1) return base::Error(base::Code::kUnavailable, "dial tcp4 127.0.0.1:1: connect: connection refused");
    auto pair = TRY(base::make_socket_pair(SOCK_STREAM));
    std::thread([end = std::move(pair.second)] {
      char b[4096];
      for (ssize_t n; (n = ::read(end.get(), b, sizeof b)) > 0;) base::ignore(base::write_all(end.get(), b, static_cast<size_t>(n)), "test");
    }).detach();
    return std::move(pair.first);
  }
  base::Result<base::Fd> dial_address(const base::Ip&, uint16_t port) override { return dial("", "", port); }
  base::Result<netns::Place> place(const std::string&, const std::string&) override { return base::Error(base::Code::kNotFound, "no pods here"); }
  base::Result<ContainerStandIn> stand_in(const std::string&, const std::string&, const std::string&) override { return base::Error(base::Code::kNotFound, "no pods here"); }
};

}  // namespace server
