// LabelSelector::parse: the query form of a label selector ("a=b,c!=d,e in (x,y),!f").
#include <cstdint>
#include <set>

#include "store/object/label_syntax.h"
#include "store/object/selector.h"
#include "store/object/selector_check.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

enum class Token { kEnd, kWord, kComma, kOpen, kClose, kNot, kOperator };

struct Lexeme {
  Token token = Token::kEnd;
  std::string text;
};

struct OperatorRow {
  std::string_view text;
  SelectorOp op;
  bool takes_set;
};
constexpr OperatorRow kOperators[] = {
    {"in", SelectorOp::kIn, true},     {"notin", SelectorOp::kNotIn, true}, {"=", SelectorOp::kIn, false}, {"==", SelectorOp::kIn, false},
    {"!=", SelectorOp::kNotIn, false}, {">", SelectorOp::kGreater, false}, {"<", SelectorOp::kLess, false},
};
constexpr char kOperatorNames[] = "in, notin, =, ==, !=, gt, lt";

const OperatorRow* find_operator(std::string_view text) {
  for (const OperatorRow& row : kOperators) {
    if (row.text == text) return &row;
  }
  return nullptr;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_symbol(char c) { return std::string_view("=!(),><").find(c) != std::string_view::npos; }

Token symbol_token(std::string_view text) {
  if (text == ",") return Token::kComma;
  if (text == "(") return Token::kOpen;
  if (text == ")") return Token::kClose;
  if (text == "!") return Token::kNot;
  return Token::kOperator;
}

std::vector<Lexeme> split(std::string_view text) {
  // Upstream's scanner takes a NUL byte for the end of its input.
  text = text.substr(0, text.find('\0'));
  std::vector<Lexeme> out;
  size_t at = 0;
  while (at < text.size()) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    size_t size = 1;
    if (is_symbol(text[at])) {
      std::string_view pair = text.substr(at, 2);
      if (pair == "==" || pair == "!=") size = 2;
      out.push_back({symbol_token(text.substr(at, size)), std::string(text.substr(at, size))});
    } else {
      while (at + size < text.size() && !is_symbol(text[at + size]) && !is_space(text[at + size])) ++size;
      out.push_back({Token::kWord, std::string(text.substr(at, size))});
    }
    at += size;
  }
  out.push_back({});
  return out;
}

class QueryParser {
 public:
  explicit QueryParser(std::string_view text) : lexemes_(split(text)) {}

  Result<LabelSelector> parse() {
    LabelSelector out;
    if (peek() == Token::kEnd) return out;
    if (!starts_requirement()) return unexpected(", expected: !, identifier, or 'end of string'");
    for (;;) {
      Result<Requirement> requirement = parse_requirement();
      if (!requirement.ok()) return std::move(requirement).error().context("unable to parse requirement");
      out.requirements.push_back(std::move(requirement).value());
      if (peek() == Token::kEnd) return out;
      if (peek() != Token::kComma) return unexpected(", expected: ',' or 'end of string'");
      take();
      if (!starts_requirement()) return unexpected(", expected: identifier after ','");
    }
  }

 private:
  Token peek() const { return lexemes_[at_].token; }
  std::string take() {
    std::string text = lexemes_[at_].text;
    if (peek() != Token::kEnd) ++at_;
    return text;
  }
  bool starts_requirement() const { return peek() == Token::kWord || peek() == Token::kNot; }
  Error unexpected(const char* expectation) const {
    return Error(Code::kBadRequest, "found '" + lexemes_[at_].text + "'" + expectation);
  }

  Result<Requirement> parse_requirement() {
    Requirement out;
    bool negated = peek() == Token::kNot;
    if (negated) take();
    if (peek() != Token::kWord) return unexpected(", expected: identifier");
    out.key = take();
    if (std::string problem = label_key_problem(out.key); !problem.empty()) {
      // Upstream has no field path at this point and prints Go's nil.
      return Error(Code::kBadRequest, "<nil>: Invalid value: " + go_quoted(out.key) + ": " + problem);
    }
    if (negated || peek() == Token::kEnd || peek() == Token::kComma) {
      out.op = negated ? SelectorOp::kNotExists : SelectorOp::kExists;
      return out;
    }
    // `in` and `notin` are words everywhere else: they may be keys and values.
    const OperatorRow* row = find_operator(lexemes_[at_].text);
    if (row == nullptr) return unexpected((std::string(", expected: ") + kOperatorNames).c_str());
    take();
    out.op = row->op;
    std::set<std::string> values;
    if (row->takes_set) {
      values = TRY(parse_values());
    } else {
      values.insert(TRY(parse_value()));
    }
    out.values.assign(values.begin(), values.end());
    TRY_STATUS(check_requirement(out));
    return out;
  }

  Result<std::string> parse_value() {
    if (peek() == Token::kEnd || peek() == Token::kComma) return std::string();
    if (peek() != Token::kWord) return unexpected(", expected: identifier");
    return take();
  }

  // "(a,b)"; a slot between commas may be empty, which stands for the empty value.
  Result<std::set<std::string>> parse_values() {
    std::set<std::string> out;
    if (peek() != Token::kOpen) return unexpected(" expected: '('");
    take();
    if (peek() == Token::kClose) {
      take();
      return std::set<std::string>{""};
    }
    if (peek() != Token::kWord && peek() != Token::kComma) return unexpected(", expected: ',', ')' or identifier");
    for (;;) {
      if (peek() == Token::kWord) {
        out.insert(take());
        if (peek() != Token::kComma && peek() != Token::kClose) return unexpected(", expected: ',' or ')'");
      } else if (peek() == Token::kComma) {
        take();
        if (out.empty() || peek() == Token::kClose || peek() == Token::kComma) out.insert("");
        // A pair of commas is taken as one step: upstream refuses "(a,,)" but takes "(a,,b)".
        if (peek() == Token::kComma) {
          take();
          if (peek() == Token::kClose) return unexpected(", expected: ',', or identifier");
        }
      } else {
        return unexpected(", expected: ',', or identifier");
      }
      if (peek() == Token::kClose) {
        take();
        return out;
      }
    }
  }

  std::vector<Lexeme> lexemes_;
  size_t at_ = 0;
};

}  // namespace

Result<LabelSelector> LabelSelector::parse(std::string_view text) { return QueryParser(text).parse(); }

}  // namespace store
