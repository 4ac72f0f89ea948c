#include "model/gpu_inventory.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace kiln {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<int64_t> ReadNumber(std::string_view text, std::string_view what) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    return Fail(ErrorCode::kInvalidArgument, "{} is \"{}\", expected a whole number from 0", what,
                text);
  return number;
}

Status ReadKey(std::string_view key, std::string_view value, Gpu& gpu) {
  if (key == "model") {
    gpu.model = value;
  } else if (key == "memory") {
    KILN_TRY(gpu.memory, ParseBytes(value));
  } else if (key == "minor") {
    KILN_TRY(const int64_t minor, ReadNumber(value, "minor"));
    gpu.minor = static_cast<int>(minor);
  } else if (key == "mig") {
    gpu.mig = value;
  } else if (key == "link") {
    const size_t colon = value.find(':');
    if (colon == std::string_view::npos || colon + 1 == value.size())
      return Fail(ErrorCode::kInvalidArgument,
                  "link is \"{}\", expected KIND:NAME such as nvlink:a", value);
    KILN_TRY(gpu.link, ParseGpuLink(value.substr(0, colon)));
    gpu.link_group = value.substr(colon + 1);
  } else {
    return Fail(ErrorCode::kInvalidArgument,
                "\"{}\" is not known, expected model=, memory=, minor=, mig=, link= or unhealthy",
                key);
  }
  return {};
}

Result<Gpu> ReadDevice(std::string_view line) {
  Gpu gpu;
  for (std::string_view word : Split(line, ' ')) {
    if (word.empty()) continue;
    const size_t equals = word.find('=');
    if (gpu.id.empty()) {
      gpu.id.text = word;
    } else if (word == "unhealthy") {
      gpu.healthy = false;
    } else {
      KILN_TRY_OK(ReadKey(word.substr(0, equals),
                          equals == std::string_view::npos ? "" : word.substr(equals + 1), gpu));
    }
  }
  return gpu;
}

std::string Plain(std::string_view text) {
  std::string plain(text);
  for (char& c : plain)
    if (!isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  return plain;
}

// With each of the characters `from` replaced by the one at its place in `to`.
std::string Swapped(std::string_view text, std::string_view from, std::string_view to) {
  std::string swapped(text);
  for (char& c : swapped) {
    const size_t at = from.find(c);
    if (at != std::string_view::npos) c = to[at];
  }
  return swapped;
}

}  // namespace

const char* GpuLinkName(GpuLink link) {
  switch (link) {
    case GpuLink::kNvlink:
      return "nvlink";
    case GpuLink::kPcieSwitch:
      return "pcie";
    case GpuLink::kSocket:
      return "socket";
    case GpuLink::kSystem:
      return "system";
  }
  return "system";
}

Result<GpuLink> ParseGpuLink(std::string_view name) {
  for (GpuLink link : {GpuLink::kNvlink, GpuLink::kPcieSwitch, GpuLink::kSocket, GpuLink::kSystem})
    if (name == GpuLinkName(link)) return link;
  return Fail(ErrorCode::kInvalidArgument,
              "link kind is \"{}\", expected nvlink, pcie, socket or system", name);
}

Result<std::vector<Gpu>> ParseGpuInventory(std::string_view text) {
  std::vector<Gpu> gpus;
  std::set<GpuId> seen;
  int number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto gpu = ReadDevice(line);
    if (!gpu) return Failure(Within(fmt::format("GPU inventory line {}", number), gpu.error()));
    if (!seen.insert(gpu->id).second)
      return Fail(ErrorCode::kInvalidArgument, "GPU inventory line {}: {} stands there twice",
                  number, gpu->id.text);
    gpus.push_back(*std::move(gpu));
  }
  return gpus;
}

std::string FormatGpuAttribute(const std::vector<Gpu>& gpus) {
  std::string text;
  for (const Gpu& gpu : gpus) {
    if (!text.empty()) text += '/';
    text += fmt::format("{}.{}.{}.{}.{}.{}", Plain(gpu.id.text), Plain(gpu.model),
                        gpu.memory.count >> 20, std::max(gpu.minor, 0), GpuLinkName(gpu.link),
                        Plain(gpu.link_group));
    if (!gpu.mig.empty()) text += '.' + Swapped(gpu.mig, ".+", "_-");
  }
  return text;
}

Result<std::vector<Gpu>> ParseGpuAttribute(std::string_view text) {
  std::vector<Gpu> gpus;
  if (text.empty()) return gpus;
  for (std::string_view item : Split(text, '/')) {
    const auto parts = Split(item, '.');
    if (parts.size() != 6 && parts.size() != 7)
      return Fail(
          ErrorCode::kInvalidArgument,
          "attribute {} has \"{}\", expected id.model.MiB.minor.link.group, and .profile of a "
          "slice",
          kGpuAttribute, item);
    Gpu gpu;
    gpu.id.text = parts[0];
    gpu.model = parts[1];
    KILN_TRY(const int64_t mebibytes, ReadNumber(parts[2], "memory in MiB"));
    gpu.memory = MiB(mebibytes);
    KILN_TRY(const int64_t minor, ReadNumber(parts[3], "minor"));
    gpu.minor = static_cast<int>(minor);
    KILN_TRY(gpu.link, ParseGpuLink(parts[4]));
    gpu.link_group = parts[5];
    if (parts.size() == 7) gpu.mig = Swapped(parts[6], "_-", ".+");
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

}  // namespace kiln
