#include "store/base/json_once.h"

namespace {

template <class Json>
std::string text_of(const Json& tree, int indent, char indent_char, bool ensure_ascii, typename Json::error_handler_t error_handler) {
  std::string out;
  nlohmann::detail::serializer<Json> writer(nlohmann::detail::output_adapter<char, std::string>(out), indent_char, error_handler);
  writer.dump(tree, indent >= 0, ensure_ascii, indent >= 0 ? static_cast<unsigned>(indent) : 0);
  return out;
}

}  // namespace

#define KUBELAN_JSON_PARSE_ONCE(type, parameter) \
  KUBELAN_JSON_PARSE(type, parameter) { return parse(text.data(), text.data() + text.size(), callback, allow_exceptions, ignore_comments); }
KUBELAN_JSON_PARSE_ONCE(std::string, std::string&&)
KUBELAN_JSON_PARSE_ONCE(std::string&, std::string&)
KUBELAN_JSON_PARSE_ONCE(const std::string&, const std::string&)
KUBELAN_JSON_PARSE_ONCE(std::string_view, std::string_view&&)
KUBELAN_JSON_PARSE_ONCE(std::string_view&, std::string_view&)
KUBELAN_JSON_PARSE_ONCE(const std::string_view&, const std::string_view&)

KUBELAN_JSON_DUMP(nlohmann::json) { return text_of(*this, indent, indent_char, ensure_ascii, error_handler); }
KUBELAN_JSON_DUMP(nlohmann::ordered_json) { return text_of(*this, indent, indent_char, ensure_ascii, error_handler); }

template class std::vector<nlohmann::json>;
template class std::map<std::string, nlohmann::json, std::less<>>;
template class nlohmann::basic_json<>;
