// server/api/reviews.h - kinds that are questions: a create answers one, and nothing is kept.
#pragma once

#include "server/api/core.h"

namespace server {

using ReviewHandler = HttpResponse (*)(const Call& call);
ReviewHandler find_review_handler(const store::Resource& r);  // nullptr: an ordinary kind.

}  // namespace server
