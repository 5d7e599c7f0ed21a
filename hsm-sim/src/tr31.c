/* TR-31:2018 / ASC X9.143 key blocks: version B (TDES, key derivation binding) and D (AES). Header of 16 characters, no optional blocks. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"

enum { HEADER = 16, KEY_MOST = 64, CLEAR_MOST = 2 + KEY_MOST + 32, BLOCK_MOST = 16, DERIVED_MOST = 32 };

typedef struct {
  sim_cipher cipher;
  size_t block, mac;
  uint8_t encryption[DERIVED_MOST], authentication[DERIVED_MOST];
  size_t key_bytes;
} keys;

/* 5.3.2: K = CMAC(KBPK, counter ‖ usage ‖ 00 ‖ algorithm ‖ bits), block after block. */
static CK_RV derive(keys *k, const uint8_t *kbpk, size_t kbpk_bytes, char version) {
  memset(k, 0, sizeof *k);
  if (version != 'B' && version != 'D') return CKR_MECHANISM_PARAM_INVALID;
  k->cipher = version == 'B' ? SIM_DES3 : SIM_AES;
  if (!sim_key_bytes_valid(k->cipher, kbpk_bytes)) return CKR_KEY_SIZE_RANGE;
  k->block = k->mac = sim_block_bytes(k->cipher);
  k->key_bytes = kbpk_bytes;
  const uint8_t algorithm = version == 'B' ? (uint8_t)(kbpk_bytes == 24) : (uint8_t)(kbpk_bytes / 8);
  for (int usage = 0; usage < 2; usage++) {
    uint8_t *out = usage == 0 ? k->encryption : k->authentication;
    for (size_t at = 0, counter = 1; at < kbpk_bytes; at += k->block, counter++) {
      const uint8_t input[8] = {(uint8_t)counter, 0, (uint8_t)usage, 0, 0, algorithm, (uint8_t)(kbpk_bytes * 8 >> 8), (uint8_t)(kbpk_bytes * 8)};
      uint8_t block[BLOCK_MOST];
      CK_RV rv = sim_cmac(k->cipher, kbpk, kbpk_bytes, input, sizeof input, block);
      if (rv != CKR_OK) return rv;
      memcpy(out + at, block, kbpk_bytes - at < k->block ? kbpk_bytes - at : k->block);
    }
  }
  return CKR_OK;
}

static bool one_of(char c, const char *set) { return c != 0 && strchr(set, c) != NULL; }

/* Table 6 to 10 of the standard, as far as this device keeps such keys; a numeric algorithm is proprietary (SM4). */
static bool header_valid(const char h[HEADER]) {
  static const char usages[] = "K0K1D0M1M3M6E0E1E2E3E4E5P0B0C0";
  bool usage = h[5] >= '0' && h[5] <= '9' && h[6] >= '0' && h[6] <= '9';
  for (size_t i = 0; i + 1 < sizeof usages; i += 2) usage = usage || (h[5] == usages[i] && h[6] == usages[i + 1]);
  for (int i = 1; i < 5; i++)
    if (h[i] < '0' || h[i] > '9') return false;
  return usage && one_of(h[7], "ADTHR0123456789") && one_of(h[8], "BCDEGNSVX") && one_of(h[11], "ENS") && memcmp(h + 12, "00", 2) == 0 && memcmp(h + 14, "00", 2) == 0;
}

static CK_RV seal(const keys *k, const char *header, const uint8_t *clear, size_t length, uint8_t *mac) {
  uint8_t input[HEADER + CLEAR_MOST];
  memcpy(input, header, HEADER);
  memcpy(input + HEADER, clear, length);
  CK_RV rv = sim_cmac(k->cipher, k->authentication, k->key_bytes, input, HEADER + length, mac);
  OPENSSL_cleanse(input, sizeof input);
  return rv;
}

static void put_hex(char *out, const uint8_t *in, size_t length) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < length; i++) {
    out[2 * i] = digits[in[i] >> 4];
    out[2 * i + 1] = digits[in[i] & 15];
  }
}

static bool get_hex(const char *in, uint8_t *out, size_t length) {
  for (size_t i = 0; i < 2 * length; i++) {
    const char c = in[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return false;
    out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
  }
  return true;
}

CK_RV sim_tr31_wrap(const uint8_t *kbpk, size_t kbpk_bytes, const char header[HEADER], const uint8_t *key, size_t key_bytes,
                    const uint8_t *pad, size_t pad_bytes, char *out, size_t *out_len) {
  keys k;
  uint8_t clear[CLEAR_MOST], mac[BLOCK_MOST], iv[BLOCK_MOST];
  char sealed[HEADER + 1], length[5];
  if (key_bytes == 0 || key_bytes > KEY_MOST) return CKR_KEY_SIZE_RANGE;
  CK_RV rv = derive(&k, kbpk, kbpk_bytes, header[0]);
  if (rv != CKR_OK) return rv;
  const size_t least = (2 + key_bytes + k.block - 1) / k.block * k.block;
  const size_t clear_bytes = pad == NULL ? least : 2 + key_bytes + pad_bytes;
  const size_t total = HEADER + 2 * clear_bytes + 2 * k.mac;
  if (clear_bytes % k.block != 0 || clear_bytes > sizeof clear) rv = CKR_DATA_LEN_RANGE;
  else if (*out_len < total) rv = CKR_BUFFER_TOO_SMALL;
  *out_len = total;
  memcpy(sealed, header, HEADER);
  snprintf(length, sizeof length, "%04u", (unsigned)total % 10000);
  memcpy(sealed + 1, length, 4);
  if (rv == CKR_OK && !header_valid(sealed)) rv = CKR_MECHANISM_PARAM_INVALID;
  if (rv == CKR_OK) {
    clear[0] = (uint8_t)(key_bytes * 8 >> 8);
    clear[1] = (uint8_t)(key_bytes * 8);
    memcpy(clear + 2, key, key_bytes);
    if (pad == NULL) sim_random(clear + 2 + key_bytes, clear_bytes - 2 - key_bytes);
    else memcpy(clear + 2 + key_bytes, pad, pad_bytes);
    rv = seal(&k, sealed, clear, clear_bytes, mac);
  }
  if (rv == CKR_OK) {
    memcpy(iv, mac, k.block);
    rv = sim_cbc(k.cipher, k.encryption, k.key_bytes, true, iv, clear, clear_bytes, clear);
  }
  if (rv == CKR_OK) {
    memcpy(out, sealed, HEADER);
    put_hex(out + HEADER, clear, clear_bytes);
    put_hex(out + HEADER + 2 * clear_bytes, mac, k.mac);
  }
  OPENSSL_cleanse(clear, sizeof clear);
  OPENSSL_cleanse(&k, sizeof k);
  return rv;
}

CK_RV sim_tr31_unwrap(const uint8_t *kbpk, size_t kbpk_bytes, const char *block, size_t length, char header[HEADER], uint8_t *key, size_t *key_bytes) {
  keys k;
  uint8_t clear[CLEAR_MOST], mac[BLOCK_MOST], given[BLOCK_MOST], iv[BLOCK_MOST];
  char said[5];
  if (length < HEADER) return CKR_WRAPPED_KEY_LEN_RANGE;
  CK_RV rv = derive(&k, kbpk, kbpk_bytes, block[0]);
  if (rv != CKR_OK) return rv == CKR_MECHANISM_PARAM_INVALID ? CKR_WRAPPED_KEY_INVALID : rv;
  snprintf(said, sizeof said, "%04u", (unsigned)length % 10000);
  const size_t clear_bytes = length >= HEADER + 2 * (k.mac + k.block) ? (length - HEADER - 2 * k.mac) / 2 : 0;
  if (!header_valid(block) || memcmp(said, block + 1, 4) != 0 || clear_bytes == 0 || clear_bytes > sizeof clear || clear_bytes % k.block != 0 ||
      HEADER + 2 * (clear_bytes + k.mac) != length || !get_hex(block + HEADER, clear, clear_bytes) || !get_hex(block + length - 2 * k.mac, given, k.mac)) {
    rv = CKR_WRAPPED_KEY_INVALID;
  }
  if (rv == CKR_OK) {
    memcpy(iv, given, k.block);
    rv = sim_cbc(k.cipher, k.encryption, k.key_bytes, false, iv, clear, clear_bytes, clear);
  }
  if (rv == CKR_OK) rv = seal(&k, block, clear, clear_bytes, mac);
  if (rv == CKR_OK && CRYPTO_memcmp(mac, given, k.mac) != 0) rv = CKR_WRAPPED_KEY_INVALID;
  const size_t bits = (size_t)clear[0] << 8 | clear[1];
  if (rv == CKR_OK && (bits == 0 || bits % 8 != 0 || bits / 8 + 2 > clear_bytes)) rv = CKR_WRAPPED_KEY_INVALID;
  if (rv == CKR_OK) {
    if (*key_bytes < bits / 8) rv = CKR_BUFFER_TOO_SMALL;
    else {
      memcpy(key, clear + 2, bits / 8);
      memcpy(header, block, HEADER);
    }
    *key_bytes = bits / 8;
  }
  OPENSSL_cleanse(clear, sizeof clear);
  OPENSSL_cleanse(&k, sizeof k);
  return rv;
}
