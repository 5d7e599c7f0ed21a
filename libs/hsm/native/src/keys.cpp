#include "keys.hpp"

#include <cstring>

namespace hufu {

namespace {

constexpr CK_ATTRIBUTE_TYPE NO_USAGE = CKA_CLASS;
constexpr CK_ATTRIBUTE_TYPE USAGES[] = {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE};
// Levels of one depth that a thread keeps: a batch runs through its cards in order, so old ones do not come again.
constexpr size_t LEVELS_MOST = 32;

// Written out in full, usages that are off too: modules have different defaults.
class Template {
 public:
  explicit Template(const Shape &shape) : keyType_(shape.keyType), valueLength_(shape.valueLength) {
    add(CKA_CLASS, &class_, sizeof class_);
    add(CKA_KEY_TYPE, &keyType_, sizeof keyType_);
    add(CKA_TOKEN, &no_, 1);
    add(CKA_PRIVATE, &yes_, 1);
    add(CKA_SENSITIVE, shape.sensitive ? &yes_ : &no_, 1);
    add(CKA_EXTRACTABLE, shape.extractable ? &yes_ : &no_, 1);
    for (const CK_ATTRIBUTE_TYPE usage : USAGES) add(usage, usage == shape.usage ? &yes_ : &no_, 1);
    if (valueLength_ != 0) add(CKA_VALUE_LEN, &valueLength_, sizeof valueLength_);
  }
  Template(const Template &) = delete;
  Template &operator=(const Template &) = delete;
  CK_ATTRIBUTE *data() { return attributes_.data(); }
  CK_ULONG size() const { return count_; }

 private:
  void add(CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG length) { attributes_[count_++] = {type, value, length}; }
  CK_BBOOL yes_ = CK_TRUE, no_ = CK_FALSE;
  CK_OBJECT_CLASS class_ = CKO_SECRET_KEY;
  CK_KEY_TYPE keyType_;
  CK_ULONG valueLength_;
  std::array<CK_ATTRIBUTE, 14> attributes_;
  CK_ULONG count_ = 0;
};

}  // namespace

namespace shapes {
Shape diversifying(const Algorithm &a) { return {a.keyType, CKA_DERIVE, false, true, a.valueLength}; }
Shape encrypting(const Algorithm &a) { return {a.keyType, CKA_ENCRYPT, false, true, a.valueLength}; }
Shape wrapping(const Algorithm &a) { return {a.keyType, CKA_WRAP, false, true, a.valueLength}; }
Shape loading(CK_ULONG bytes, bool last) { return {CKK_GENERIC_SECRET, last ? NO_USAGE : CKA_DERIVE, true, true, bytes}; }
Shape fingerprinting() { return {CKK_GENERIC_SECRET, CKA_SIGN, false, true, 32}; }
Shape readable(CK_ULONG bytes) { return {CKK_GENERIC_SECRET, NO_USAGE, true, false, bytes}; }
}  // namespace shapes

CK_OBJECT_HANDLE derive(Session &session, CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE mechanism, Bytes data, const Shape &shape) {
  CK_KEY_DERIVATION_STRING_DATA parameter{const_cast<CK_BYTE *>(data.data()), data.size()};
  CK_MECHANISM used{mechanism, data.empty() ? nullptr : &parameter, data.empty() ? 0 : sizeof parameter};
  Template attributes(shape);
  CK_OBJECT_HANDLE child = CK_INVALID_HANDLE;
  HUFU_CALL(session, C_DeriveKey, &used, base, attributes.data(), attributes.size(), &child);
  return child;
}

Temporaries::~Temporaries() {
  while (count_ > 0) session_.destroy(handles_[--count_]);
}

CK_OBJECT_HANDLE Temporaries::derive(CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE mechanism, Bytes data, const Shape &shape) {
  // Before the key exists: one that could not be remembered would outlive its item.
  if (count_ == handles_.size()) throw CkError{CKR_HOST_MEMORY, "C_DeriveKey"};
  return handles_[count_++] = hufu::derive(session_, base, mechanism, data, shape);
}

std::array<uint8_t, 2 * FACTOR_BYTES> diversificationInput(const uint8_t *factor) {
  std::array<uint8_t, 2 * FACTOR_BYTES> input;
  for (size_t i = 0; i < FACTOR_BYTES; i++) {
    input[i] = factor[i];
    input[FACTOR_BYTES + i] = static_cast<uint8_t>(~factor[i]);
  }
  return input;
}

void Levels::beginItem() {
  for (auto &levels : byDepth_)
    if (levels.size() >= LEVELS_MOST) destroy(levels);
}

CK_OBJECT_HANDLE Levels::at(uint16_t keyIndex, CK_OBJECT_HANDLE root, const Algorithm &algorithm, const uint8_t *factors, size_t count) {
  if (count == 0) return root;
  std::vector<Level> &levels = byDepth_[count - 1];
  for (auto level = levels.rbegin(); level != levels.rend(); ++level)
    if (level->keyIndex == keyIndex && std::memcmp(level->factors.data(), factors, count * FACTOR_BYTES) == 0) return level->handle;
  const CK_OBJECT_HANDLE above = at(keyIndex, root, algorithm, factors, count - 1);
  const auto input = diversificationInput(factors + (count - 1) * FACTOR_BYTES);
  levels.reserve(levels.size() + 1);
  Level level{{}, derive(session_, above, algorithm.encryptData, input, shapes::diversifying(algorithm)), keyIndex};
  std::memcpy(level.factors.data(), factors, count * FACTOR_BYTES);
  levels.push_back(level);
  return level.handle;
}

void Levels::destroy(std::vector<Level> &levels) noexcept {
  for (const Level &level : levels) session_.destroy(level.handle);
  levels.clear();
}

void Levels::destroy() noexcept {
  for (auto &levels : byDepth_) destroy(levels);
}

void Levels::forget() noexcept {
  for (auto &levels : byDepth_) levels.clear();
}

}  // namespace hufu
