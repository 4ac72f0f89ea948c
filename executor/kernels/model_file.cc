#include <array>
#include <bit>
#include <cstring>

#include "base/file.h"
#include "executor/kernels/model.h"

namespace kiln::executor {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "KILNMODEL";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeadBytes = kMagic.size() + sizeof(uint32_t) + sizeof(uint64_t);

enum class Body : uint8_t { kForest = 1, kAffine = 2 };

uint32_t Crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit) made[i] = (made[i] >> 1) ^ (made[i] & 1 ? 0xedb88320 : 0);
    }
    return made;
  }();
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

class Writer {
 public:
  template <typename T>
  void Number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void Text(const std::string& text) {
    Number(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }
  void Texts(const std::vector<std::string>& texts) {
    Number(static_cast<uint32_t>(texts.size()));
    for (const std::string& text : texts) Text(text);
  }
  template <typename T>
  void Array(const std::vector<T>& values) {
    Number(static_cast<uint64_t>(values.size()));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After a failure every read gives nothing; ok() is asked once, at the end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T Number() {
    T value{};
    const std::string_view raw = Take(sizeof value);
    if (ok_) std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }
  std::string Text() { return std::string(Take(Number<uint32_t>())); }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (auto left = Number<uint32_t>(); left > 0 && ok_; --left) texts.push_back(Text());
    return texts;
  }
  template <typename T>
  std::vector<T> Array() {
    const auto count = Number<uint64_t>();
    if (count > bytes_.size() / sizeof(T)) ok_ = false;
    const std::string_view raw = Take(ok_ ? count * sizeof(T) : 0);
    std::vector<T> values(raw.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  bool Finished() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view Take(size_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

std::string EncodeContent(const Model& model) {
  Writer out;
  out.Texts(model.features);
  out.Text(model.target);
  out.Texts(model.classes);
  if (const auto* forest = std::get_if<Forest>(&model.body)) {
    out.Number(Body::kForest);
    out.Array(forest->nodes);
    out.Array(forest->roots);
    out.Array(forest->leaves);
  } else {
    const Affine& affine = std::get<Affine>(model.body);
    out.Number(Body::kAffine);
    out.Array(affine.weights);
    out.Array(affine.bias);
  }
  return out.Take();
}

Result<Model> DecodeContent(std::string_view content) {
  Reader in(content);
  Model model;
  model.features = in.Texts();
  model.target = in.Text();
  model.classes = in.Texts();
  const auto body = in.Number<Body>();
  if (body == Body::kForest) {
    Forest forest;
    forest.nodes = in.Array<ForestNode>();
    forest.roots = in.Array<uint32_t>();
    forest.leaves = in.Array<float>();
    model.body = std::move(forest);
  } else if (body == Body::kAffine) {
    Affine affine;
    affine.weights = in.Array<float>();
    affine.bias = in.Array<float>();
    model.body = std::move(affine);
  } else {
    return Fail(ErrorCode::kDataLoss, "kind {} of model is not known", static_cast<int>(body));
  }
  if (!in.Finished()) return Fail(ErrorCode::kDataLoss, "the arrays do not fill the content");
  KILN_TRY_OK(CheckModel(model));
  return model;
}

}  // namespace

std::string EncodeModel(const Model& model) {
  const std::string content = EncodeContent(model);
  Writer head;
  head.Number(kVersion);
  head.Number(static_cast<uint64_t>(content.size()));
  Writer tail;
  tail.Number(Crc32(content));
  return std::string(kMagic) + head.Take() + content + tail.Take();
}

Result<Model> DecodeModel(const std::string& name, std::string_view bytes) {
  if (!bytes.starts_with(kMagic.substr(0, bytes.size())) || bytes.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "{} is no Kiln model, expected it to begin with {}",
                name, kMagic);
  }
  if (bytes.size() < kHeadBytes) {
    return Fail(ErrorCode::kDataLoss, "{} is cut off: {} bytes, expected at least {}", name,
                bytes.size(), kHeadBytes);
  }
  Reader head(bytes.substr(kMagic.size()));
  const auto version = head.Number<uint32_t>();
  if (version != kVersion) {
    return Fail(ErrorCode::kUnimplemented, "{} is a model file of version {}, expected version {}",
                name, version, kVersion);
  }
  const auto size = head.Number<uint64_t>();
  const std::string_view rest = bytes.substr(kHeadBytes);
  if (rest.size() < sizeof(uint32_t) || rest.size() - sizeof(uint32_t) != size) {
    return Fail(ErrorCode::kDataLoss, "{} is {}: {} bytes of content, expected {}", name,
                rest.size() < size + sizeof(uint32_t) ? "cut off" : "too long", rest.size(), size);
  }
  const std::string_view content = rest.substr(0, size);
  if (Reader(rest.substr(size)).Number<uint32_t>() != Crc32(content)) {
    return Fail(ErrorCode::kDataLoss, "{} is damaged: its checksum differs", name);
  }
  auto model = DecodeContent(content);
  if (!model) return Failure(Within(name, std::move(model).error()));
  return model;
}

Status SaveModel(const std::string& path, const Model& model) {
  return WriteFile(path, EncodeModel(model));
}

Result<Model> LoadModel(const std::string& path) {
  KILN_TRY(const std::string bytes, ReadFile(path));
  return DecodeModel(path, bytes);
}

}  // namespace kiln::executor
