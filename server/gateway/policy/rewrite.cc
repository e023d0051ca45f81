#include "server/gateway/policy/rewrite.h"

#include "server/gateway/policy/encoding.h"
#include "store/base/regex.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

base::Error bad_path(const char* why) { return {base::Code::kBadRequest, why}; }

// A path as it is written, one byte at a time; dots are only known for what they are when the element ends.
class PathBuilder {
 public:
  explicit PathBuilder(size_t size) { out_.reserve(size); }

  // False: above the root.
  bool add(char c) {
    if (c != '/') {
      out_.push_back(c);
      return true;
    }
    if (!end_element()) return false;
    if (out_.empty() || out_.back() != '/') out_.push_back('/');
    return true;
  }
  // Drops a "." and resolves a "..", whose element ends here. The slash before it stays.
  bool end_element() {
    std::string_view element = std::string_view(out_).substr(out_.rfind('/') + 1);
    if (element == ".") {
      out_.pop_back();
    } else if (element == "..") {
      out_.resize(out_.size() - 3);  // "/.."
      size_t slash = out_.rfind('/');
      if (slash == std::string::npos) return false;
      out_.resize(slash + 1);
    }
    return true;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// A new path, in the form of a request line.
std::string to_target(std::string_view path, std::string_view query) {
  std::string out;
  out.reserve(path.size() + query.size() + 2);
  if (path[0] != '/') out.push_back('/');
  append_escaped(path, Escape::kUri, &out);
  if (query.empty()) return out;
  out.push_back('?');
  append_line_safe(query, &out);
  return out;
}

// By what the manifest says, never by what a request brings.
bool is_absolute(std::string_view text) { return text.substr(0, 7) == "http://" || text.substr(0, 8) == "https://" || text.substr(0, 7) == "$scheme"; }

base::Result<std::string> replace_found(const Rewrite& rewrite, const RequestHead& request, const TemplateContext& context, std::string_view path) {
  std::vector<std::string_view> groups;
  if (!rewrite.target || (rewrite.regex && !rewrite.regex->search(path, &groups))) return request.target;
  TemplateContext names = context;
  if (rewrite.regex) names.captures = &groups;
  names.path = path;
  std::string new_path, query;
  bool quoted = request.path().find_first_of("%+") != std::string_view::npos;
  bool own_query = rewrite.target->render_rewrite(names, quoted, &new_path, &query);
  if (new_path.empty()) return base::Error(base::Code::kInternal, "the rewritten path is empty");
  // nginx: a '?' at the very end of the replacement drops the arguments of the request, otherwise they follow its own.
  bool drops = !rewrite.target->text().empty() && rewrite.target->text().back() == '?';
  if (drops && !query.empty()) query.pop_back();
  if (!drops && !request.query().empty()) {
    if (own_query) query.push_back('&');
    query.append(request.query());
  }
  if (!is_absolute(rewrite.target->text())) return to_target(new_path, query);
  std::string out;
  append_line_safe(new_path, &out);
  if (!query.empty()) append_line_safe("?" + query, &out);
  return out;
}

// Gateway API's ReplacePrefixMatch: elements, and exactly one "/" between the new beginning and the rest.
std::string replace_prefix(const Rewrite& rewrite, const std::string& replacement, const RequestHead& request, std::string_view path) {
  std::string_view prefix = rewrite.prefix;
  while (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);
  auto fits = [&](std::string_view text) { return text.substr(0, prefix.size()) == prefix && (text.size() == prefix.size() || text[prefix.size()] == '/'); };
  bool raw = fits(request.path()) && is_normal_path(request.path());
  std::string_view source = raw ? request.path() : path;
  if (!fits(source)) return request.target;
  std::string_view rest = source.substr(prefix.size());
  std::string_view front = replacement;
  while (!front.empty() && front.back() == '/') front.remove_suffix(1);
  std::string out(front);
  if (rest.empty()) out = replacement;
  else if (raw) out.append(rest);
  else append_escaped(rest, Escape::kUri, &out);
  if (out.empty() || out[0] != '/') out.insert(out.begin(), '/');
  return out + request.target.substr(request.path().size());
}

}  // namespace

bool is_normal_path(std::string_view path) {
  if (path.empty() || path[0] != '/') return false;
  char before = 0;
  for (char c : path) {
    switch (c) {
      case '%':
      case '?':
      case '#':
      case '\0':
        return false;
      case '/':
        if (before == '/') return false;
        break;
      case '.':  // Of ".hidden" too; the slow way finds out.
        if (before == '/') return false;
        break;
      default:
        break;
    }
    before = c;
  }
  return true;
}

base::Result<std::string> normalize_path(std::string_view target) {
  if (is_normal_path(target)) return std::string(target);
  target = target.substr(0, target.find_first_of("?#"));
  if (target.empty()) return std::string("/");
  if (target[0] != '/') return bad_path("the path does not begin with \"/\"");
  PathBuilder path(target.size());
  for (size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      int high = i + 1 < target.size() ? base::hex_digit(target[i + 1]) : -1;
      int low = i + 2 < target.size() ? base::hex_digit(target[i + 2]) : -1;
      if (high < 0 || low < 0) return bad_path("a \"%\" in the path is not followed by two hexadecimal digits");
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (c == '\0') return bad_path("the path contains a NUL byte");
    if (!path.add(c)) return bad_path("the path climbs above the root");
  }
  if (!path.end_element()) return bad_path("the path climbs above the root");
  return path.take();
}

base::Result<std::string> rewritten_target(const Rewrite& rewrite, const RequestHead& request, const TemplateContext& context, std::string_view path) {
  std::string own;
  if (path.empty()) {
    own = TRY(normalize_path(request.path()));
    path = own;
  }
  if (rewrite.kind == Rewrite::Kind::kRegex) return replace_found(rewrite, request, context, path);
  std::string replacement = rewrite.target ? rewrite.target->render(context) : "/";
  if (rewrite.kind == Rewrite::Kind::kPrefix) return replace_prefix(rewrite, replacement, request, path);
  if (replacement.empty() || replacement[0] != '/') replacement.insert(replacement.begin(), '/');
  return replacement + request.target.substr(request.path().size());
}

}  // namespace server::gateway
