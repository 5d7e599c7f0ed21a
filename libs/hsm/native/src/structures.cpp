// PKCS#11 structures that hold pointers, for calls that go through pkcs11js: it passes a parameter or an attribute as bytes and knows
// neither CK_KEY_DERIVATION_STRING_DATA nor an array of CK_ATTRIBUTE. What they point at lies behind them in the same ArrayBuffer, which
// V8 does not move, so that they are valid for as long as somebody holds the array.
#include <cstring>

#include "cryptoki.h"
#include "napi.hpp"

namespace hufu {

namespace {

// A Uint8Array over the first `head` bytes of a buffer of `head + tail` bytes; `out` = its memory.
napi_value arrayWithTail(const Js &js, size_t head, size_t tail, uint8_t **out) {
  void *data;
  napi_value buffer, array;
  js.check(napi_create_arraybuffer(js.env(), head + tail, &data, &buffer), "ArrayBuffer");
  js.check(napi_create_typedarray(js.env(), napi_uint8_array, head, buffer, 0, &array), "Uint8Array");
  *out = static_cast<uint8_t *>(data);
  return array;
}

}  // namespace

// stringData(bytes) → CK_KEY_DERIVATION_STRING_DATA
napi_value stringData(Call &call) {
  const Js &js = call.js;
  const auto bytes = js.bytes(call.arguments[0], "bytes");
  uint8_t *memory;
  const napi_value out = arrayWithTail(js, sizeof(CK_KEY_DERIVATION_STRING_DATA), bytes.size(), &memory);
  uint8_t *tail = memory + sizeof(CK_KEY_DERIVATION_STRING_DATA);
  std::copy(bytes.begin(), bytes.end(), tail);
  const CK_KEY_DERIVATION_STRING_DATA made = {tail, static_cast<CK_ULONG>(bytes.size())};
  memcpy(memory, &made, sizeof made);
  return out;
}

// attributeArray([{type, value}]) → CK_ATTRIBUTE[], as CKA_UNWRAP_TEMPLATE and CKA_DERIVE_TEMPLATE want it
napi_value attributeArray(Call &call) {
  const Js &js = call.js;
  const uint32_t count = js.length(call.arguments[0]);
  std::vector<std::vector<uint8_t>> values(count);
  std::vector<CK_ATTRIBUTE> made(count);
  size_t tail = 0;
  for (uint32_t i = 0; i < count; i++) {
    const napi_value each = js.at(call.arguments[0], i);
    values[i] = js.bytes(js.get(each, "value"), "value");
    made[i] = {static_cast<CK_ATTRIBUTE_TYPE>(js.unsignedNumber(each, "type")), nullptr, static_cast<CK_ULONG>(values[i].size())};
    tail += values[i].size();
  }
  const size_t head = count * sizeof(CK_ATTRIBUTE);
  uint8_t *memory;
  const napi_value out = arrayWithTail(js, head, tail, &memory);
  uint8_t *at = memory + head;
  for (uint32_t i = 0; i < count; i++) {
    std::copy(values[i].begin(), values[i].end(), at);
    made[i].pValue = at;
    at += values[i].size();
  }
  if (count > 0) memcpy(memory, made.data(), head);
  return out;
}

}  // namespace hufu
