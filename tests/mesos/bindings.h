// The table of placeholders of one replay: what "${offer_1}" stands for in this run.
//
// A placeholder is bound where it first appears. One without a number at its end ("${timestamp}")
// stands for another value each time and is only checked for its form.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/mesos/scenario.h"

namespace kiln::replay {

class Bindings {
 public:
  // Nothing if the text is not one single placeholder; else its name.
  static std::optional<std::string> NameOf(std::string_view text);

  const Json* Find(const std::string& name) const;
  void Set(const std::string& name, Json value);

  // Takes the value for the placeholder, or says why it cannot be: it is bound to another value,
  // the value has not its form, or a sister placeholder already has this value.
  std::optional<std::string> Match(const std::string& name, const Json& value);

  // Matches a text with placeholders inside; says why not.
  std::optional<std::string> MatchText(const std::string& pattern, const std::string& text);

  // The text, or JSON, with every placeholder replaced. `invent` gives values for placeholders that
  // are not bound yet, which are bound by this.
  using Inventor = std::function<Json(const std::string& name)>;
  std::string FillText(const std::string& text, const Inventor& invent);
  Json Fill(const Json& json, const Inventor& invent);

  // An offer that came in two parts goes out as two ids; one that came whole where two parts are
  // recorded as one: `part` is not sent.
  void SetPart(const std::string& offer_id, const std::string& part_id);
  void SetSame(const std::string& part, const std::string& offer_id);

  // Bindings made since the mark are undone by a return to it.
  size_t Mark() const { return trail_.size(); }
  void Return(size_t mark);

 private:
  Json FillOfferIds(const Json& list, const Inventor& invent);

  std::map<std::string, Json> values_;
  std::vector<std::string> trail_;
  std::map<std::string, std::string> parts_;  // offer id to that of its other part
  std::set<std::string> same_;                // placeholders of parts that came with the rest
};

}  // namespace kiln::replay
