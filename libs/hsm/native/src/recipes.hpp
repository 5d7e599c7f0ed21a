// The card recipes in PKCS#11 steps. Layout of items and answers: libs/hsm/src/domain/batch.ts.
#pragma once

#include "keys.hpp"

namespace hufu {

constexpr size_t ALGORITHMS = 3;  // 3des2, aes128, sm4: SYMMETRIC_ALGORITHMS in domain/algorithms.ts

// What the vendor profile says of this module.
struct Numbers {
  std::array<Algorithm, ALGORITHMS> algorithms;
  // CKM_XOR_HALVES; 0 = none.
  CK_MECHANISM_TYPE xorHalves;
  // CKA_CHECK_VALUE is right on every key; else a readable child of so many bytes.
  bool checkValueAttribute;
};

// The longest answer: cipher of a key load (1 + 32 + 16, padded to blocks of 16) and its MAC.
struct Answer {
  std::array<uint8_t, 72> bytes;
  uint8_t length;
};

// Key i of the batch.
struct BatchKey {
  CK_OBJECT_HANDLE handle;
  uint8_t algorithm;
};

struct ItemWork {
  Session &session;
  const Numbers &numbers;
  std::span<const BatchKey> keys;
  Levels &levels;
  // The item's body; readBatch of domain/batch.ts has checked it.
  Bytes item;
  Answer &answer;
};

using Recipe = void (*)(ItemWork &);
// By index in PACKED_RECIPES; nullptr when there is none.
Recipe recipeAt(size_t index);

}  // namespace hufu
