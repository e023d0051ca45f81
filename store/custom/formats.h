// store/custom/formats.h - the formats of strings that schemas may ask for. Private to store/custom. Pure.
#pragma once

#include <string_view>

namespace store {

// Whether values of `type` ("" = any) are judged by `format`; others are kept in the schema and mean nothing, as upstream.
// Dashes do not count: date-time is datetime.
bool is_known_format(std::string_view type, std::string_view format);

// Formats that kubelan does not know hold for every text.
bool fits_format(std::string_view format, std::string_view text);

}  // namespace store
