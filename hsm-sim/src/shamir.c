/* Shamir's scheme byte by byte over GF(256), polynomial x^8 + x^4 + x^3 + x + 1. */
#include <openssl/crypto.h>

#include "crypto.h"

enum { SHARES_MOST = 255, SECRET_MOST = 512 };

/* No tables: an index would depend on the secret. */
static uint8_t multiply(uint8_t a, uint8_t b) {
  uint8_t product = 0;
  for (int bit = 0; bit < 8; bit++) {
    product ^= (uint8_t)(a & -(b & 1));
    a = (uint8_t)(a << 1 ^ (0x1B & -(a >> 7)));
    b >>= 1;
  }
  return product;
}

static uint8_t inverse(uint8_t a) { /* a^254 */
  uint8_t result = 1;
  for (int bit = 7; bit >= 0; bit--) {
    result = multiply(result, result);
    if (254 >> bit & 1) result = multiply(result, a);
  }
  return result;
}

CK_RV sim_shamir_split(const uint8_t *secret, size_t length, unsigned threshold, unsigned count, uint8_t *shares) {
  if (threshold < 2 || threshold > count || count > SHARES_MOST || length == 0 || length > SECRET_MOST) return CKR_ARGUMENTS_BAD;
  uint8_t coefficients[SHARES_MOST];
  for (unsigned i = 0; i < count; i++) shares[i * (length + 1)] = (uint8_t)(i + 1);
  for (size_t at = 0; at < length; at++) {
    sim_random(coefficients, threshold - 1);
    for (unsigned i = 0; i < count; i++) {
      uint8_t value = 0;
      for (unsigned c = threshold - 1; c > 0; c--) value = multiply((uint8_t)(value ^ coefficients[c - 1]), (uint8_t)(i + 1));
      shares[i * (length + 1) + 1 + at] = value ^ secret[at];
    }
  }
  OPENSSL_cleanse(coefficients, sizeof coefficients);
  return CKR_OK;
}

CK_RV sim_shamir_combine(const uint8_t *shares, size_t length, unsigned threshold, uint8_t *secret) {
  if (threshold < 2 || threshold > SHARES_MOST || length == 0 || length > SECRET_MOST) return CKR_ARGUMENTS_BAD;
  uint8_t weights[SHARES_MOST];
  for (unsigned i = 0; i < threshold; i++) {
    const uint8_t x = shares[i * (length + 1)];
    uint8_t above = 1, below = 1;
    if (x == 0) return CKR_ARGUMENTS_BAD;
    for (unsigned j = 0; j < threshold; j++) {
      const uint8_t other = shares[j * (length + 1)];
      if (i == j) continue;
      if (other == x) return CKR_ARGUMENTS_BAD;
      above = multiply(above, other);
      below = multiply(below, other ^ x);
    }
    weights[i] = multiply(above, inverse(below));
  }
  for (size_t at = 0; at < length; at++) {
    secret[at] = 0;
    for (unsigned i = 0; i < threshold; i++) secret[at] ^= multiply(weights[i], shares[i * (length + 1) + 1 + at]);
  }
  return CKR_OK;
}
