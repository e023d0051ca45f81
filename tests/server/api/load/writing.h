// A client that writes at random, and remembers what it was told.
#pragma once

#include "tests/server/api/load/watching.h"

namespace load {

struct Ack {
  int kind = 0;
  json object;
  uint64_t based_on = 0;  // The revision that the request insisted on.
};

struct Got {
  int kind = 0;
  Place place;
  uint64_t version = 0;  // 0: not found
  uint64_t from = 0, through = 0;
};

class Writer {
 public:
  Writer(HttpWorld& world, unsigned seed, int number) : world_(world), connection_(world.port, world.credentials), random_(seed), number_(number) {}

  void run(int operations) {
    for (int i = 0; i < operations; ++i) one(i);
  }
  std::vector<Ack> acks;
  std::vector<Got> gets;
  std::map<std::string, int> done;  // What worked, how often.

 private:
  static constexpr int kNames = 12;

  std::string collection(const std::string& ns) const { return std::string(kKinds[kind_].prefix) + "/namespaces/" + ns + "/" + kKinds[kind_].resource; }

  json make(const std::string& ns, const std::string& name, int i) {
    json out = {{"apiVersion", kKinds[kind_].api_version}, {"kind", kKinds[kind_].kind}, {"metadata", {{"name", name}, {"namespace", ns}, {"annotations", {{"by", std::to_string(number_) + "." + std::to_string(i)}}}}}};
    if (const char* tier = random_tier()) out["metadata"]["labels"]["tier"] = tier;
    json pod = {{"containers", json::array({{{"name", "c"}, {"image", "nginx"}}})}};
    if (kind_ == 0) out["data"] = {{"key", std::string(static_cast<size_t>(pick(random_, 200)), 'x')}};
    if (kind_ == 1) out["spec"] = pod;
    if (kind_ == 2) {
      out["spec"] = {{"replicas", i % 5}, {"selector", {{"matchLabels", {{"app", "x"}}}}}, {"template", {{"metadata", {{"labels", {{"app", "x"}}}}}, {"spec", pod}}}};
    }
    return out;
  }
  const char* random_tier() {
    static const char* const kTiers[] = {"a", "b", "c", nullptr};
    return kTiers[pick(random_, 4)];
  }

  // Sends; an answer with an object is remembered. What others did in between may be the answer, nothing else.
  Answer send(const char* what, const Request& request, uint64_t based_on = 0) {
    Answer answer = connection_.call(request);
    const bool other = answer.status == 404 || answer.status == 409 || answer.status == 422;
    EXPECT_TRUE(answer.status / 100 == 2 || other) << request.method << " " << request.target << " " << request.body << ": " << answer.status << " " << answer.body;
    if (answer.status / 100 != 2) return answer;
    ++done[what];
    json body = json::parse(answer.body, nullptr, false);
    if (store::get_string(body, "kind") == kKinds[kind_].kind && revision_of(body) > 0) acks.push_back({kind_, std::move(body), based_on});
    return answer;
  }
  Answer patch(const char* what, const std::string& path, const char* type, const json& body) { return send(what, {"PATCH", path, body.dump(), type}); }

  void one(int i) {
    kind_ = pick(random_, 3);
    const std::string ns = kNamespaces[pick(random_, 2)], name = "n" + std::to_string(pick(random_, kNames));
    const std::string path = collection(ns) + "/" + name;
    static constexpr const char* kMerge = "application/merge-patch+json";
    const json mark = {{"metadata", {{"annotations", {{"by", std::to_string(number_) + "." + std::to_string(i)}}}}}};
    const char* tier = random_tier();
    const json label = {{"metadata", {{"labels", {{"tier", tier ? json(tier) : json(nullptr)}}}}}};
    switch (pick(random_, 16)) {
      case 0:
      case 1:
      case 2: send("create", {"POST", collection(ns), make(ns, name, i).dump()}); return;
      case 3: {
        json object = make(ns, "", i);
        object["metadata"].erase("name");
        object["metadata"]["generateName"] = "g" + std::to_string(number_) + "-";
        send("create with a generated name", {"POST", collection(ns), object.dump()});
        return;
      }
      case 4:
      case 5: update(path, ns, name); return;
      case 6: patch("merge patch", path, kMerge, label); return;
      case 7: patch("strategic patch", path, "application/strategic-merge-patch+json", i % 2 ? label : mark); return;
      case 8: patch("json patch", path, "application/json-patch+json", json::array({{{"op", "add"}, {"path", "/metadata/annotations"}, {"value", {{"by", "patch"}, {"n", std::to_string(i)}}}}})); return;
      case 9: apply(path, ns, name, i); return;
      case 10: patch("finalizers", path, kMerge, {{"metadata", {{"finalizers", i % 3 == 0 ? json::array({"example.com/f"}) : json(nullptr)}, {"labels", label["metadata"]["labels"]}}}}); return;
      case 11: status(path, i); return;
      case 12: {
        Answer answer = send("delete", {"DELETE", path, i % 4 ? "" : R"({"gracePeriodSeconds":0})"});
        if (answer.status == 200) get(path, ns, name);
        return;
      }
      case 13: {
        if (i % 5 == 0) send("deletecollection", {"DELETE", collection(ns) + "?labelSelector=tier%3Db"});
        return;
      }
      case 14: get(path, ns, name); return;
      default: send("create, dry", {"POST", collection(ns) + "?dryRun=All", make(ns, "dry-" + name, i).dump()}); acks_without_dry(); return;
    }
  }

  // A dry run has no revision; if it ever has, the check of the acknowledgements says so.
  void acks_without_dry() {
    EXPECT_TRUE(acks.empty() || !name_of(acks.back().object).starts_with("dry-")) << "a dry run was given a revision";
  }

  void get(const std::string& path, const std::string& ns, const std::string& name) {
    Got got{kind_, {ns, name}, 0, world_.store->revision(), 0};
    Answer answer = connection_.call("GET", path);
    got.through = world_.store->revision();
    if (answer.status == 200) got.version = revision_of(json::parse(answer.body, nullptr, false));
    else EXPECT_EQ(answer.status, 404) << answer.body;
    gets.push_back(got);
  }

  void update(const std::string& path, const std::string& ns, const std::string& name) {
    Answer answer = connection_.call("GET", path);
    if (answer.status != 200) return;
    json object = json::parse(answer.body, nullptr, false);
    uint64_t revision = revision_of(object);
    const char* tier = random_tier();
    if (tier) object["metadata"]["labels"]["tier"] = tier;
    else object["metadata"].erase("labels");
    if (pick(random_, 3) == 0) {
      object["metadata"].erase("resourceVersion");
      revision = 0;
    }
    EXPECT_EQ(place_of(object), Place(ns, name));
    send(revision ? "update of a revision" : "update", {"PUT", path, object.dump()}, revision);
  }

  void apply(const std::string& path, const std::string& ns, const std::string& name, int i) {
    json object = make(ns, name, i);
    Request request{"PATCH", path + "?fieldManager=m" + std::to_string(i % 2) + "&force=true", object.dump(), "application/apply-patch+yaml"};
    send("apply", request);
  }

  void status(const std::string& path, int i) {
    if (kind_ == 0) return;
    json body = kind_ == 1 ? json{{"status", {{"phase", i % 2 ? "Running" : "Pending"}}}} : json{{"status", {{"replicas", i % 7}, {"observedGeneration", i % 3}}}};
    patch("status", path + "/status", "application/merge-patch+json", body);
  }

  HttpWorld& world_;
  ApiConnection connection_;
  Random random_;
  int number_;
  int kind_ = 0;
};

inline void check_writer(const Truth& truth, const Writer& writer) {
  for (const Ack& ack : writer.acks) {
    const uint64_t revision = revision_of(ack.object);
    if (revision <= truth.begin()) continue;
    ASSERT_LE(revision, truth.end());
    const Change& change = truth.at(revision);
    ASSERT_EQ(change.kind, ack.kind);
    // The last write of an object that was waiting for its finalizers is its removal.
    ASSERT_EQ(change.line.object, ack.object) << change.line.type;
    if (ack.based_on > 0 && revision != ack.based_on) {
      ASSERT_EQ(revision_of(change.before), ack.based_on) << "a write over one that it had not seen";
    }
  }
  for (const Got& got : writer.gets) {
    ASSERT_TRUE(truth.was_at(got.kind, got.place, got.version, got.from, got.through))
        << "GET " << got.place.first << "/" << got.place.second << " gave version " << got.version << " between " << got.from << " and " << got.through;
  }
}

}  // namespace load
