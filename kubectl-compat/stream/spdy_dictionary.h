// kubectl-compat/stream/spdy_dictionary.h - the preset zlib dictionary of SPDY/3 header blocks. 1423 bytes,
// adler32 0xe3c6a7c2. Made once; safe from any thread.
#pragma once

#include <string>

namespace compat {

const std::string& spdy_dictionary();

}  // namespace compat
