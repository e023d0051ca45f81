#include "netns/process/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "netns/process/child.h"
#include "tests/netns/support.h"

namespace {

using base::Fd;
using base::Result;
using netns::ContainerSpec;
using netns::ExitInfo;
using netns::Mount;
using netns::Sandbox;
using netns::Spawner;
using netns::SpawnerProcess;
using netns::Started;
using netns::Stdio;
using netns_test::ScratchDir;

int say_args(const std::vector<std::string>& argv) {
  for (const std::string& arg : argv) std::printf("[%s]", arg.c_str());
  std::printf("pid=%d open=%d\n", ::getpid(), ::fcntl(3, F_GETFD) == 0 ? 1 : 0);
  return 7;
}

// Slow to begin: looks only whether it was asked to stop before it cared.
int late_starter(const std::vector<std::string>&) {
  bool asked = netns_test::eventually(
      [] {
        sigset_t pending;
        ::sigpending(&pending);
        return ::sigismember(&pending, SIGTERM) == 1;
      },
      std::chrono::seconds(5));
  return asked ? 0 : 1;
}

// A spawner with one sandbox, and calls that wait.
class SpawnerWorld {
 public:
  explicit SpawnerWorld(const std::string& scratch, std::vector<std::string> hidden = {}) {
    netns::SpawnerOptions options;
    options.builtins["say-args"] = say_args;
    options.builtins["late-starter"] = late_starter;
    options.scratch = scratch;
    options.hidden = std::move(hidden);
    process_ = SpawnerProcess::fork(options).value();
    spawner_ = process_->activate();
    // On a thread of its own, as workers do.
    std::thread([this] { sandbox_ = netns::make_sandbox("web-0").value(); }).join();
  }
  ~SpawnerWorld() {
    spawner_.reset();
    process_.reset();
  }

  struct Running {
    Result<Started> started = base::Error();
    std::shared_ptr<std::promise<ExitInfo>> exit = std::make_shared<std::promise<ExitInfo>>();
    ExitInfo wait() { return exit->get_future().get(); }
  };
  Running start(const ContainerSpec& spec, const Stdio& stdio = {}) {
    return begin([&](auto on_started, auto on_exit) { spawner_->start(spec, sandbox_, stdio, on_started, on_exit); });
  }
  Running exec(netns::ProcessId id, const ContainerSpec& spec, const Stdio& stdio = {}) {
    return begin([&](auto on_started, auto on_exit) { spawner_->exec_in(id, spec, stdio, on_started, on_exit); });
  }
  // Runs to the end. Output of both streams, then "exit N".
  std::string output(const ContainerSpec& spec, netns::ProcessId inside = 0) {
    base::Pipe pipe = base::make_pipe().value();
    Stdio stdio{-1, pipe.write.get(), pipe.write.get()};
    Running running = inside == 0 ? start(spec, stdio) : exec(inside, spec, stdio);
    pipe.write.reset();
    if (!running.started.ok()) return "error: " + running.started.error().message;
    std::string text;
    char buffer[4096];
    ssize_t n;
    while ((n = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    return text + "exit " + std::to_string(running.wait().code);
  }
  std::string shell(const std::string& script, std::vector<Mount> mounts = {}) {
    ContainerSpec spec;
    spec.argv = {"sh", "-c", script};
    spec.mounts = std::move(mounts);
    return output(spec);
  }
  Spawner& spawner() { return *spawner_; }
  SpawnerProcess& process() { return *process_; }
  void lose_process() { process_.reset(); }

 private:
  template <class Call>
  Running begin(Call call) {
    Running running;
    auto started = std::make_shared<std::promise<Result<Started>>>();
    auto exit = running.exit;
    call([started](Result<Started> result) { started->set_value(std::move(result)); }, [exit](ExitInfo info) { exit->set_value(info); });
    running.started = started->get_future().get();
    return running;
  }
  std::unique_ptr<SpawnerProcess> process_;
  std::unique_ptr<Spawner> spawner_;
  Sandbox sandbox_;
};

// In the scratch directory of a test: SCRATCH/mnt for the spawner, SCRATCH/files for the test's own.
void with_world(const std::function<void(SpawnerWorld&, const std::string& files)>& body) {
  ScratchDir scratch;
  std::filesystem::create_directories(scratch.path() + "/mnt");
  std::filesystem::create_directories(scratch.path() + "/files");
  netns_test::run_isolated([&] {
    SpawnerWorld world(scratch.path() + "/mnt");
    body(world, scratch.path() + "/files");
  });
}

TEST(Spawner, what_a_container_sees) {
  with_world([](SpawnerWorld& world, const std::string&) {
    struct Row {
      const char* name;
      const char* script;
      const char* want;
    };
    const Row rows[] = {
        {"exit code", "exit 42", "exit 42"},
        {"pid 1", "echo $$", "1\nexit 0"},
        {"own /proc", "cat /proc/1/comm", "sh\nexit 0"},
        {"host name", "uname -n", "web-0\nexit 0"},
        {"working directory", "pwd", "/\nexit 0"},
        {"standard environment", "echo $HOME $PATH", "/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexit 0"},
        {"stdin is empty", "cat; echo done", "done\nexit 0"},
        {"uid 0", "id -u", "0\nexit 0"},
        {"host programs", "ls -l /usr/bin/env > /dev/null && echo yes", "yes\nexit 0"},
        {"host files cannot be written", "touch /usr/x /var/x 2>/dev/null; echo $?", "1\nexit 0"},
        {"nor made writable", "mount -o remount,rw /usr 2>/dev/null && echo yes; touch /usr/x 2>/dev/null; echo $?", "1\nexit 0"},
        {"root directory is its own", "mkdir /data && echo a > /data/f && cat /data/f", "a\nexit 0"},
        {"/etc is its own", "echo x > /etc/kubelan-new && cat /etc/kubelan-new && rm /etc/kubelan-new && test -e /etc/passwd", "x\nexit 0"},
        {"/tmp is empty and writable", "ls -A /tmp; touch /tmp/a /run/a /var/tmp/a /dev/shm/a && echo ok", "ok\nexit 0"},
        {"devices", "echo a > /dev/null; head -c 2 /dev/zero | od -An -tx1; head -c 1 /dev/urandom | wc -c | tr -d ' '", " 00 00\n1\nexit 0"},
        {"interfaces of its own", "ls /sys/class/net | tr '\\n' ' '", "lo exit 0"},
        {"signal", "kill -9 $$; sleep 5 & kill -TERM $!; wait $! 2>/dev/null; echo $? 2>/dev/null", "143\nexit 0"},
        {"no stray descriptors", "ls /proc/self/fd | wc -l | tr -d ' '", "4\nexit 0"},
        {"orphans go with pid 1", "sleep 1000 & echo started", "started\nexit 0"},
    };
    for (const Row& row : rows) EXPECT_EQ(world.shell(row.script), row.want) << row.name;
    EXPECT_FALSE(std::filesystem::exists("/data"));
  });
}

TEST(Spawner, commands_that_cannot_run) {
  with_world([](SpawnerWorld& world, const std::string&) {
    struct Row {
      std::vector<std::string> argv;
      const char* cwd;
      const char* want;
    };
    const Row rows[] = {
        {{"nosuch"}, "/", "error: exec: \"nosuch\": executable file not found in $PATH"},
        {{"/nosuch"}, "/", "error: exec: \"/nosuch\": stat /nosuch: no such file or directory"},
        {{"/etc/passwd"}, "/", "error: exec: \"/etc/passwd\": permission denied"},
        {{"/etc"}, "/", "error: exec: \"/etc\": is a directory"},
        {{}, "/", "error: exec: no command"},
        {{"pwd"}, "/made/here", "/made/here\nexit 0"},
        {{"pwd"}, "/proc/none", "error: chdir to cwd (\"/proc/none\") set in config.json failed: no such file or directory"},
    };
    for (const Row& row : rows) {
      ContainerSpec spec;
      spec.argv = row.argv;
      spec.cwd = row.cwd;
      EXPECT_EQ(world.output(spec), row.want);
    }
    ContainerSpec builtin;
    builtin.builtin = "nosuch";
    EXPECT_EQ(world.output(builtin), "error: no built-in program nosuch");
  });
}

TEST(Spawner, mounts) {
  with_world([](SpawnerWorld& world, const std::string& files) {
    std::filesystem::create_directories(files + "/html/sub");
    std::ofstream(files + "/html/index.html") << "hello\n";
    std::ofstream(files + "/resolv.conf") << "nameserver 10.96.0.10\n";
    std::filesystem::create_directories(files + "/etc");
    std::filesystem::create_symlink("../run/systemd/resolve/stub-resolv.conf", files + "/etc/resolv.conf");
    std::filesystem::create_symlink("../../../../tmp", files + "/etc/up");
    std::filesystem::create_symlink("loop", files + "/etc/loop");
    auto bind = [&](const std::string& source, const std::string& target, bool read_only) {
      return Mount{Mount::Kind::kBind, files + source, target, read_only, 0};
    };
    const Mount tmpfs{Mount::Kind::kTmpfs, "", "/cache", false, 1 << 20};
    struct Row {
      const char* name;
      std::vector<Mount> mounts;
      const char* script;
      const char* want;
    };
    const Row rows[] = {
        {"over a file", {bind("/resolv.conf", "/etc/resolv.conf", true)}, "cat /etc/resolv.conf", "nameserver 10.96.0.10\nexit 0"},
        {"new path in a new root", {bind("/html", "/a/b/c", false)}, "cat /a/b/c/index.html", "hello\nexit 0"},
        {"new path below a host directory", {bind("/html", "/usr/share/kubelan-none/html/", false)},
         "cat /usr/share/kubelan-none/html/index.html; test -d /usr/share/man && echo rest", "hello\nrest\nexit 0"},
        {"two below the same host directory", {bind("/html", "/usr/share/none-1/a", false), bind("/html", "/usr/share/none-2/b", false)},
         "cat /usr/share/none-1/a/index.html /usr/share/none-2/b/index.html", "hello\nhello\nexit 0"},
        {"one in another", {bind("/html", "/w", true), bind("/html", "/w/sub", true)}, "cat /w/sub/index.html", "hello\nexit 0"},
        {"one in another, made", {bind("/html", "/w", false), bind("/resolv.conf", "/w/new/file", true)}, "cat /w/new/file",
         "nameserver 10.96.0.10\nexit 0"},
        {"read-only", {bind("/html", "/w", true)}, "touch /w/x 2>/dev/null || echo refused", "refused\nexit 0"},
        {"writable", {bind("/html", "/w", false)}, "touch /w/written && echo ok", "ok\nexit 0"},
        {"tmpfs with a limit", {tmpfs}, "head -c 2000000 /dev/zero > /cache/f 2>/dev/null; wc -c < /cache/f | tr -d ' '", "1048576\nexit 0"},
        {"writable copy of a host directory", {{Mount::Kind::kWritable, "", "/usr/share", false, 0}},
         "echo x > /usr/share/new && cat /usr/share/new && test -d /usr/share/man && echo rest", "x\nrest\nexit 0"},
        {"writable, missing", {{Mount::Kind::kWritable, "", "/usr/share/none/html", false, 0}},
         "echo x > /usr/share/none/html/index.html && cat /usr/share/none/html/index.html", "x\nexit 0"},
        {"over a dangling link", {bind("/etc", "/conf", false), bind("/resolv.conf", "/conf/resolv.conf", true)}, "cat /conf/resolv.conf",
         "nameserver 10.96.0.10\nexit 0"},
        {"a link to itself", {bind("/etc", "/conf", false), bind("/resolv.conf", "/conf/loop/made", true)}, "true",
         "error: mount /conf/loop/made: open /conf/loop/made: Too many levels of symbolic links"},
        {"a link does not lead out", {bind("/etc", "/conf", false), bind("/resolv.conf", "/conf/up/made", true)}, "cat /tmp/made",
         "nameserver 10.96.0.10\nexit 0"},
        {"content", {{Mount::Kind::kContent, "text\n", "/usr/share/none/file"}}, "cat /usr/share/none/file", "text\nexit 0"},
        {"content instead of a host file", {{Mount::Kind::kContent, "text\n", "/usr/bin/env"}}, "cat /usr/bin/env", "text\nexit 0"},
        {"relative", {bind("/html", "w", false)}, "true", "error: mount path must be absolute: w"},
    };
    for (const Row& row : rows) EXPECT_EQ(world.shell(row.script, row.mounts), row.want) << row.name;
    std::string missing = world.shell("true", {bind("/none", "/w", false)});
    EXPECT_EQ(missing, "error: mount /w: open the tree " + files + "/none: No such file or directory");
    EXPECT_TRUE(std::filesystem::exists(files + "/html/written"));
    EXPECT_TRUE(std::filesystem::is_symlink(files + "/etc/resolv.conf"));
    EXPECT_FALSE(std::filesystem::exists("/usr/share/none"));
  });
}

TEST(Spawner, stdio_environment_and_large_specs) {
  with_world([](SpawnerWorld& world, const std::string&) {
    base::Pipe in = base::make_pipe().value(), out = base::make_pipe().value();
    ContainerSpec spec;
    spec.argv = {"sh", "-c", "read line; echo got $line $GREETING; echo to-err >&2; echo ${#BIG}"};
    spec.env = {"PATH=/usr/bin:/bin", "GREETING=hi", "BIG=" + std::string(100000, 'x')};
    SpawnerWorld::Running running = world.start(spec, {in.read.get(), out.write.get(), -1});
    out.write.reset();
    ASSERT_TRUE(running.started.ok()) << running.started.error().message;
    ASSERT_TRUE(base::write_all(in.write.get(), "word\n", 5).ok());
    EXPECT_EQ(running.wait().code, 0);
    char buffer[100];
    ssize_t n = ::read(out.read.get(), buffer, sizeof buffer);
    EXPECT_EQ(std::string(buffer, static_cast<size_t>(n)), "got word hi\n100000\n");
  });
}

TEST(Spawner, signals_and_exit) {
  with_world([](SpawnerWorld& world, const std::string&) {
    ContainerSpec sleeper;
    sleeper.argv = {"sleep", "1000"};
    SpawnerWorld::Running killed = world.start(sleeper);
    ASSERT_TRUE(killed.started.ok());
    EXPECT_GT(killed.started->pid, 0);
    world.spawner().signal(killed.started->id, SIGKILL);
    ExitInfo info = killed.wait();
    EXPECT_EQ(info.code, 137);
    EXPECT_EQ(info.signal, SIGKILL);
    world.spawner().signal(killed.started->id, SIGKILL);  // Ended: nothing happens.

    base::Pipe out = base::make_pipe().value();
    ContainerSpec trap;
    trap.argv = {"sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"};
    SpawnerWorld::Running trapped = world.start(trap, {-1, out.write.get(), -1});
    char buffer[10];
    EXPECT_EQ(::read(out.read.get(), buffer, sizeof buffer), 6);
    world.spawner().signal(trapped.started->id, SIGTERM);
    EXPECT_EQ(trapped.wait().code, 3);
  });
}

TEST(Spawner, builtin_programs_run_without_exec) {
  with_world([](SpawnerWorld& world, const std::string&) {
    ContainerSpec spec;
    spec.builtin = "say-args";
    EXPECT_EQ(world.output(spec), "[say-args]pid=1 open=0\nexit 7");
    spec.argv = {"a", "b c"};
    EXPECT_EQ(world.output(spec), "[a][b c]pid=1 open=0\nexit 7");
  });
}

// To pid 1 of its namespace the kernel drops signals that nobody waits for yet.
TEST(Spawner, a_signal_right_after_the_start_of_a_builtin_is_kept) {
  with_world([](SpawnerWorld& world, const std::string&) {
    ContainerSpec spec;
    spec.builtin = "late-starter";
    SpawnerWorld::Running running = world.start(spec);
    ASSERT_TRUE(running.started.ok());
    world.spawner().signal(running.started->id, SIGTERM);
    EXPECT_EQ(running.wait().code, 0);
  });
}

TEST(Spawner, exec_joins_a_running_container) {
  with_world([](SpawnerWorld& world, const std::string&) {
    ContainerSpec main;
    main.argv = {"sleep", "1000"};
    SpawnerWorld::Running running = world.start(main);
    ASSERT_TRUE(running.started.ok()) << running.started.error().message;
    netns::ProcessId id = running.started->id;
    auto exec = [&](const std::string& script) {
      ContainerSpec spec;
      spec.argv = {"sh", "-c", script};
      return world.output(spec, id);
    };
    EXPECT_EQ(exec("cat /proc/1/comm; uname -n; echo x > /tmp/mark; exit 5"), "sleep\nweb-0\nexit 5");
    EXPECT_EQ(exec("cat /tmp/mark"), "x\nexit 0");
    ContainerSpec missing;
    missing.argv = {"nosuch"};
    EXPECT_EQ(world.output(missing, id), "error: exec: \"nosuch\": executable file not found in $PATH");
    ContainerSpec looping;
    looping.argv = {"sleep", "1000"};
    SpawnerWorld::Running second = world.exec(id, looping);
    ASSERT_TRUE(second.started.ok());
    EXPECT_TRUE(world.spawner().open_namespace(id, "mnt").ok());
    EXPECT_TRUE(world.spawner().open_namespace(id, "pid").ok());
    EXPECT_FALSE(world.spawner().open_namespace(id, "net").ok());
    world.spawner().signal(id, SIGKILL);
    EXPECT_EQ(second.wait().signal, SIGKILL);  // Goes with pid 1.
    running.wait();
    EXPECT_EQ(exec("true"), "error: container not running");
    EXPECT_FALSE(world.spawner().open_namespace(id, "mnt").ok());
  });
}

TEST(Spawner, terminal) {
  with_world([](SpawnerWorld& world, const std::string&) {
    ContainerSpec spec;
    spec.argv = {"sh", "-c", "tty; echo $TERM; read line; stty size; test -t 0 -a -t 1 -a -t 2 && echo all"};
    spec.tty = true;
    SpawnerWorld::Running running = world.start(spec);
    ASSERT_TRUE(running.started.ok()) << running.started.error().message;
    Fd& pty = running.started->pty;
    ASSERT_TRUE(pty.valid());
    winsize size{33, 77, 0, 0};
    EXPECT_EQ(::ioctl(pty.get(), TIOCSWINSZ, &size), 0);
    std::string text;
    char buffer[512];
    ssize_t n;
    // The line is typed once the program waits for it: its echo would land among what the program says.
    while (text.find("xterm\r\n") == std::string::npos && (n = ::read(pty.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    ASSERT_TRUE(base::write_all(pty.get(), "\n", 1).ok());
    while ((n = ::read(pty.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    EXPECT_EQ(running.wait().code, 0);
    EXPECT_NE(text.find("/dev/pts/0\r\nxterm\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("33 77\r\nall\r\n"), std::string::npos) << text;
  });
}

TEST(Spawner, its_own_directories_are_hidden) {
  ScratchDir scratch;  // Below /tmp, which containers do not share anyway: so one below / as well.
  std::filesystem::create_directories(scratch.path() + "/mnt");
  netns_test::run_isolated([&] {
    SpawnerWorld world(scratch.path() + "/mnt", {"/var/lib"});
    EXPECT_EQ(world.shell("ls -A /var/lib | wc -l | tr -d ' '"), "0\nexit 0");
    EXPECT_EQ(world.shell("test -e " + scratch.path() + " || echo gone"), "gone\nexit 0");
  });
}

TEST(Spawner, capabilities_are_a_containers) {
  with_world([](SpawnerWorld& world, const std::string&) {
    const std::string up = "grep CapEff /proc/self/status | cut -f2";
    EXPECT_EQ(world.shell(up), "00000000a80425fb\nexit 0");
    ContainerSpec spec;
    spec.argv = {"sh", "-c", up};
    spec.capabilities = {"NET_ADMIN"};
    EXPECT_EQ(world.output(spec), "00000000a80435fb\nexit 0");
  });
}

TEST(Spawner, many_at_once_and_rate) {
  with_world([](SpawnerWorld& world, const std::string&) {
    constexpr int kCount = 100;
    ContainerSpec spec;
    spec.builtin = "say-args";
    world.output(spec);  // The template.
    auto start = std::chrono::steady_clock::now();
    world.output(spec);
    std::printf("one built-in, start to exit: %.2f ms\n", netns_test::milliseconds_since(start));
    std::promise<void> all;
    std::atomic<int> left = kCount;
    start = std::chrono::steady_clock::now();
    Sandbox none;
    for (int i = 0; i < kCount; ++i) {
      world.spawner().start(spec, none, {}, [](Result<Started> started) { EXPECT_TRUE(started.ok()); },
                            [&](ExitInfo info) {
                              EXPECT_EQ(info.code, 7);
                              if (--left == 0) all.set_value();
                            });
    }
    all.get_future().wait();
    std::printf("containers: %.0f/s\n", kCount * 1000.0 / netns_test::milliseconds_since(start));
  });
}

TEST(Spawner, a_killed_spawner_ends_its_containers_and_says_so) {
  with_world([](SpawnerWorld& world, const std::string&) {
    ContainerSpec sleeper;
    sleeper.argv = {"sleep", "1000"};
    SpawnerWorld::Running running = world.start(sleeper);
    ASSERT_TRUE(running.started.ok());
    pid_t pid = running.started->pid;
    ::kill(world.process().pid(), SIGKILL);
    EXPECT_EQ(running.wait().signal, SIGKILL);
    // Ours to reap now that its parent is gone (we are pid 1 here).
    EXPECT_TRUE(netns_test::eventually([&] { return ::waitpid(pid, nullptr, WNOHANG) == pid; }));
    SpawnerWorld::Running late = world.start(sleeper);
    EXPECT_FALSE(late.started.ok());
  });
}

TEST(Spawner, a_killed_daemon_leaves_nothing) {
  base::Status probe = netns::probe_user_namespaces();
  if (!probe.ok()) GTEST_SKIP() << probe.error().message;
  ScratchDir scratch;
  std::filesystem::create_directories(scratch.path() + "/mnt");
  base::Pipe hold = base::make_pipe().value(), report = base::make_pipe().value();
  Result<pid_t> daemon = netns::fork_isolated([&]() -> int {
    hold.read.reset();
    SpawnerWorld world(scratch.path() + "/mnt");
    ContainerSpec sleeper;
    sleeper.argv = {"sleep", "1000"};
    SpawnerWorld::Running running = world.start(sleeper, {-1, hold.write.get(), -1});
    char ok = running.started.ok() ? 'y' : 'n';
    if (::write(report.write.get(), &ok, 1) != 1) return 1;
    ::pause();
    return 0;
  });
  ASSERT_TRUE(daemon.ok());
  hold.write.reset();
  char ok = 0;
  ASSERT_EQ(::read(report.read.get(), &ok, 1), 1);
  EXPECT_EQ(ok, 'y');
  ::kill(*daemon, SIGKILL);
  ::waitpid(*daemon, nullptr, 0);
  // Every process in there held the writing end; end of file means that none is left.
  pollfd ended{hold.read.get(), 0, 0};
  EXPECT_EQ(::poll(&ended, 1, 10000), 1);
  EXPECT_TRUE((ended.revents & POLLHUP) != 0);
  // The host's mount table has nothing of it.
  std::string mounts = base::read_file("/proc/self/mounts").value();
  EXPECT_EQ(mounts.find(scratch.path()), std::string::npos);
}

TEST(RunInPlace, passes_output_codes_and_signals_on) {
  base::Status probe = netns::probe_user_namespaces();
  if (!probe.ok()) GTEST_SKIP() << probe.error().message;
  auto enter = [](const std::vector<std::string>& argv) -> std::string {
    std::fflush(nullptr);
    base::Pipe out = base::make_pipe().value();
    pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(out.write.get(), 1);
      netns::Place nowhere;  // Stays where it is.
      Result<int> code = netns::run_in_place(nowhere, argv, {"PATH=/usr/bin:/bin"}, "/usr");
      if (!code.ok()) std::printf("error: %s", code.error().message.c_str());
      std::fflush(nullptr);
      ::_exit(code.ok() ? *code : 99);
    }
    out.write.reset();
    std::string text;
    char buffer[512];
    ssize_t n;
    while ((n = ::read(out.read.get(), buffer, sizeof buffer)) > 0) {
      text.append(buffer, static_cast<size_t>(n));
      if (text == "ready\n") ::kill(pid, SIGTERM);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return text + "exit " + std::to_string(WEXITSTATUS(status));
  };
  EXPECT_EQ(enter({"sh", "-c", "pwd; exit 6"}), "/usr\nexit 6");
  EXPECT_EQ(enter({"sh", "-c", "kill -9 $$"}), "exit 137");
  EXPECT_EQ(enter({"nosuch"}), "error: exec: \"nosuch\": executable file not found in $PATHexit 99");
  EXPECT_EQ(enter({"sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"}), "ready\nexit 9");
}

}  // namespace
