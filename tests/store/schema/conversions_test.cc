// Versions of a kind: the way to the version that is kept and back loses nothing, and reads as upstream's does.
#include "store/schema/conversions.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace store {
namespace {

const Resource& served(const char* api_version, const char* kind) { return *builtin_registry().find_kind(api_version, kind); }

TEST(Conversions, EveryVersionNamesOneThatIsKept) {
  size_t converted = 0;
  for (const Resource* r : builtin_registry().resources()) {
    const Resource* stored = builtin_registry().stored(*r);
    ASSERT_NE(stored, nullptr) << r->api_version() << " " << r->kind;
    EXPECT_TRUE(stored->is_stored());
    if (r->is_stored()) continue;
    ++converted;
    EXPECT_EQ(stored->api_version(), r->stored_version);
    EXPECT_EQ(stored->kind, r->kind);
    EXPECT_TRUE(r->convert.empty() || find_conversion(r->convert)) << r->convert;
  }
  EXPECT_GE(converted, 2u);
  EXPECT_EQ(find_conversion("no such conversion"), nullptr);
}

struct ConversionRow {
  const char* name;
  const char* api_version;
  const char* kind;
  const char* served_form;
  const char* kept_form;
};

constexpr ConversionRow kRows[] = {
    {"event", "events.k8s.io/v1", "Event",
     R"({"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},"regarding":{"kind":"Pod","name":"p"},"note":"n","reason":"r",
         "reportingController":"c","deprecatedCount":2,"deprecatedSource":{"component":"c"},"deprecatedFirstTimestamp":"2026-01-01T00:00:00Z",
         "deprecatedLastTimestamp":"2026-01-01T00:00:01Z","series":{"count":2}})",
     R"({"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p"},"message":"n","reason":"r",
         "reportingComponent":"c","count":2,"source":{"component":"c"},"firstTimestamp":"2026-01-01T00:00:00Z",
         "lastTimestamp":"2026-01-01T00:00:01Z","series":{"count":2}})"},
    {"autoscaler for cpu", "autoscaling/v1", "HorizontalPodAutoscaler",
     R"({"apiVersion":"autoscaling/v1","spec":{"maxReplicas":3,"targetCPUUtilizationPercentage":70},"status":{}})",
     R"({"apiVersion":"autoscaling/v2","spec":{"maxReplicas":3,"metrics":[{"type":"Resource","resource":{"name":"cpu",
         "target":{"type":"Utilization","averageUtilization":70}}}]},"status":{}})"},
    {"autoscaler with more than v1 can say", "autoscaling/v1", "HorizontalPodAutoscaler",
     R"({"apiVersion":"autoscaling/v1","metadata":{"annotations":{"mine":"x",
         "autoscaling.alpha.kubernetes.io/metrics":"[{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"targetAverageValue\":\"1Gi\"}},{\"type\":\"Object\",\"object\":{\"target\":{\"kind\":\"Ingress\",\"name\":\"i\"},\"metricName\":\"rps\",\"targetValue\":\"5k\"}}]",
         "autoscaling.alpha.kubernetes.io/behavior":"{\"ScaleUp\":{\"StabilizationWindowSeconds\":0,\"SelectPolicy\":\"Max\",\"Policies\":[{\"Type\":\"Pods\",\"Value\":4,\"PeriodSeconds\":15}],\"Tolerance\":null},\"ScaleDown\":null}",
         "autoscaling.alpha.kubernetes.io/current-metrics":"[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"currentAverageUtilization\":7,\"currentAverageValue\":\"7m\"}}]",
         "autoscaling.alpha.kubernetes.io/conditions":"[{\"type\":\"AbleToScale\",\"status\":\"True\",\"lastTransitionTime\":null,\"reason\":\"r\",\"message\":\"m\"}]"}},
         "spec":{"maxReplicas":3,"targetCPUUtilizationPercentage":70},"status":{"currentCPUUtilizationPercentage":7}})",
     R"({"apiVersion":"autoscaling/v2","metadata":{"annotations":{"mine":"x"}},"spec":{"maxReplicas":3,
         "behavior":{"scaleUp":{"stabilizationWindowSeconds":0,"selectPolicy":"Max","policies":[{"type":"Pods","value":4,"periodSeconds":15}]}},
         "metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}},
                    {"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}},
                    {"type":"Object","object":{"describedObject":{"kind":"Ingress","name":"i"},"metric":{"name":"rps"},"target":{"type":"Value","value":"5k"}}}]},
         "status":{"conditions":[{"type":"AbleToScale","status":"True","reason":"r","message":"m"}],
                   "currentMetrics":[{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":7,"averageValue":"7m"}}}]}})"},
};

TEST(Conversions, ThereAndBack) {
  for (const ConversionRow& row : kRows) {
    SCOPED_TRACE(row.name);
    const Resource& r = served(row.api_version, row.kind);
    json shown = json::parse(row.served_form), kept = json::parse(row.kept_form);
    apply_defaults(shown, *r.type);
    apply_defaults(kept, *builtin_registry().stored(r)->type);
    EXPECT_EQ(to_stored(r, shown), kept) << to_stored(r, shown).dump(1);
    EXPECT_EQ(from_stored(r, kept), shown) << from_stored(r, kept).dump(1);
  }
}

TEST(Conversions, TheKeptVersionIsLeftAlone) {
  const Resource& core = served("v1", "Event");
  const json tree = json::parse(R"({"apiVersion":"v1","message":"m"})");
  EXPECT_EQ(to_stored(core, tree), tree);
  EXPECT_EQ(from_stored(core, tree), tree);
}

// Annotations are anybody's to write: what is no JSON, or of the wrong shape, is dropped as upstream drops it.
TEST(Conversions, BadAnnotationsAreDropped) {
  const Resource& v1 = served("autoscaling/v1", "HorizontalPodAutoscaler");
  for (const char* text : {"{", "5", "[5]", "[{\"type\":7}]", "[{\"type\":\"Resource\",\"resource\":{\"name\":[]}}]", "\"x\""}) {
    for (const char* name : {"metrics", "behavior", "current-metrics", "conditions"}) {
      json tree = {{"metadata", {{"annotations", {{std::string("autoscaling.alpha.kubernetes.io/") + name, text}}}}}, {"spec", {{"maxReplicas", 1}}}, {"status", json::object()}};
      const json kept = to_stored(v1, tree);
      EXPECT_FALSE(kept["metadata"].contains("annotations")) << name << " " << text;
      EXPECT_TRUE(check_types(kept, served("autoscaling/v2", "HorizontalPodAutoscaler")).ok()) << name << " " << text << kept.dump();
    }
  }
}

TEST(Conversions, TakeAnyJson) {
  for (const char* text : {"null", "5", "[]", "\"x\"", R"({"spec":5,"status":[],"metadata":"x"})", R"({"spec":{"metrics":[5,null,{"type":5}]}})",
                           R"({"metadata":{"annotations":[]},"status":{"currentMetrics":{}},"regarding":null})"}) {
    for (const Resource* r : builtin_registry().resources()) {
      to_stored(*r, json::parse(text));
      from_stored(*r, json::parse(text));
    }
  }
}

}  // namespace
}  // namespace store
