#include "server/informer/writes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "store/object/access.h"

namespace server {
namespace {

base::Result<const store::Resource*> find_resource(Client& client, const std::string& storage) {
  const store::Resource* resource = client.registry().find_storage(storage);
  if (resource == nullptr) return base::Error(base::Code::kNotFound, "the resource \"" + storage + "\" is not served");
  return resource;
}

}  // namespace

base::Result<store::Object> create_object(Client& client, const std::string& storage, json tree) {
  const store::Resource* resource = TRY(find_resource(client, storage));
  return client.create(*resource, std::move(tree));
}

base::Result<store::Object> update_object(Client& client, const std::string& storage, json tree) {
  const store::Resource* resource = TRY(find_resource(client, storage));
  return client.update(*resource, std::move(tree));
}

base::Result<store::Object> write_status(Client& client, const store::Object& current, json status) {
  const store::Resource* resource = TRY(find_resource(client, current.key().resource));
  json tree = current.tree();
  tree["status"] = std::move(status);
  return client.update_status(*resource, std::move(tree));
}

base::Result<store::Object> merge_patch(Client& client, const store::Key& key, const json& patch, const std::string& subresource) {
  const store::Resource* resource = TRY(find_resource(client, key.resource));
  return client.patch(*resource, key.ns, key.name, PatchType::kMerge, patch, subresource);
}

base::Status remove_object(Client& client, const store::Object& object, DeleteOptions options) {
  const store::Resource* resource = TRY(find_resource(client, object.key().resource));
  options.uid = object.uid();
  base::Status status = client.remove(*resource, object.ns(), object.name(), options);
  if (!status.ok()) {
    const base::Code code = status.error().code;
    // A different uid under the name answers Conflict: the object meant is gone all the same.
    if (code == base::Code::kNotFound || code == base::Code::kConflict) return {};
  }
  return status;
}

json owner_refs_without(const store::Object& object, const std::string& uid) {
  json out = json::array();
  for (const json& ref : store::get_array(object.tree(), "metadata.ownerReferences")) {
    if (store::get_string(ref, "uid") != uid) out.push_back(ref);
  }
  return out;
}

}  // namespace server
