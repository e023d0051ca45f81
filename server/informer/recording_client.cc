#include "server/informer/recording_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace server {

void RecordingClient::begin() {
  bar_ = {};
  thread_ = std::this_thread::get_id();
  active_ = true;
}

WriteBar RecordingClient::end() {
  active_ = false;
  return std::exchange(bar_, {});
}

base::Result<store::Object> RecordingClient::note(base::Result<store::Object> result) {
  if (result.ok() && recording()) bar_.revision = std::max(bar_.revision, result->revision());
  return result;
}

base::Result<store::Object> RecordingClient::get(const store::Resource& r, const std::string& ns, const std::string& name) {
  return inner_.get(r, ns, name);
}

base::Result<std::vector<store::Object>> RecordingClient::list(const store::Resource& r, const std::string& ns,
                                                               const store::LabelSelector& selector) {
  return inner_.list(r, ns, selector);
}

base::Result<store::Object> RecordingClient::create(const store::Resource& r, json tree) {
  return note(inner_.create(r, std::move(tree)));
}

base::Result<store::Object> RecordingClient::update(const store::Resource& r, json tree) {
  return note(inner_.update(r, std::move(tree)));
}

base::Result<store::Object> RecordingClient::update_status(const store::Resource& r, json tree) {
  return note(inner_.update_status(r, std::move(tree)));
}

base::Result<store::Object> RecordingClient::patch(const store::Resource& r, const std::string& ns, const std::string& name, PatchType type,
                                                   const json& patch, const std::string& subresource) {
  return note(inner_.patch(r, ns, name, type, patch, subresource));
}

base::Status RecordingClient::remove(const store::Resource& r, const std::string& ns, const std::string& name,
                                     const DeleteOptions& options) {
  base::Status status = inner_.remove(r, ns, name, options);
  // remove() gives no revision, so the bar names the object instead. Only with a uid: a name alone may be taken again.
  if (status.ok() && recording() && !options.uid.empty()) bar_.removed.push_back({{r.storage(), ns, name}, options.uid});
  return status;
}

base::Status RecordingClient::bind(const std::string& ns, const std::string& pod, const std::string& node) {
  return inner_.bind(ns, pod, node);
}

}  // namespace server
