#include "wire/rest/role_codec.h"

#include <cmath>

#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr double kCountMax = 1e9;
constexpr double kWeightMax = 1e6;

// A key that is not there leaves the amount as it is.
void DescribeThousandths(Form& form, Form::Key key, int64_t& milli) {
  const double before = static_cast<double>(milli) / 1000;
  double count = before;
  form.Number(key, count, 0, kCountMax);
  if (count != before) milli = std::llround(count * 1000);
}

void DescribeAmounts(Form& form, Amounts& amounts) {
  DescribeThousandths(form, {"cpus", "processors"}, amounts[0]);
  Bytes mem{amounts[1]};
  form.Size({"mem", "memory"}, mem);
  Bytes disk{amounts[2]};
  form.Size({"disk", "disk"}, disk);
  amounts[1] = mem.count;
  amounts[2] = disk.count;
  DescribeThousandths(form, {"gpus", "devices"}, amounts[3]);
}

void DescribeRole(Form& form, Role& role) {
  form.Text({"name", "as Mesos knows it, or below such a role: research/vision", true}, role.name);
  form.Number({"weight", "its part beside its siblings"}, role.weight, 0, kWeightMax);
  Object(form, {"quota", "guaranteed: below it, it goes before others"}, role.quota,
         DescribeAmounts);
  Object(form, {"limit", "never more than this"}, role.limit, DescribeAmounts);
}

void DescribeSettings(Form& form, RoleSettings& settings) {
  form.Time({"half_life", "after which use counts for half"}, settings.half_life);
  form.Time({"ageing", "of waiting that is worth one point of priority"}, settings.ageing);
  List(form, {"roles", "the others have weight 1, no quota and no limit"}, settings.roles,
       DescribeRole);
}

}  // namespace

Result<RoleSettings> DecodeRoles(std::string_view text) {
  KILN_TRY(const Json json, ParseDocument(text));
  RoleSettings settings;
  KILN_TRY_OK(ReadForm(json, "", [&](Form& form) { DescribeSettings(form, settings); }));
  KILN_TRY_OK(Validate(settings));
  return settings;
}

Json AmountsToJson(const Amounts& amounts, const Amounts& blank) {
  Json json = Json::object();
  const auto has = [&](size_t i) { return amounts[i] != blank[i]; };
  if (has(0)) json["cpus"] = static_cast<double>(amounts[0]) / 1000;
  if (has(1)) json["mem"] = FormatBytes({amounts[1]});
  if (has(2)) json["disk"] = FormatBytes({amounts[2]});
  if (has(3)) json["gpus"] = static_cast<double>(amounts[3]) / 1000;
  return json;
}

}  // namespace kiln::wire
