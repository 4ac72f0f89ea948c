#include "tests/universe/mustache.h"

#include <algorithm>

namespace kiln::universe {
namespace {

using wire::Json;

struct Tag {
  char kind = '=';  // one of "=#^/!": a value, a section, an inverted one, its end, a comment
  std::string name;
  size_t end = 0;  // where the text goes on
};

class Renderer {
 public:
  Renderer(std::string_view text, const Json& values) : text_(text), values_(values) {}

  Result<std::string> Render() { return Until("", true); }

 private:
  // Renders up to the end of the section `open`, or of the text; nothing is kept of what is
  // skipped, but it is read and must be right.
  Result<std::string> Until(const std::string& open, bool keep) {
    std::string out;
    while (true) {
      const size_t at = text_.find("{{", position_);
      if (keep) out += text_.substr(position_, at - position_);
      if (at == std::string_view::npos) break;
      position_ = at;
      KILN_TRY(const Tag tag, ReadTag());
      if (tag.kind == '/') {
        if (tag.name != open) return Wrong("{{/" + tag.name + "}} closes nothing");
        position_ = tag.end;
        return out;
      }
      KILN_TRY(const std::string part, RenderTag(tag, keep));
      out += part;
    }
    if (!open.empty()) {
      position_ = text_.size();
      return Wrong("section " + open + " is not closed");
    }
    return out;
  }

  Result<std::string> RenderTag(const Tag& tag, bool keep) {
    if (tag.kind == '!') {
      position_ = tag.end;
      return std::string();
    }
    const Json* value = Find(tag.name);
    if (value == nullptr) return Wrong(tag.name + " has no value");
    if (tag.kind == '=') {
      KILN_TRY(std::string text, Text(tag.name, *value));
      position_ = tag.end;
      return keep ? text : "";
    }
    KILN_TRY(const bool truth, Truth(tag.name, *value));
    position_ = tag.end;
    return Until(tag.name, keep && truth == (tag.kind == '#'));
  }

  Result<Tag> ReadTag() {
    const bool triple = text_.substr(position_).starts_with("{{{");
    const std::string_view closing = triple ? "}}}" : "}}";
    const size_t begin = position_ + closing.size();
    const size_t end = text_.find(closing, begin);
    if (end == std::string_view::npos) return Wrong("a tag is not closed");
    std::string inside(text_.substr(begin, end - begin));
    Tag tag{.end = end + closing.size()};
    if (!inside.empty() && std::string_view("#^/!").find(inside[0]) != std::string_view::npos) {
      tag.kind = inside[0];
      inside.erase(0, 1);
    }
    if (tag.kind == '!') return tag;
    std::erase(inside, ' ');
    const bool named = !inside.empty() && std::all_of(inside.begin(), inside.end(), [](char c) {
      return isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
    });
    if (!named) return Wrong("tag is {{" + inside + "}}, expected a name");
    tag.name = inside;
    return tag;
  }

  const Json* Find(std::string_view name) const {
    const Json* value = &values_;
    while (!name.empty()) {
      const size_t dot = std::min(name.find('.'), name.size());
      const auto found = value->find(std::string(name.substr(0, dot)));
      if (found == value->end()) return nullptr;
      value = &*found;
      name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return value;
  }

  Result<std::string> Text(const std::string& name, const Json& value) const {
    if (value.is_object() || value.is_null()) return Wrong(name + " is an object, expected a leaf");
    if (!value.is_string()) return value.dump();
    const std::string quoted = value.dump();
    return quoted.substr(1, quoted.size() - 2);
  }

  Result<bool> Truth(const std::string& name, const Json& value) const {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_string()) return !value.get<std::string>().empty();
    return Wrong("section " + name + " is on " + value.dump() + ", expected a boolean or a string");
  }

  Failure Wrong(const std::string& what) const {
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<long>(position_), '\n');
    return Fail(ErrorCode::kInvalidArgument, "line {}: {}", line + 1, what);
  }

  std::string_view text_;
  const Json& values_;
  size_t position_ = 0;
};

}  // namespace

Result<std::string> RenderMustache(std::string_view text, const Json& values) {
  return Renderer(text, values).Render();
}

}  // namespace kiln::universe
