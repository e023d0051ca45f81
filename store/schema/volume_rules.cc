// Volumes of a pod: one source each, and what each source asks for beyond its table of fields. Sources of clouds that
// kubelan only keeps are held to their tables alone.
#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/text.h"
#include "store/object/label_syntax.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

void check_mode(const json& object, const char* key, const std::string& path, Causes& causes) {
  if (!has(object, key)) return;
  const int64_t mode = integer_at(object, key);
  if (mode < 0 || mode > 0777) causes.push_back(cause_invalid(path + "." + key, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
}

// Below the volume's own folder, and not one of the names that kubelets use ("..data").
void check_file_path(const std::string& file, const std::string& field, Causes& causes) {
  check_descending_path(file, field, causes);
  if (file.starts_with("..") && file != ".." && !file.starts_with("../")) causes.push_back(cause_invalid(field, file, "must not start with '..'"));
}

void require(const json& object, const char* key, const std::string& path, Causes& causes) {
  if (string_at(object, key).empty() && array_at(object, key).empty()) causes.push_back(cause_required(path + "." + key));
}

void check_items(const json& source, const std::string& path, Causes& causes) {
  const json& items = array_at(source, "items");
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string here = item(path, "items", i);
    require(items[i], "key", here, causes);
    require(items[i], "path", here, causes);
    check_file_path(string_at(items[i], "path"), here + ".path", causes);
    check_mode(items[i], "mode", here, causes);
  }
}

void check_fact_file(const json& file, const std::string& path, Causes& causes) {
  if (string_at(file, "path").empty()) causes.push_back(cause_required(path + ".path"));
  check_file_path(string_at(file, "path"), path + ".path", causes);
  const bool field = has(file, "fieldRef"), resource = has(file, "resourceFieldRef");
  if (field) check_field_ref(file["fieldRef"], FactIn::kFile, path + ".fieldRef", causes);
  if (field && resource) causes.push_back(cause_invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  if (!field && resource) check_resource_field_ref(file["resourceFieldRef"], FactIn::kFile, path + ".resourceFieldRef", causes);
  if (!field && !resource) causes.push_back(cause_required(path, "one of fieldRef and resourceFieldRef is required"));
  check_mode(file, "mode", path, causes);
}

// --- one function a source: (source, path, causes) ---

void empty_dir(const json& source, const std::string& path, Causes& causes) {
  if (!has(source, "sizeLimit") || quantity_nanos(source["sizeLimit"]).value_or(0) >= 0) return;
  causes.push_back(cause_forbidden(path + ".sizeLimit", "SizeLimit field must be a valid resource quantity"));
}

void host_path(const json& source, const std::string& path, Causes& causes) { check_no_backsteps(string_at(source, "path"), path + ".path", causes); }

void git_repo(const json& source, const std::string& path, Causes& causes) {
  check_descending_path(string_at(source, "directory"), path + ".directory", causes);
}

void secret(const json& source, const std::string& path, Causes& causes) {
  check_mode(source, "defaultMode", path, causes);
  check_items(source, path, causes);
}

void config_map(const json& source, const std::string& path, Causes& causes) {
  check_mode(source, "defaultMode", path, causes);
  check_items(source, path, causes);
}

void nfs(const json& source, const std::string& path, Causes& causes) {
  const std::string folder = string_at(source, "path");
  if (!folder.starts_with('/')) causes.push_back(cause_invalid(path + ".path", folder, "must be an absolute path"));
}

void iscsi(const json& source, const std::string& path, Causes& causes) {
  const int64_t lun = integer_at(source, "lun");
  const std::string iqn = string_at(source, "iqn");
  if (!iqn.empty() && !iqn.starts_with("iqn") && !iqn.starts_with("eui") && !iqn.starts_with("naa")) {
    causes.push_back(cause_invalid(path + ".iqn", iqn, "must be valid format starting with iqn, eui, or naa"));
  }
  if (lun < 0 || lun > 255) causes.push_back(cause_invalid(path + ".lun", lun, "must be between 0 and 255, inclusive"));
  const bool chap = flag_at(source, "chapAuthDiscovery") || flag_at(source, "chapAuthSession");
  if (chap && !has(source, "secretRef")) causes.push_back(cause_required(path + ".secretRef"));
}

void flocker(const json& source, const std::string& path, Causes& causes) {
  const std::string name = string_at(source, "datasetName"), uuid = string_at(source, "datasetUUID");
  if (name.empty() && uuid.empty()) causes.push_back(cause_required(path, "one of datasetName and datasetUUID is required"));
  if (!name.empty() && !uuid.empty()) causes.push_back(cause_invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
  if (name.find('/') != std::string::npos) causes.push_back(cause_invalid(path + ".datasetName", name, "must not contain '/'"));
}

void downward_api(const json& source, const std::string& path, Causes& causes) {
  check_mode(source, "defaultMode", path, causes);
  for (const json& file : array_at(source, "items")) check_fact_file(file, path, causes);
}

void fibre_channel(const json& source, const std::string& path, Causes& causes) {
  const json &names = array_at(source, "targetWWNs"), &ids = array_at(source, "wwids");
  if (names.empty() && ids.empty()) causes.push_back(cause_required(path + ".targetWWNs", "must specify either targetWWNs or wwids, but not both"));
  if (!names.empty() && !ids.empty()) causes.push_back(cause_invalid(path + ".targetWWNs", names, "targetWWNs and wwids can not be specified simultaneously"));
  if (names.empty()) return;
  const int64_t lun = integer_at(source, "lun");
  if (!has(source, "lun")) causes.push_back(cause_required(path + ".lun", "lun is required if targetWWNs is specified"));
  else if (lun < 0 || lun > 255) causes.push_back(cause_invalid(path + ".lun", lun, "must be between 0 and 255, inclusive"));
}

void flex_volume(const json& source, const std::string& path, Causes& causes) {
  const json& options = object_at(source, "options");
  for (auto it = options.begin(); it != options.end(); ++it) {
    const std::string domain = "." + base::lower(it.key().substr(0, it.key().find('/')));
    if (!domain.ends_with(".kubernetes.io") && !domain.ends_with(".k8s.io")) continue;
    causes.push_back(cause_invalid(path + ".options[" + it.key() + "]", it.key(), "kubernetes.io and k8s.io namespaces are reserved"));
  }
}

void partition(const json& source, const std::string& path, Causes& causes) {
  const int64_t number = integer_at(source, "partition");
  if (number < 0 || number > 255) causes.push_back(cause_invalid(path + ".partition", number, "must be between 0 and 255, inclusive"));
}

void quobyte(const json& source, const std::string& path, Causes& causes) {
  const char* kPairs = "must be a host:port pair or multiple pairs separated by commas";
  if (string_at(source, "registry").empty()) causes.push_back(cause_required(path + ".registry", kPairs));
  require(source, "volume", path, causes);
}

void azure_disk(const json& source, const std::string& path, Causes& causes) {
  static constexpr std::string_view kManaged[] = {"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"};
  static constexpr std::string_view kBlob[] = {"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"};
  const std::string kind = string_at(source, "kind"), uri = string_at(source, "diskURI");
  if (kind == "Managed" && !uri.starts_with("/subscriptions/")) causes.push_back(cause_not_supported(path + ".diskURI", uri, kManaged));
  if (!kind.empty() && kind != "Managed" && !uri.starts_with("https://")) causes.push_back(cause_not_supported(path + ".diskURI", uri, kBlob));
}

void storage_os(const json& source, const std::string& path, Causes& causes) {
  for (const char* key : {"volumeName", "volumeNamespace"}) {
    if (const std::string name = string_at(source, key); !name.empty()) add_problem(causes, path + "." + key, name, name_problem(name, NameRule::kDnsLabel));
  }
}

void csi(const json& source, const std::string& path, Causes& causes) {
  const std::string driver = string_at(source, "driver");
  if (driver.size() > 63) causes.push_back({"FieldValueTooLong", "Too long: may not be more than 63 bytes", path + ".driver"});
  if (!driver.empty()) add_problem(causes, path + ".driver", driver, name_problem(base::lower(driver), NameRule::kDnsSubdomain));
  if (!has(source, "nodePublishSecretRef")) return;
  const std::string name = string_at(source["nodePublishSecretRef"], "name"), field = path + ".nodePublishSecretRef.name";
  if (name.empty()) causes.push_back(cause_required(field));
  else add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsSubdomain));
}

void ephemeral(const json& source, const std::string& path, Causes& causes) {
  const std::string here = path + ".volumeClaimTemplate";
  if (!has(source, "volumeClaimTemplate")) return causes.push_back(cause_required(here));
  const json& claim = source["volumeClaimTemplate"];
  check_labels(object_at(object_at(claim, "metadata"), "labels"), here + ".metadata.labels", causes);
  check_annotations(object_at(object_at(claim, "metadata"), "annotations"), here + ".metadata.annotations", causes);
  check_claim_spec(object_at(claim, "spec"), here + ".spec", causes);
}

// --- projected: several sources in one folder, in which no file may come twice ---

class Projection {
 public:
  Projection(const std::string& path, Causes& causes) : path_(path), causes_(causes) {}

  void check(const json& source, size_t index) {
    const std::string here = item(path_, "sources", index);
    size_t count = 0;
    auto found = [&](const char* kind) { return has(source, kind) && ++count > 0; };
    if (found("secret")) keys(source["secret"], here + ".secret");
    if (found("configMap")) keys(source["configMap"], here + ".configMap");
    if (found("downwardAPI")) facts(source["downwardAPI"], here + ".downwardAPI");
    if (found("serviceAccountToken")) token(source["serviceAccountToken"], here + ".serviceAccountToken");
    if (found("clusterTrustBundle")) bundle(source["clusterTrustBundle"], here + ".clusterTrustBundle");
    found("podCertificate");
    if (count > 1) causes_.push_back(cause_forbidden(here, "may not specify more than 1 volume type per source"));
  }

 private:
  void claim(const std::string& file, const json& owner) {
    if (!file.empty() && !files_.insert(file).second) causes_.push_back(cause_invalid(path_, owner, "conflicting duplicate paths"));
  }

  void keys(const json& source, const std::string& here) {
    require(source, "name", here, causes_);
    check_items(source, here, causes_);
    for (const json& entry : array_at(source, "items")) claim(string_at(entry, "path"), string_at(source, "name"));
  }

  void facts(const json& source, const std::string& here) {
    for (const json& file : array_at(source, "items")) {
      check_fact_file(file, here, causes_);
      claim(string_at(file, "path"), string_at(file, "path"));
    }
  }

  void token(const json& source, const std::string& here) {
    const int64_t seconds = integer_at(source, "expirationSeconds");
    const std::string file = string_at(source, "path");
    if (seconds < 600) causes_.push_back(cause_invalid(here + ".expirationSeconds", seconds, "may not specify a duration less than 10 minutes"));
    if (seconds > int64_t{1} << 32) causes_.push_back(cause_invalid(here + ".expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"));
    if (file.empty()) causes_.push_back(cause_required(path_ + ".path"));
    else check_file_path(file, path_ + ".path", causes_);
  }

  void bundle(const json& source, const std::string& here) {
    const bool named = has(source, "name"), signer = has(source, "signerName");
    if (named && signer) {
      causes_.push_back(cause_invalid(here, source, "only one of name and signerName may be used"));
    } else if (named) {
      if (string_at(source, "name").empty()) causes_.push_back(cause_required(here + ".name", "must be a valid object name"));
      if (has(source, "labelSelector")) {
        causes_.push_back(cause_invalid(here + ".labelSelector", source["labelSelector"], "labelSelector must be unset if name is specified"));
      }
    } else if (signer) {
      if (string_at(source, "signerName").empty()) causes_.push_back(cause_required(here + ".signerName", "must be a valid signer name"));
      check_label_selector(object_at(source, "labelSelector"), here + ".labelSelector", causes_);
    } else {
      causes_.push_back(cause_required(here, "either name or signerName must be specified"));
    }
    check_file_path(string_at(source, "path"), here + ".path", causes_);
    claim(string_at(source, "path"), string_at(source, "path"));
  }

  const std::string& path_;
  Causes& causes_;
  std::set<std::string> files_;
};

void projected(const json& source, const std::string& path, Causes& causes) {
  check_mode(source, "defaultMode", path, causes);
  Projection projection(path, causes);
  const json& sources = array_at(source, "sources");
  for (size_t i = 0; i < sources.size(); ++i) projection.check(sources[i], i);
}

using SourceCheck = void (*)(const json& source, const std::string& path, Causes& causes);

// In upstream's order: of two sources the later one is too many, and nothing else is said of it. `spelled` and `extra` are
// how upstream names it in its own checks and as one too many, where that is not `name`.
struct VolumeSourceRow {
  const char* name;
  SourceCheck check = nullptr;
  std::initializer_list<const char*> required = {};
  const char* spelled = nullptr;
  const char* extra = nullptr;
};
const VolumeSourceRow kVolumeSources[] = {
    {"emptyDir", empty_dir},
    {"hostPath", host_path, {"path"}},
    {"gitRepo", git_repo, {"repository"}},
    {"gcePersistentDisk", partition, {"pdName"}, "persistentDisk"},
    {"awsElasticBlockStore", partition, {"volumeID"}},
    {"secret", secret, {"secretName"}},
    {"nfs", nfs, {"server", "path"}},
    {"iscsi", iscsi, {"targetPortal", "iqn"}},
    {"glusterfs", nullptr, {"endpoints", "path"}},
    {"flocker", flocker},
    {"persistentVolumeClaim", nullptr, {"claimName"}},
    {"rbd", nullptr, {"monitors", "image"}},
    {"cinder", nullptr, {"volumeID"}},
    {"cephfs", nullptr, {"monitors"}, nullptr, "cephFS"},
    {"quobyte", quobyte},
    {"downwardAPI", downward_api, {}, nullptr, "downwarAPI"},
    {"fc", fibre_channel},
    {"flexVolume", flex_volume, {"driver"}},
    {"configMap", config_map, {"name"}},
    {"azureFile", nullptr, {"secretName", "shareName"}},
    {"vsphereVolume", nullptr, {"volumePath"}},
    {"photonPersistentDisk", nullptr, {"pdID"}},
    {"portworxVolume", nullptr, {"volumeID"}},
    {"azureDisk", azure_disk, {"diskName", "diskURI"}},
    {"storageos", storage_os, {"volumeName"}},
    {"projected", projected},
    {"scaleIO", nullptr, {"gateway", "system", "volumeName"}},
    {"csi", csi, {"driver"}},
    {"ephemeral", ephemeral},
    {"image"},
};

void check_own(const VolumeSourceRow& row, const json& source, const std::string& parent, Causes& causes) {
  const std::string path = parent + "." + (row.spelled ? row.spelled : row.name);
  for (const char* field : row.required) require(source, field, path, causes);
  if (row.check) row.check(source, path, causes);
}

void check_volume_source(const json& volume, const std::string& path, Causes& causes) {
  bool found = false;
  for (const VolumeSourceRow& row : kVolumeSources) {
    if (!has(volume, row.name)) continue;
    if (found) causes.push_back(cause_forbidden(path + "." + (row.extra ? row.extra : row.name), "may not specify more than 1 volume type"));
    else check_own(row, volume[row.name], path, causes);
    found = true;
  }
  if (!found) causes.push_back(cause_required(path, "must specify a volume type"));
}

}  // namespace

bool has_volume_source(const json& volume) {
  return std::any_of(std::begin(kVolumeSources), std::end(kVolumeSources), [&](const VolumeSourceRow& row) { return has(volume, row.name); });
}

void check_shared_source(const std::string& name, const json& source, const std::string& path, Causes& causes) {
  for (const VolumeSourceRow& row : kVolumeSources) {
    if (row.name == name) check_own(row, source, path, causes);
  }
}

void check_no_backsteps(const std::string& text, const std::string& field, Causes& causes) {
  if (("/" + text + "/").find("/../") != std::string::npos) causes.push_back(cause_invalid(field, text, "must not contain '..'"));
}

void check_descending_path(const std::string& text, const std::string& field, Causes& causes) {
  if (text.starts_with('/')) causes.push_back(cause_invalid(field, text, "must be a relative path"));
  check_no_backsteps(text, field, causes);
}

void check_volumes(const std::string& path, PodScope& scope, Causes& causes) {
  const json& volumes = array_at(scope.spec, "volumes");
  for (size_t i = 0; i < volumes.size(); ++i) {
    if (!volumes[i].is_object()) continue;
    const std::string here = item(path, "volumes", i), name = string_at(volumes[i], "name");
    const size_t before = causes.size();
    check_volume_source(volumes[i], here, causes);
    if (name.empty()) causes.push_back(cause_required(here + ".name"));
    else add_problem(causes, here + ".name", name, name_problem(name, NameRule::kDnsLabel));
    if (scope.volumes.count(name)) causes.push_back(cause_duplicate(here + ".name", name));
    if (causes.size() == before && !name.empty()) scope.volumes[name] = &volumes[i];
  }
}

}  // namespace store
