// server/controllers/slice_names.h - private to server/controllers: what the two controllers that write EndpointSlices agree on.
#pragma once

#include <cstddef>

namespace server {

inline constexpr const char* kSlices = "endpointslices.discovery.k8s.io";
inline constexpr const char* kServiceName = "kubernetes.io/service-name";
inline constexpr const char* kManagedBy = "endpointslice.kubernetes.io/managed-by";
inline constexpr size_t kMaxEndpoints = 100;  // A slice, upstream's default.

}  // namespace server
