// store/custom/formats.h - the formats of strings that schemas may ask for. Private to store/custom. Pure.
#pragma once

#include <string_view>

namespace store {

// Formats that kubelan does not know hold for every text, as in upstream.
bool fits_format(std::string_view format, std::string_view text);

}  // namespace store
