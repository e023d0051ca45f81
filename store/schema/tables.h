// store/schema/tables.h - what schemac generates: every type and every resource of data/*.yaml. Static,
// constant-initialised; safe from any thread, also before main().
#pragma once

#include <span>

#include "store/schema/schema.h"

namespace store {

std::span<const Type> builtin_types();          // Named and anonymous.
std::span<const Resource> builtin_resources();  // In preference order.

}  // namespace store
