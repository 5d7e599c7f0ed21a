#include "recipes.hpp"

#include <string.h>

#include <cstring>

namespace hufu {

namespace {

constexpr size_t MAC_BYTES = 4;
constexpr size_t COMMAND_BYTES = 4;
constexpr size_t FINGERPRINT_BYTES = 16;
constexpr char FINGERPRINT_LABEL[] = "hufu/fingerprint/1";
// CLA INS P1 P2 Lc, 255 bytes of data, padding of a block.
constexpr size_t MESSAGE_MOST = COMMAND_BYTES + 1 + 255 + BLOCK_MOST;

// A card key that is used directly must exist once per usage, since a key has one usage. Known answers give such a key
// without factors, as three keys of the batch in this order; a client cannot (CARD_ROLES wants a factor for each).
enum Use : uint16_t { USE_WRAP = 0, USE_ENCRYPT = 1, USE_LEFT_TWIN = 2 };

struct Path {
  uint16_t keyIndex;
  size_t count;
  const uint8_t *factors;
};

// Walks the fields of an item. The batch was checked before; this only keeps a mistake from reading beyond it.
class Reader {
 public:
  explicit Reader(Bytes item) : item_(item) {}
  Bytes take(size_t count) {
    if (item_.size() < count) throw CkError{CKR_ARGUMENTS_BAD, "batch"};
    const Bytes taken = item_.first(count);
    item_ = item_.subspan(count);
    return taken;
  }
  uint8_t octet() { return take(1)[0]; }
  Bytes bytes8() { return take(octet()); }
  Path path() {
    const Bytes head = take(3);
    const size_t count = head[2];
    if (count > DEEPEST_PATH) throw CkError{CKR_ARGUMENTS_BAD, "batch"};
    return {static_cast<uint16_t>(head[0] << 8 | head[1]), count, take(count * FACTOR_BYTES).data()};
  }

 private:
  Bytes item_;
};

// ISO/IEC 9797-1 padding method 2, in place; returns the padded length.
size_t pad(uint8_t *bytes, size_t length, size_t blockBytes) {
  const size_t padded = (length / blockBytes + 1) * blockBytes;
  bytes[length] = 0x80;
  memset(bytes + length + 1, 0, padded - length - 1);
  return padded;
}

class Step {
 public:
  explicit Step(ItemWork &work) : work_(work), own_(work.session) {}

  const BatchKey &key(size_t index) const {
    if (index >= work_.keys.size()) throw CkError{CKR_ARGUMENTS_BAD, "batch"};
    return work_.keys[index];
  }
  const Algorithm &algorithm(const Path &path) const { return work_.numbers.algorithms[key(path.keyIndex).algorithm]; }

  // The key at the end of the path, able to derive.
  CK_OBJECT_HANDLE deriving(const Path &path) {
    if (path.count == 0) return key(path.keyIndex).handle;
    return child(path, shapes::diversifying(algorithm(path)));
  }

  // E(level above, factor ‖ ~factor) as a key of the given shape; lives as long as this item.
  CK_OBJECT_HANDLE child(const Path &path, const Shape &shape) {
    return own_.derive(above(path), algorithm(path).encryptData, diversificationInput(lastFactor(path)), shape);
  }

  CK_OBJECT_HANDLE cardKey(const Path &path, Use use) {
    if (path.count == 0) return key(path.keyIndex + size_t{use}).handle;
    const Algorithm &a = algorithm(path);
    if (use == USE_WRAP) return child(path, shapes::wrapping(a));
    if (use == USE_ENCRYPT) return child(path, shapes::encrypting(a));
    // KL ‖ KL of the card key: a 3DES key that works as the single DES of its left half is E(level above, factor) twice.
    std::array<uint8_t, 2 * FACTOR_BYTES> twice;
    memcpy(twice.data(), lastFactor(path), FACTOR_BYTES);
    memcpy(twice.data() + FACTOR_BYTES, lastFactor(path), FACTOR_BYTES);
    return own_.derive(above(path), a.encryptData, twice, shapes::encrypting(a));
  }

  CK_OBJECT_HANDLE derive(CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE mechanism, Bytes data, const Shape &shape) {
    return own_.derive(base, mechanism, data, shape);
  }

  void ecb(CK_OBJECT_HANDLE key, const Algorithm &a, const uint8_t *block, uint8_t *out) { encrypt(key, a.ecb, Bytes(), Bytes(block, a.blockBytes), out); }

  // The last block of a CBC encryption.
  void cbcLast(CK_OBJECT_HANDLE key, const Algorithm &a, const uint8_t *initial, Bytes blocks, uint8_t *last) {
    uint8_t out[MESSAGE_MOST];
    encrypt(key, a.cbc, Bytes(initial, a.blockBytes), blocks, out);
    memcpy(last, out + blocks.size() - a.blockBytes, a.blockBytes);
  }

  // The first bytes of E(key, data): a readable child of that length, so that no more of it exists outside the token.
  void leadingBytes(CK_OBJECT_HANDLE key, const Algorithm &a, Bytes data, Bytes::size_type count, uint8_t *out) {
    const CK_OBJECT_HANDLE readable = own_.derive(key, a.encryptData, data, shapes::readable(count));
    attribute(readable, CKA_VALUE, count, out);
  }

  void attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, size_t count, uint8_t *out) {
    uint8_t value[64];
    CK_ATTRIBUTE wanted{type, value, sizeof value};
    HUFU_CALL(work_.session, C_GetAttributeValue, object, &wanted, 1UL);
    if (wanted.ulValueLen != count) throw CkError{CKR_OK, "C_GetAttributeValue"};
    memcpy(out, value, count);
  }

  void wrap(CK_OBJECT_HANDLE wrapping, const Algorithm &a, CK_OBJECT_HANDLE key, size_t bytes, uint8_t *out, size_t room) {
    CK_MECHANISM mechanism{a.ecb, nullptr, 0};
    CK_ULONG length = room;
    HUFU_CALL(work_.session, C_WrapKey, &mechanism, wrapping, key, out, &length);
    if (length != bytes) throw CkError{CKR_OK, "C_WrapKey"};
  }

  void hmac(CK_OBJECT_HANDLE key, Bytes message, uint8_t *out32) {
    CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
    CK_ULONG length = 32;
    HUFU_CALL(work_.session, C_SignInit, &mechanism, key);
    HUFU_CALL(work_.session, C_Sign, const_cast<CK_BYTE *>(message.data()), message.size(), out32, &length);
    if (length != 32) throw CkError{CKR_OK, "C_Sign"};
  }

  ItemWork &work() { return work_; }

 private:
  static const uint8_t *lastFactor(const Path &path) { return path.factors + (path.count - 1) * FACTOR_BYTES; }
  CK_OBJECT_HANDLE above(const Path &path) {
    return work_.levels.at(path.keyIndex, key(path.keyIndex).handle, algorithm(path), path.factors, path.count - 1);
  }
  void encrypt(CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, Bytes initial, Bytes data, uint8_t *out) {
    CK_MECHANISM mechanism{type, const_cast<uint8_t *>(initial.data()), initial.size()};
    CK_ULONG length = data.size();
    HUFU_CALL(work_.session, C_EncryptInit, &mechanism, key);
    HUFU_CALL(work_.session, C_Encrypt, const_cast<CK_BYTE *>(data.data()), data.size(), out, &length);
    if (length != data.size()) throw CkError{CKR_OK, "C_Encrypt"};
  }

  ItemWork &work_;
  Temporaries own_;
};

void give(ItemWork &work, const uint8_t *bytes, size_t length) {
  memcpy(work.answer.bytes.data(), bytes, length);
  work.answer.length = static_cast<uint8_t>(length);
}

// A challenge as the block that it initialises or is encrypted as: filled up with zeros.
std::array<uint8_t, BLOCK_MOST> challengeBlock(Bytes challenge, const Algorithm &a) {
  std::array<uint8_t, BLOCK_MOST> block{};
  if (challenge.size() > a.blockBytes) throw CkError{CKR_DATA_LEN_RANGE, "challenge"};
  memcpy(block.data(), challenge.data(), challenge.size());
  return block;
}

// Secure-messaging MAC over CLA INS P1 P2 Lc ‖ data, leftmost 4 bytes. 3DES: ISO/IEC 9797-1 algorithm 3 (PBOC 2.0); SM4:
// CBC-MAC (PBOC 3.0 style). Padding method 2 for both.
void commandMac(Step &step, const Path &path, Bytes command, Bytes data, Bytes challenge, uint8_t *mac) {
  const Algorithm &a = step.algorithm(path);
  const auto initial = challengeBlock(challenge, a);
  uint8_t message[MESSAGE_MOST], last[BLOCK_MOST];
  memcpy(message, command.data(), COMMAND_BYTES);
  message[COMMAND_BYTES] = static_cast<uint8_t>(data.size() + MAC_BYTES);
  memcpy(message + COMMAND_BYTES + 1, data.data(), data.size());
  const size_t length = pad(message, COMMAND_BYTES + 1 + data.size(), a.blockBytes);
  const CK_OBJECT_HANDLE whole = step.cardKey(path, USE_ENCRYPT);
  if (a.keyType != CKK_DES2) {
    step.cbcLast(whole, a, initial.data(), Bytes(message, length), last);
    memcpy(mac, last, MAC_BYTES);
    return;
  }
  const size_t chained = length - a.blockBytes;
  if (chained == 0) memcpy(last, initial.data(), a.blockBytes);
  else step.cbcLast(step.cardKey(path, USE_LEFT_TWIN), a, initial.data(), Bytes(message, chained), last);
  for (size_t i = 0; i < a.blockBytes; i++) last[i] ^= message[chained + i];
  uint8_t block[BLOCK_MOST];
  step.ecb(whole, a, last, block);
  memcpy(mac, block, MAC_BYTES);
}

// CBC-MAC with IV 0 and padding method 2, leftmost 4 bytes.
void cbcMac(Step &step, CK_OBJECT_HANDLE key, const Algorithm &a, Bytes data) {
  static constexpr uint8_t zeros[BLOCK_MOST] = {};
  uint8_t message[MESSAGE_MOST], last[BLOCK_MOST];
  memcpy(message, data.data(), data.size());
  const size_t length = pad(message, data.size(), a.blockBytes);
  step.cbcLast(key, a, zeros, Bytes(message, length), last);
  give(step.work(), last, MAC_BYTES);
}

// CMAC of one whole block M is E(K, M ⊕ K1) with K1 = dbl(E(K, 0)) (RFC 4493 2.3): made from the same derivation, so the key
// needs no SIGN. E(K, 0) is in this process for a moment; it is no key of the hierarchy and never leaves.
void cmacOfZeros(Step &step, CK_OBJECT_HANDLE key, const Algorithm &a, size_t count, uint8_t *out) {
  uint8_t zero[BLOCK_MOST] = {}, encrypted[BLOCK_MOST], subkey[BLOCK_MOST];
  if (a.blockBytes != BLOCK_MOST) throw CkError{CKR_MECHANISM_INVALID, "cmac5"};
  step.leadingBytes(key, a, zero, BLOCK_MOST, encrypted);
  for (size_t i = 0; i < BLOCK_MOST; i++) subkey[i] = static_cast<uint8_t>(encrypted[i] << 1 | (i + 1 < BLOCK_MOST ? encrypted[i + 1] >> 7 : 0));
  if (encrypted[0] & 0x80) subkey[BLOCK_MOST - 1] ^= 0x87;
  explicit_bzero(encrypted, sizeof encrypted);
  step.leadingBytes(key, a, subkey, count, out);
  explicit_bzero(subkey, sizeof subkey);
}

enum Method : uint8_t { ZERO3, ZERO4, CMAC5 };  // KCV_METHODS in domain/algorithms.ts
constexpr size_t METHOD_BYTES[] = {3, 4, 5};

void checkValues(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path path = reader.path();
  const uint8_t method = reader.octet();
  if (method > CMAC5) throw CkError{CKR_ARGUMENTS_BAD, "batch"};
  const Algorithm &a = step.algorithm(path);
  const size_t count = METHOD_BYTES[method];
  const CK_OBJECT_HANDLE key = step.deriving(path);
  uint8_t value[BLOCK_MOST];
  static constexpr uint8_t zeros[BLOCK_MOST] = {};
  if (work.numbers.checkValueAttribute) {
    if (method != ZERO3) throw CkError{CKR_MECHANISM_INVALID, "CKA_CHECK_VALUE"};
    step.attribute(key, CKA_CHECK_VALUE, count, value);
  } else if (method == CMAC5) cmacOfZeros(step, key, a, count, value);
  else step.leadingBytes(key, a, Bytes(zeros, a.blockBytes), count, value);
  give(work, value, count);
}

// HMAC-SHA-256 under the reserved child (factor 00×8, twice, 32 bytes) over a fixed label, first 16 bytes.
void fingerprints(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path path = reader.path();
  static constexpr uint8_t zeroFactor[FACTOR_BYTES] = {};
  const auto once = diversificationInput(zeroFactor);
  uint8_t reserved[2 * once.size()], mac[32];
  memcpy(reserved, once.data(), once.size());
  memcpy(reserved + once.size(), once.data(), once.size());
  const CK_OBJECT_HANDLE key = step.derive(step.key(path.keyIndex).handle, step.algorithm(path).encryptData, Bytes(reserved, sizeof reserved), shapes::fingerprinting());
  step.hmac(key, Bytes(reinterpret_cast<const uint8_t *>(FINGERPRINT_LABEL), sizeof FINGERPRINT_LABEL - 1), mac);
  give(work, mac, FINGERPRINT_BYTES);
}

// The data of a WRITE KEY: E(control, LEN ‖ header ‖ key ‖ 80 00…) by concatenation and one C_WrapKey, and the MAC over the
// whole command. LEN counts header and key. The clear block never leaves the token.
void protectForCard(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path loaded = reader.path(), control = reader.path();
  const Bytes command = reader.take(COMMAND_BYTES), header = reader.bytes8(), challenge = reader.bytes8();
  const Algorithm &a = step.algorithm(control);
  uint8_t block[MESSAGE_MOST];
  if (loaded.count == 0 || header.size() > 32) throw CkError{CKR_ARGUMENTS_BAD, "batch"};
  block[0] = static_cast<uint8_t>(header.size() + KEY_BYTES);
  memcpy(block + 1, header.data(), header.size());
  const size_t headBytes = 1 + header.size(), keyEnd = headBytes + KEY_BYTES;
  const size_t blockBytes = pad(block, keyEnd, a.blockBytes);
  const CK_OBJECT_HANDLE key = step.child(loaded, shapes::loading(KEY_BYTES, false));
  const CK_OBJECT_HANDLE headed = step.derive(key, CKM_CONCATENATE_DATA_AND_BASE, Bytes(block, headBytes), shapes::loading(keyEnd, false));
  const CK_OBJECT_HANDLE whole = step.derive(headed, CKM_CONCATENATE_BASE_AND_DATA, Bytes(block + keyEnd, blockBytes - keyEnd), shapes::loading(blockBytes, true));
  Answer &answer = work.answer;
  step.wrap(step.cardKey(control, USE_WRAP), a, whole, blockBytes, answer.bytes.data(), answer.bytes.size() - MAC_BYTES);
  commandMac(step, control, command, Bytes(answer.bytes.data(), blockBytes), challenge, answer.bytes.data() + blockBytes);
  answer.length = static_cast<uint8_t>(blockBytes + MAC_BYTES);
}

void commandMacs(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path path = reader.path();
  const Bytes command = reader.take(COMMAND_BYTES), challenge = reader.bytes8(), data = reader.bytes8();
  uint8_t mac[MAC_BYTES];
  if (data.size() > 255 - MAC_BYTES) throw CkError{CKR_ARGUMENTS_BAD, "batch"};
  commandMac(step, path, command, data, challenge, mac);
  give(work, mac, sizeof mac);
}

// EXTERNAL AUTHENTICATE: 3DES E3(key, challenge); SM4 the two halves of E4(key, challenge) one over the other, 8 bytes.
void authenticateToCard(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path path = reader.path();
  const Bytes challenge = reader.bytes8();
  const Algorithm &a = step.algorithm(path);
  const auto block = challengeBlock(challenge, a);
  uint8_t encrypted[BLOCK_MOST];
  step.ecb(step.cardKey(path, USE_ENCRYPT), a, block.data(), encrypted);
  for (size_t i = 8; i < a.blockBytes; i++) encrypted[i - 8] ^= encrypted[i];
  give(work, encrypted, 8);
}

// PBOC purchase MAC. 3DES: session key E3(DPK, X) as single DES, which is a 3DES key of the same 8 bytes twice. SM4: E4(DPK,
// X ‖ ~X) or E4(DPK, X ‖ 00×8), by the card's kind.
void purchaseMacs(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path path = reader.path();
  const Bytes input = reader.take(FACTOR_BYTES);
  const bool zeros = reader.octet() == 1;
  const Bytes data = reader.bytes8();
  const Algorithm &a = step.algorithm(path);
  auto expanded = diversificationInput(input.data());
  if (a.keyType == CKK_DES2) memcpy(expanded.data() + FACTOR_BYTES, input.data(), FACTOR_BYTES);
  else if (zeros) memset(expanded.data() + FACTOR_BYTES, 0, FACTOR_BYTES);
  cbcMac(step, step.derive(step.deriving(path), a.encryptData, expanded, shapes::encrypting(a)), a, data);
}

// PBOC 2.0: CBC-MAC under DTK_L ⊕ DTK_R as single DES (the child holds it twice); SM4: under the whole DTK.
void tacs(ItemWork &work) {
  Step step(work);
  Reader reader(work.item);
  const Path path = reader.path();
  const Bytes data = reader.bytes8();
  const Algorithm &a = step.algorithm(path);
  if (a.keyType != CKK_DES2) return cbcMac(step, step.cardKey(path, USE_ENCRYPT), a, data);
  if (work.numbers.xorHalves == 0) throw CkError{CKR_MECHANISM_INVALID, "CKM_XOR_HALVES"};
  cbcMac(step, step.derive(step.deriving(path), work.numbers.xorHalves, Bytes(), shapes::encrypting(a)), a, data);
}

// In the order of PACKED_RECIPES in domain/batch.ts.
constexpr Recipe RECIPES[] = {checkValues, fingerprints, protectForCard, commandMacs, authenticateToCard, purchaseMacs, tacs};

}  // namespace

Recipe recipeAt(size_t index) { return index < std::size(RECIPES) ? RECIPES[index] : nullptr; }

}  // namespace hufu
