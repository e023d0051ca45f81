// server/informer/events.h - records core/v1 Events ("Scaled up replica set ..."), the lines under `kubectl
// describe`. Recording only queues: the writes happen later, while the loop has nothing better to do, so that
// they never delay a pod's start. Repeats of one event become one object with a count.
//
// Best effort, as upstream: an event that cannot be written is dropped. Control thread only.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <string>

#include "server/informer/control_loop.h"

namespace server {

struct ObjectRef {
  std::string api_version;
  std::string kind;
  std::string ns;
  std::string name;
  std::string uid;
  store::Revision revision = 0;
  std::string field_path;  // "spec.containers{web}"
};
ObjectRef make_ref(const store::Object& object, const std::string& field_path = "");

class EventRecorder {
 public:
  // `component` and `host` become source.component ("deployment-controller") and source.host (a node, or "").
  EventRecorder(ControlLoop& loop, std::string component);

  void normal(const ObjectRef& about, const std::string& reason, const std::string& message) { record(about, "Normal", reason, message, ""); }
  void warning(const ObjectRef& about, const std::string& reason, const std::string& message) { record(about, "Warning", reason, message, ""); }
  void record(const ObjectRef& about, const std::string& type, const std::string& reason, const std::string& message,
              const std::string& host);

 private:
  struct Pending {
    ObjectRef about;
    std::string type, reason, message, host;
    base::WallTime first, last;
    int64_t count = 1;
  };
  struct Written {
    std::string name;
    base::WallTime first;
    int64_t count = 0;
    std::list<std::string>::iterator age;
  };
  base::Result<Requeue> flush();
  base::Status write(const std::string& identity, const Pending& event);
  void remember(const std::string& identity, Written written);

  ControlLoop& loop_;
  const std::string component_;
  WorkQueue& queue_;
  std::deque<std::string> order_;            // Identities waiting to be written.
  std::map<std::string, Pending> pending_;
  std::map<std::string, Written> written_;   // For counting repeats; bounded, oldest forgotten first.
  std::list<std::string> ages_;
  base::MonoTime last_record_{};
  base::MonoTime first_waiting_{};
};

}  // namespace server
