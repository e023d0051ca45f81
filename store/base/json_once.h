// <nlohmann/json.hpp> for the precompiled headers, so that what is the same in every file is compiled in one of them,
// json_once.cc, rather than in each: the parser, the text writer, and the tree's own members and containers.
//
// Nothing includes this by name. A file compiled without the precompiled header sees the library as it is, and links
// with the rest; a version of the library that spells its literals differently only compiles slower.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/json_misuse.h"

// The library defines the literal operators _json and _json_pointer inline, and so asks for the whole parser in every
// file. Nobody here uses them: they are declared only, and their bodies become templates that nobody calls.
#define _json(text, size) _json(text, size); template <class Text> nlohmann::json json_literal(Text s, std::size_t n)
#define _json_pointer(text, size) _json_pointer(text, size); template <class Text> nlohmann::json::json_pointer json_pointer_literal(Text s, std::size_t n)
#include <nlohmann/json.hpp>
#undef _json
#undef _json_pointer

#define KUBELAN_JSON_PARSE(type, parameter) \
  template <> template <> nlohmann::json nlohmann::json::parse<type>(parameter text, const nlohmann::json::parser_callback_t callback, const bool allow_exceptions, const bool ignore_comments)
#define KUBELAN_JSON_DUMP(tree) \
  template <> std::string tree::dump(const int indent, const char indent_char, const bool ensure_ascii, const tree::error_handler_t error_handler) const

KUBELAN_JSON_PARSE(std::string, std::string&&);
KUBELAN_JSON_PARSE(std::string&, std::string&);
KUBELAN_JSON_PARSE(const std::string&, const std::string&);
KUBELAN_JSON_PARSE(std::string_view, std::string_view&&);
KUBELAN_JSON_PARSE(std::string_view&, std::string_view&);
KUBELAN_JSON_PARSE(const std::string_view&, const std::string_view&);
KUBELAN_JSON_DUMP(nlohmann::json);
KUBELAN_JSON_DUMP(nlohmann::ordered_json);

extern template class std::vector<nlohmann::json>;
extern template class std::map<std::string, nlohmann::json, std::less<>>;
extern template class nlohmann::basic_json<>;
