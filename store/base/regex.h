// store/base/regex.h - a regular expression of Perl's kind (PCRE2), compiled to machine code once.
//
// Immutable; any thread, no lock. Bounded: a subject on which it would backtrack for long counts as one without a match.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace base {

class Regex;
using RegexPtr = std::shared_ptr<const Regex>;

class Regex {
 public:
  // `anchored`: found at the beginning of the subject only. kInvalid with PCRE2's words and the place.
  static Result<RegexPtr> compile(std::string_view pattern, bool ignore_case = false, bool anchored = false);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // `captures` (left alone without a match): [0] is the whole; groups that took no part are empty. Views into `subject`.
  bool search(std::string_view subject, std::vector<std::string_view>* captures = nullptr) const;

  const std::string& pattern() const { return pattern_; }
  bool ignores_case() const { return ignore_case_; }
  int groups() const { return groups_; }  // Without the whole.

 private:
  Regex() = default;

  void* code_ = nullptr;  // pcre2_code, whose header is for the .cc alone.
  std::string pattern_;
  bool ignore_case_ = false, jit_ = false;
  int groups_ = 0;
};

}  // namespace base
