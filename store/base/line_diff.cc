#include "store/base/line_diff.h"

#include <algorithm>
#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

namespace base {
namespace {

constexpr size_t kContext = 3;
constexpr size_t kLong = 200;  // Lines from which on common ones are passed over.

using Lines = std::vector<std::string_view>;

struct Run {
  size_t a = 0, b = 0, size = 0;
};
// Lines [a1, a2) of the one text against [b1, b2) of the other.
struct Step {
  bool equal = false;
  size_t a1 = 0, a2 = 0, b1 = 0, b2 = 0;
};

Lines split(std::string_view text) {
  Lines out;
  while (true) {
    const size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

class Matcher {
 public:
  Matcher(const Lines& a, const Lines& b) : a_(a), b_(b) {
    for (size_t i = 0; i < b.size(); ++i) where_[b[i]].push_back(i);
    if (b.size() < kLong) return;
    const size_t most = b.size() / 100 + 1;
    std::erase_if(where_, [most](const auto& line) { return line.second.size() > most; });
  }

  std::vector<Run> runs() {
    find_all(0, a_.size(), 0, b_.size());
    std::sort(runs_.begin(), runs_.end(), [](const Run& x, const Run& y) { return x.a < y.a; });
    std::vector<Run> out;
    for (const Run& run : runs_) {
      if (!out.empty() && out.back().a + out.back().size == run.a && out.back().b + out.back().size == run.b) out.back().size += run.size;
      else out.push_back(run);
    }
    return out;
  }

 private:
  Run longest(size_t a1, size_t a2, size_t b1, size_t b2) const {
    Run best{a1, b1, 0};
    std::unordered_map<size_t, size_t> lengths;  // By the line of `b` at which a run ends.
    for (size_t i = a1; i < a2; ++i) {
      std::unordered_map<size_t, size_t> now;
      const auto at = where_.find(a_[i]);
      for (const size_t j : at == where_.end() ? std::vector<size_t>() : at->second) {
        if (j < b1 || j >= b2) continue;
        const auto before = j == 0 ? lengths.end() : lengths.find(j - 1);
        const size_t length = (before == lengths.end() ? 0 : before->second) + 1;
        now[j] = length;
        if (length > best.size) best = {i + 1 - length, j + 1 - length, length};
      }
      lengths = std::move(now);
    }
    while (best.a > a1 && best.b > b1 && a_[best.a - 1] == b_[best.b - 1]) --best.a, --best.b, ++best.size;
    while (best.a + best.size < a2 && best.b + best.size < b2 && a_[best.a + best.size] == b_[best.b + best.size]) ++best.size;
    return best;
  }

  void find_all(size_t a1, size_t a2, size_t b1, size_t b2) {
    const Run run = longest(a1, a2, b1, b2);
    if (run.size == 0) return;
    runs_.push_back(run);
    if (a1 < run.a && b1 < run.b) find_all(a1, run.a, b1, run.b);
    if (run.a + run.size < a2 && run.b + run.size < b2) find_all(run.a + run.size, a2, run.b + run.size, b2);
  }

  const Lines &a_, &b_;
  std::unordered_map<std::string_view, std::vector<size_t>> where_;
  std::vector<Run> runs_;
};

std::vector<Step> steps_between(const Lines& a, const Lines& b) {
  std::vector<Run> runs = Matcher(a, b).runs();
  runs.push_back({a.size(), b.size(), 0});
  std::vector<Step> out;
  size_t i = 0, j = 0;
  for (const Run& run : runs) {
    if (i < run.a || j < run.b) out.push_back({false, i, run.a, j, run.b});
    if (run.size > 0) out.push_back({true, run.a, run.a + run.size, run.b, run.b + run.size});
    i = run.a + run.size;
    j = run.b + run.size;
  }
  return out;
}

using Hunk = std::vector<Step>;

std::vector<Hunk> hunks_of(std::vector<Step> steps) {
  auto keep_end = [](Step& step) {
    if (!step.equal) return;
    step.a1 = std::max(step.a1, step.a2 - std::min(step.a2, kContext));
    step.b1 = std::max(step.b1, step.b2 - std::min(step.b2, kContext));
  };
  auto keep_start = [](Step& step) {
    if (!step.equal) return;
    step.a2 = std::min(step.a2, step.a1 + kContext);
    step.b2 = std::min(step.b2, step.b1 + kContext);
  };
  keep_end(steps.front());
  keep_start(steps.back());
  std::vector<Hunk> out;
  Hunk hunk;
  for (Step step : steps) {
    if (step.equal && step.a2 - step.a1 > 2 * kContext) {
      Step start = step;
      keep_start(start);
      hunk.push_back(start);
      out.push_back(std::exchange(hunk, {}));
      keep_end(step);
    }
    hunk.push_back(step);
  }
  if (!hunk.empty() && !(hunk.size() == 1 && hunk[0].equal)) out.push_back(std::move(hunk));
  return out;
}

std::string range(size_t start, size_t stop) {
  const size_t length = stop - start;
  if (length == 1) return std::to_string(start + 1);
  return std::to_string(length == 0 ? start : start + 1) + "," + std::to_string(length);
}

void append(std::string& out, char sign, const Lines& lines, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i) out.append(1, sign).append(lines[i]).append("\n");
}

}  // namespace

std::string line_diff(std::string_view before, std::string_view after) {
  if (before == after) return {};
  const Lines a = split(before), b = split(after);
  std::string out;
  for (const Hunk& hunk : hunks_of(steps_between(a, b))) {
    out.append("@@ -").append(range(hunk.front().a1, hunk.back().a2)).append(" +").append(range(hunk.front().b1, hunk.back().b2)).append(" @@\n");
    for (const Step& step : hunk) {
      if (step.equal) append(out, ' ', a, step.a1, step.a2);
      else append(out, '-', a, step.a1, step.a2), append(out, '+', b, step.b1, step.b2);
    }
  }
  return out;
}

}  // namespace base
