#include "server/api/gzip.h"

namespace server {

Gzip::Gzip(const Write& write) : write_(write) { ready_ = deflateInit2(&z_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK; }
Gzip::~Gzip() { deflateEnd(&z_); }

bool Gzip::run(std::string_view bytes, int flush) {
  if (!ready_) return false;
  z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z_.avail_in = static_cast<uInt>(bytes.size());
  do {
    char out[16 * 1024];
    z_.next_out = reinterpret_cast<Bytef*>(out);
    z_.avail_out = sizeof out;
    if (deflate(&z_, flush) == Z_STREAM_ERROR) return false;
    const size_t size = sizeof out - z_.avail_out;
    if (size > 0 && !write_({out, size})) return false;
  } while (z_.avail_out == 0);
  return true;
}

}  // namespace server
