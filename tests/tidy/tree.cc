#include "tests/tidy/tree.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

namespace kiln::tidy {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kTextEndings = {".cc",       ".h",    ".go",   ".md",    ".txt",
                                            ".yaml",     ".yml",  ".json", ".proto", ".cmake",
                                            ".mustache", ".html", ""};

std::vector<SourceFile> ReadTree() {
  std::vector<SourceFile> files;
  for (fs::recursive_directory_iterator it(Root()), end; it != end; ++it) {
    const std::string name = it->path().filename();
    if (it->is_directory() && (name == ".git" || name == "build" || name == ".cache")) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file() || !kTextEndings.contains(it->path().extension())) continue;
    SourceFile file{fs::relative(it->path(), Root()).generic_string(), {}};
    std::ifstream in(it->path());
    for (std::string line; std::getline(in, line);) file.lines.push_back(line);
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

bool IsFunctionHead(const std::string& line) {
  static const std::regex kOther(
      R"(^ *(if|for|while|switch|else|do|catch|try|case|default|namespace|class|struct|union|enum|return|extern|\}|//|#).*)");
  if (line.empty() || line.back() != '{' || std::regex_match(line, kOther)) return false;
  return line.find('(') != std::string::npos && line.find(" = [") == std::string::npos &&
         line.find("([") == std::string::npos;
}

}  // namespace

std::string SourceFile::Folder() const { return path.substr(0, path.rfind('/')); }

fs::path Root() { return KILN_SOURCE_ROOT; }

const std::vector<SourceFile>& Tree() {
  static const std::vector<SourceFile> files = ReadTree();
  return files;
}

size_t Indent(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

std::vector<Include> IncludesOf(const SourceFile& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  std::vector<Include> includes;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (std::regex_match(file.lines[i], match, kInclude))
      includes.push_back({static_cast<int>(i) + 1, match[2], match[1] == "<"});
  }
  return includes;
}

std::vector<Function> FunctionsOf(const SourceFile& file) {
  std::vector<Function> functions;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    // Deeper heads are lambdas and calls; a head may begin on an earlier line, which the count then
    // leaves out.
    if (!IsFunctionHead(file.lines[i]) || Indent(file.lines[i]) > 6) continue;
    const size_t indent = Indent(file.lines[i]);
    size_t end = i + 1;
    while (end < file.lines.size() && !(Indent(file.lines[end]) <= indent &&
                                        file.lines[end].find('}') == Indent(file.lines[end])))
      ++end;
    functions.push_back({static_cast<int>(i) + 1, static_cast<int>(end - i) + 1});
    i = end;
  }
  return functions;
}

std::string CommentOf(const std::string& line) {
  // A slash pair inside a URL follows a colon.
  for (size_t at = line.find("//"); at != std::string::npos; at = line.find("//", at + 2))
    if (at == 0 || line[at - 1] != ':') return line.substr(at + 2);
  const size_t open = line.find("/*");
  return open == std::string::npos ? "" : line.substr(open + 2);
}

std::string At(const SourceFile& file, int line, const std::string& message) {
  return file.path + ":" + std::to_string(line) + ": " + message;
}

}  // namespace kiln::tidy
