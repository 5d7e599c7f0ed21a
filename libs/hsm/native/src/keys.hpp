// The session keys of the recipes: fixed templates, derivations, and their end.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "module.hpp"

namespace hufu {

using Bytes = std::span<const uint8_t>;

constexpr size_t KEY_BYTES = 16;
constexpr size_t FACTOR_BYTES = 8;
constexpr size_t BLOCK_MOST = 16;
// Levels below a root at most: region, card, file (DEEPEST_PATH in domain/class-rules.ts).
constexpr size_t DEEPEST_PATH = 3;

// The numbers of one symmetric algorithm on this module. From the vendor profile.
struct Algorithm {
  CK_KEY_TYPE keyType;
  CK_MECHANISM_TYPE encryptData, ecb, cbc;
  size_t blockBytes;
  // CKA_VALUE_LEN in templates, where the key type does not fix it; 0 = none.
  CK_ULONG valueLength;
};

// Every template that the executor uses. No request can change one: on a module that does not enforce key separation they
// are the guard, since a key with CKA_DERIVE never has another usage.
struct Shape {
  CK_KEY_TYPE keyType;
  CK_ATTRIBUTE_TYPE usage;  // CKA_CLASS = none
  bool extractable, sensitive;
  CK_ULONG valueLength;  // 0 = fixed by the type
};

namespace shapes {
// A level of the hierarchy, or a key whose session keys are derived.
Shape diversifying(const Algorithm &algorithm);
// Makes MACs and authentications.
Shape encrypting(const Algorithm &algorithm);
// Encrypts key loads by C_WrapKey.
Shape wrapping(const Algorithm &algorithm);
// The key to load and the blocks around it: a generic secret keeps its bytes (DES2 would get parity bits), and only the last
// block is not derived from any more. Extractable, because C_WrapKey wants it.
Shape loading(CK_ULONG bytes, bool last);
// HMAC key of a fingerprint.
Shape fingerprinting();
// The only readable one: so many leading bytes of an encrypted constant. What of it leaves is a check value.
Shape readable(CK_ULONG bytes);
}  // namespace shapes

// A derivation whose parameter is CK_KEY_DERIVATION_STRING_DATA (PKCS#11 v2.40, 2.43), or has none where data is empty.
CK_OBJECT_HANDLE derive(Session &session, CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE mechanism, Bytes data, const Shape &shape);

// Session objects of one item: all are destroyed at its end, whatever happened.
class Temporaries {
 public:
  explicit Temporaries(Session &session) : session_(session) {}
  Temporaries(const Temporaries &) = delete;
  Temporaries &operator=(const Temporaries &) = delete;
  ~Temporaries();
  CK_OBJECT_HANDLE derive(CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE mechanism, Bytes data, const Shape &shape);

 private:
  Session &session_;
  std::array<CK_OBJECT_HANDLE, 12> handles_{};
  size_t count_ = 0;
};

// PBOC 2.0: the factor and its complement, 16 bytes.
std::array<uint8_t, 2 * FACTOR_BYTES> diversificationInput(const uint8_t *factor);

// The levels between roots and card keys (region, card) that a thread has derived for one batch, so that items which share
// them do not derive them again.
class Levels {
 public:
  explicit Levels(Session &session) : session_(session) {}
  ~Levels() { destroy(); }
  Levels(const Levels &) = delete;
  Levels &operator=(const Levels &) = delete;

  // Makes room between two items; never while the handles of one are in use.
  void beginItem();
  // The key `count` factors below the root. Derives what is missing.
  CK_OBJECT_HANDLE at(uint16_t keyIndex, CK_OBJECT_HANDLE root, const Algorithm &algorithm, const uint8_t *factors, size_t count);
  void destroy() noexcept;
  // The session is gone, and its objects with it.
  void forget() noexcept;

 private:
  struct Level {
    std::array<uint8_t, DEEPEST_PATH * FACTOR_BYTES> factors;
    CK_OBJECT_HANDLE handle;
    uint16_t keyIndex;
  };
  void destroy(std::vector<Level> &levels) noexcept;
  Session &session_;
  std::array<std::vector<Level>, DEEPEST_PATH> byDepth_;
};

}  // namespace hufu
