#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

// The largest unit that gives a whole number: exact, as against FormatDuration.
std::string ExactDuration(Duration duration) {
  constexpr std::pair<const char*, int64_t> kUnits[] = {
      {"d", 86'400'000'000'000}, {"h", 3'600'000'000'000}, {"min", 60'000'000'000},
      {"s", 1'000'000'000},      {"ms", 1'000'000},        {"us", 1'000}};
  const int64_t count = duration.count();
  if (count == 0) return "0s";
  for (const auto& [name, size] : kUnits) {
    if (count % size == 0) return std::to_string(count / size) + name;
  }
  return std::to_string(count) + "ns";
}

// Writes what differs from `defaults`; everything when there are none.
class Writer final : public Form {
 public:
  explicit Writer(const Json* defaults) : defaults_(defaults) {}

  void Text(Key key, std::string& value) override { Put(key, value); }
  void Flag(Key key, bool& value) override { Put(key, value); }
  void Integer(Key key, int64_t& value, int64_t, int64_t) override { Put(key, value); }
  void Number(Key key, double& value, double, double) override { Put(key, value); }
  void Size(Key key, Bytes& value) override { Put(key, FormatBytes(value)); }
  void Time(Key key, Duration& value) override { Put(key, ExactDuration(value)); }
  void Texts(Key key, std::vector<std::string>& value) override { Put(key, Json(value)); }
  void Numbers(Key key, std::vector<float>& value) override { Put(key, Json(value)); }
  void TextMap(Key key, std::map<std::string, std::string>& value) override {
    Json map = Json::object();
    for (const auto& [name, text] : value) map[name] = text;
    Put(key, std::move(map));
  }
  void Choice(Key key, int& value, const std::vector<const char*>& names) override {
    Put(key, names[static_cast<size_t>(value)]);
  }
  void Object(Key key, ObjectParts parts) override {
    if (!parts.present) return;
    Json object = WriteForm(parts.members, parts.blank);
    const bool by_default = defaults_ != nullptr && defaults_->contains(key.name);
    if (!by_default || !object.empty()) json_[key.name] = std::move(object);
  }
  void List(Key key, ListParts parts) override {
    Json list = Json::array();
    for (size_t i = 0; i < parts.size; ++i) {
      list.push_back(WriteForm([&](Form& form) { parts.element(form, i); }, parts.blank));
    }
    Put(key, std::move(list));
  }
  void OneOf(Key key, std::vector<Alternative> alternatives) override {
    for (const Alternative& alternative : alternatives) {
      if (!alternative.parts.present) continue;
      json_[key.name] =
          Json{{alternative.name, WriteForm(alternative.parts.members, alternative.parts.blank)}};
    }
  }
  void Special(Key key, SpecialParts parts) override { Put(key, parts.write()); }
  void Require(const char*, bool, std::string) override {}

  Json json_ = Json::object();

 private:
  void Put(const Key& key, Json value) {
    if (!key.required && defaults_ != nullptr) {
      auto same = defaults_->find(key.name);
      if (same != defaults_->end() && *same == value) return;
    }
    json_[key.name] = std::move(value);
  }

  const Json* defaults_;
};

}  // namespace

Json WriteForm(const Form::Members& members, const Form::Members& blank) {
  Writer defaults(nullptr);
  blank(defaults);
  Writer writer(&defaults.json_);
  members(writer);
  return std::move(writer.json_);
}

}  // namespace kiln::wire
