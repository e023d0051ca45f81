// schemac OUT.cc data/*.yaml: compiles the schema data into static tables. Exit 1 and "file:line: message" on a mistake.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "store/schema/schemac/model.h"

namespace {

// Written beside the target and renamed, so that a broken run leaves no half file for the next build to trust.
bool write_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) return false;
  }
  return std::rename(temporary.c_str(), path.c_str()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: schemac OUT.cc FILE.yaml...\n");
    return 2;
  }
  try {
    std::vector<std::string> files(argv + 2, argv + argc);
    std::sort(files.begin(), files.end());
    schemac::Model model;
    for (const std::string& file : files) schemac::read_file(file, model);
    schemac::resolve(model);
    if (!write_file(argv[1], schemac::emit(model))) {
      std::fprintf(stderr, "schemac: cannot write %s\n", argv[1]);
      return 1;
    }
  } catch (const schemac::Mistake& mistake) {
    std::fprintf(stderr, "%s\n", mistake.what());
    return 1;
  }
  return 0;
}
