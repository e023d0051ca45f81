#include "store/schema/text_diff.h"

#include <algorithm>
#include <map>
#include <vector>

namespace store {
namespace {

using Lines = std::vector<std::string>;
constexpr size_t kContext = 3;

Lines lines_of(const std::string& text) {
  Lines out;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

struct Block {
  size_t a, b, size;
};
struct Range {
  size_t a_low, a_high, b_low, b_high;
};

class Matcher {
 public:
  Matcher(const Lines& a, const Lines& b) : a_(a), b_(b) {
    for (size_t i = 0; i < b.size(); ++i) where_[b[i]].push_back(i);
  }

  // What is common, in order: the longest piece, and so on to its left and right.
  std::vector<Block> blocks() {
    std::vector<Block> found;
    collect({0, a_.size(), 0, b_.size()}, found);
    std::sort(found.begin(), found.end(), [](const Block& x, const Block& y) { return x.a < y.a; });
    std::vector<Block> out;
    for (const Block& block : found) {
      if (!out.empty() && out.back().a + out.back().size == block.a && out.back().b + out.back().size == block.b) out.back().size += block.size;
      else out.push_back(block);
    }
    out.push_back({a_.size(), b_.size(), 0});
    return out;
  }

 private:
  Block longest(const Range& in) const {
    Block best{in.a_low, in.b_low, 0};
    std::map<size_t, size_t> ending;  // Length of the match that ends at this line of b.
    for (size_t i = in.a_low; i < in.a_high; ++i) {
      std::map<size_t, size_t> next;
      const auto at = where_.find(a_[i]);
      for (size_t j : at == where_.end() ? std::vector<size_t>() : at->second) {
        if (j < in.b_low) continue;
        if (j >= in.b_high) break;
        const auto before = j == 0 ? ending.end() : ending.find(j - 1);
        const size_t size = next[j] = (before == ending.end() ? 0 : before->second) + 1;
        if (size > best.size) best = {i + 1 - size, j + 1 - size, size};
      }
      ending = std::move(next);
    }
    return best;
  }

  void collect(const Range& start, std::vector<Block>& out) const {
    std::vector<Range> waiting = {start};
    while (!waiting.empty()) {
      const Range in = waiting.back();
      waiting.pop_back();
      const Block found = longest(in);
      if (found.size == 0) continue;
      out.push_back(found);
      waiting.push_back({in.a_low, found.a, in.b_low, found.b});
      waiting.push_back({found.a + found.size, in.a_high, found.b + found.size, in.b_high});
    }
  }

  const Lines& a_;
  const Lines& b_;
  std::map<std::string, std::vector<size_t>> where_;
};

// One step from a to b: lines that stay, or lines that give way to others.
struct Step {
  bool same;
  Range at;
};

std::vector<Step> steps(const Lines& a, const Lines& b) {
  std::vector<Step> out;
  size_t i = 0, j = 0;
  for (const Block& block : Matcher(a, b).blocks()) {
    if (i < block.a || j < block.b) out.push_back({false, {i, block.a, j, block.b}});
    i = block.a + block.size;
    j = block.b + block.size;
    if (block.size > 0) out.push_back({true, {block.a, i, block.b, j}});
  }
  return out;
}

// Changes with their surroundings; far apart ones in hunks of their own.
std::vector<std::vector<Step>> hunks(std::vector<Step> list) {
  if (!list.empty() && list.front().same) {
    Range& r = list.front().at;
    r.a_low = std::max(r.a_low, r.a_high - std::min(kContext, r.a_high));
    r.b_low = std::max(r.b_low, r.b_high - std::min(kContext, r.b_high));
  }
  if (!list.empty() && list.back().same) {
    Range& r = list.back().at;
    r.a_high = std::min(r.a_high, r.a_low + kContext);
    r.b_high = std::min(r.b_high, r.b_low + kContext);
  }
  std::vector<std::vector<Step>> out;
  std::vector<Step> hunk;
  for (Step& step : list) {
    if (step.same && step.at.a_high - step.at.a_low > 2 * kContext) {
      const Range r = step.at;
      hunk.push_back({true, {r.a_low, std::min(r.a_high, r.a_low + kContext), r.b_low, std::min(r.b_high, r.b_low + kContext)}});
      out.push_back(std::move(hunk));
      hunk.clear();
      step.at.a_low = std::max(r.a_low, r.a_high - kContext);
      step.at.b_low = std::max(r.b_low, r.b_high - kContext);
    }
    hunk.push_back(step);
  }
  if (!hunk.empty() && !(hunk.size() == 1 && hunk[0].same)) out.push_back(std::move(hunk));
  return out;
}

std::string range_text(size_t low, size_t high) {
  const size_t size = high - low;
  if (size == 1) return std::to_string(low + 1);
  return std::to_string(size == 0 ? low : low + 1) + "," + std::to_string(size);
}

}  // namespace

std::string unified_diff(const std::string& before, const std::string& after) {
  if (before == after) return {};
  const Lines a = lines_of(before), b = lines_of(after);
  std::string out;
  auto lines = [&](char mark, const Lines& from, size_t low, size_t high) {
    for (size_t i = low; i < high; ++i) out.append(1, mark).append(from[i]).append("\n");
  };
  for (const std::vector<Step>& hunk : hunks(steps(a, b))) {
    const Range &first = hunk.front().at, &last = hunk.back().at;
    out += "@@ -" + range_text(first.a_low, last.a_high) + " +" + range_text(first.b_low, last.b_high) + " @@\n";
    for (const Step& step : hunk) {
      if (step.same) {
        lines(' ', a, step.at.a_low, step.at.a_high);
        continue;
      }
      lines('-', a, step.at.a_low, step.at.a_high);
      lines('+', b, step.at.b_low, step.at.b_high);
    }
  }
  return out;
}

}  // namespace store
