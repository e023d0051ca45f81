#include "store/base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

namespace base {
namespace {

constexpr uint32_t kMaxGroups = 64;          // Groups beyond are not reported; $9 is the last that anyone can name.
constexpr uint32_t kMatchLimit = 1'000'000;  // Some 10 ms.
constexpr uint32_t kDepthLimit = 10'000;
constexpr uint32_t kHeapLimitKib = 4 * 1024;
constexpr size_t kMaxPattern = 16 * 1024;

// What matching writes to; one a thread, since a match allocates nothing then.
struct Scratch {
  pcre2_match_data* data = pcre2_match_data_create(kMaxGroups, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  Scratch() {
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_depth_limit(context, kDepthLimit);
    pcre2_set_heap_limit(context, kHeapLimitKib);
  }
  ~Scratch() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

Scratch& scratch() {
  thread_local Scratch one;
  return one;
}

}  // namespace

Result<RegexPtr> Regex::compile(std::string_view pattern, bool ignore_case, bool anchored) {
  if (pattern.size() > kMaxPattern) return Error(Code::kInvalid, "regular expression: longer than 16384 bytes");
  uint32_t options = PCRE2_NEVER_BACKSLASH_C | (ignore_case ? PCRE2_CASELESS : 0) | (anchored ? PCRE2_ANCHORED : 0);
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &at, nullptr);
  if (code == nullptr) {
    unsigned char text[160];
    pcre2_get_error_message(error, text, sizeof text);
    return Error(Code::kInvalid, "regular expression \"" + std::string(pattern) + "\": " + reinterpret_cast<const char*>(text) + " (at offset " + std::to_string(at) + ")");
  }
  std::shared_ptr<Regex> made(new Regex);
  made->code_ = code;
  made->pattern_ = pattern;
  made->ignore_case_ = ignore_case;
  // Without it (no memory for machine code: some sandboxes) the interpreter does the same, slower.
  made->jit_ = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
  uint32_t groups = 0;
  pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
  made->groups_ = static_cast<int>(groups);
  return RegexPtr(std::move(made));
}

Regex::~Regex() { pcre2_code_free(static_cast<pcre2_code*>(code_)); }

bool Regex::search(std::string_view subject, std::vector<std::string_view>* captures) const {
  auto* code = static_cast<const pcre2_code*>(code_);
  Scratch& own = scratch();
  // A view without memory behind it is an empty text.
  auto text = reinterpret_cast<PCRE2_SPTR>(subject.data() == nullptr ? "" : subject.data());
  int found = pcre2_match(code, text, subject.size(), 0, 0, own.data, own.context);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = pcre2_match(code, text, subject.size(), 0, PCRE2_NO_JIT, own.data, own.context);
  if (found < 0) return false;
  if (captures == nullptr) return true;
  size_t reported = std::min<size_t>(static_cast<size_t>(groups_) + 1, kMaxGroups);
  size_t set = found == 0 ? reported : static_cast<size_t>(found);
  const PCRE2_SIZE* places = pcre2_get_ovector_pointer(own.data);
  captures->assign(reported, std::string_view());
  for (size_t i = 0; i < set && i < reported; ++i) {
    // \K inside a look-ahead can put the beginning behind the end.
    PCRE2_SIZE from = places[2 * i], to = places[2 * i + 1];
    if (from != PCRE2_UNSET && from <= to) (*captures)[i] = subject.substr(from, to - from);
  }
  return true;
}

}  // namespace base
