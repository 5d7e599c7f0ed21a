/* Block ciphers, their modes, and MACs. Low-level libcrypto for DES and AES: a short call must not pay for a provider fetch. */
#include <openssl/aes.h>
#include <openssl/crypto.h>
#include <openssl/des.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "crypto.h"

enum { BLOCK_MOST = 16 };

typedef struct {
  sim_cipher cipher;
  bool encrypt;
  union {
    DES_key_schedule des[3];
    AES_KEY aes;
    EVP_CIPHER_CTX *sm4;
  } key;
} schedule;

static EVP_CIPHER *sm4_cipher;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static void fetch(void) { sm4_cipher = EVP_CIPHER_fetch(NULL, "SM4-ECB", NULL); }

/* One context a thread: a session's thread makes many short calls. */
static EVP_CIPHER_CTX *sm4_context(void) {
  static _Thread_local EVP_CIPHER_CTX *context;
  pthread_once(&fetched, fetch);
  if (context == NULL) context = EVP_CIPHER_CTX_new();
  return context;
}

size_t sim_block_bytes(sim_cipher cipher) { return cipher == SIM_DES || cipher == SIM_DES3 ? 8 : 16; }

bool sim_key_bytes_valid(sim_cipher cipher, size_t bytes) {
  switch (cipher) {
    case SIM_DES: return bytes == 8;
    case SIM_DES3: return bytes == 16 || bytes == 24;
    case SIM_AES: return bytes == 16 || bytes == 24 || bytes == 32;
    case SIM_SM4: return bytes == 16;
  }
  return false;
}

static CK_RV prepare(schedule *s, sim_cipher cipher, const uint8_t *key, size_t key_bytes, bool encrypt) {
  if (!sim_key_bytes_valid(cipher, key_bytes)) return CKR_KEY_SIZE_RANGE;
  s->cipher = cipher;
  s->encrypt = encrypt;
  switch (cipher) {
    case SIM_DES:
    case SIM_DES3:
      for (size_t i = 0; i < 3; i++) {
        const uint8_t *part = cipher == SIM_DES ? key : key + (i * 8) % key_bytes;
        DES_set_key_unchecked((const_DES_cblock *)part, &s->key.des[i]);
      }
      return CKR_OK;
    case SIM_AES:
      if (encrypt) AES_set_encrypt_key(key, (int)key_bytes * 8, &s->key.aes);
      else AES_set_decrypt_key(key, (int)key_bytes * 8, &s->key.aes);
      return CKR_OK;
    case SIM_SM4:
      s->key.sm4 = sm4_context();
      if (s->key.sm4 == NULL || sm4_cipher == NULL) return CKR_HOST_MEMORY;
      if (EVP_CipherInit_ex2(s->key.sm4, sm4_cipher, key, NULL, encrypt, NULL) != 1) return CKR_FUNCTION_FAILED;
      EVP_CIPHER_CTX_set_padding(s->key.sm4, 0);
      return CKR_OK;
  }
  return CKR_MECHANISM_INVALID;
}

static void release(schedule *s) {
  if (s->cipher == SIM_SM4) EVP_CIPHER_CTX_reset(s->key.sm4);
  OPENSSL_cleanse(s, sizeof *s);
}

static void one_block(schedule *s, const uint8_t *in, uint8_t *out) {
  switch (s->cipher) {
    case SIM_DES:
      DES_ecb_encrypt((const_DES_cblock *)in, (DES_cblock *)out, &s->key.des[0], s->encrypt ? DES_ENCRYPT : DES_DECRYPT);
      return;
    case SIM_DES3:
      DES_ecb3_encrypt((const_DES_cblock *)in, (DES_cblock *)out, &s->key.des[0], &s->key.des[1], &s->key.des[2], s->encrypt ? DES_ENCRYPT : DES_DECRYPT);
      return;
    case SIM_AES:
      if (s->encrypt) AES_encrypt(in, out, &s->key.aes);
      else AES_decrypt(in, out, &s->key.aes);
      return;
    case SIM_SM4: {
      int length = 0;
      EVP_CipherUpdate(s->key.sm4, out, &length, in, 16);
      return;
    }
  }
}

CK_RV sim_ecb(sim_cipher cipher, const uint8_t *key, size_t key_bytes, bool encrypt, const uint8_t *in, size_t length, uint8_t *out) {
  const size_t block = sim_block_bytes(cipher);
  schedule s;
  if (length % block != 0) return CKR_DATA_LEN_RANGE;
  CK_RV rv = prepare(&s, cipher, key, key_bytes, encrypt);
  if (rv != CKR_OK) return rv;
  for (size_t at = 0; at < length; at += block) one_block(&s, in + at, out + at);
  release(&s);
  return CKR_OK;
}

CK_RV sim_cbc(sim_cipher cipher, const uint8_t *key, size_t key_bytes, bool encrypt, uint8_t *iv, const uint8_t *in, size_t length, uint8_t *out) {
  const size_t block = sim_block_bytes(cipher);
  schedule s;
  uint8_t work[BLOCK_MOST], next[BLOCK_MOST];
  if (length % block != 0) return CKR_DATA_LEN_RANGE;
  CK_RV rv = prepare(&s, cipher, key, key_bytes, encrypt);
  if (rv != CKR_OK) return rv;
  for (size_t at = 0; at < length; at += block) {
    if (encrypt) {
      for (size_t i = 0; i < block; i++) work[i] = in[at + i] ^ iv[i];
      one_block(&s, work, out + at);
      memcpy(iv, out + at, block);
    } else {
      memcpy(next, in + at, block);
      one_block(&s, next, work);
      for (size_t i = 0; i < block; i++) out[at + i] = work[i] ^ iv[i];
      memcpy(iv, next, block);
    }
  }
  OPENSSL_cleanse(work, sizeof work);
  release(&s);
  return CKR_OK;
}

CK_RV sim_cbc_pad(sim_cipher cipher, const uint8_t *key, size_t key_bytes, bool encrypt, const uint8_t *start, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len) {
  const size_t block = sim_block_bytes(cipher);
  uint8_t iv[BLOCK_MOST], last[BLOCK_MOST];
  memcpy(iv, start, block);
  if (encrypt) {
    const size_t whole = length / block * block, total = whole + block;
    if (*out_len < total) return *out_len = total, CKR_BUFFER_TOO_SMALL;
    memcpy(last, in + whole, length - whole);
    memset(last + (length - whole), (int)(total - length), total - length);
    CK_RV rv = sim_cbc(cipher, key, key_bytes, true, iv, in, whole, out);
    if (rv == CKR_OK) rv = sim_cbc(cipher, key, key_bytes, true, iv, last, block, out + whole);
    OPENSSL_cleanse(last, sizeof last);
    if (rv == CKR_OK) *out_len = total;
    return rv;
  }
  if (length == 0 || length % block != 0) return CKR_ENCRYPTED_DATA_LEN_RANGE;
  /* The last block first: it says how much room the clear text needs. */
  if (length > block) memcpy(iv, in + length - 2 * block, block);
  CK_RV rv = sim_cbc(cipher, key, key_bytes, false, iv, in + length - block, block, last);
  if (rv != CKR_OK) return rv;
  const size_t pad = last[block - 1];
  size_t bad = pad == 0 || pad > block;
  for (size_t i = 0; i < block; i++) bad |= i >= block - (pad > block ? 0 : pad) && last[i] != pad;
  const size_t clear = bad ? 0 : length - pad;
  if (bad) rv = CKR_ENCRYPTED_DATA_INVALID;
  else if (*out_len < clear) rv = CKR_BUFFER_TOO_SMALL;
  else {
    memcpy(iv, start, block);
    rv = sim_cbc(cipher, key, key_bytes, false, iv, in, length - block, out);
    if (clear > length - block) memcpy(out + length - block, last, clear - (length - block));
  }
  if (!bad) *out_len = clear;
  OPENSSL_cleanse(last, sizeof last);
  return rv;
}

CK_RV sim_cbc_mac(sim_cipher cipher, const uint8_t *key, size_t key_bytes, const uint8_t *iv, const uint8_t *in, size_t length, uint8_t *mac) {
  const size_t block = sim_block_bytes(cipher);
  uint8_t chain[BLOCK_MOST];
  schedule s;
  if (length == 0 || length % block != 0) return CKR_DATA_LEN_RANGE;
  CK_RV rv = prepare(&s, cipher, key, key_bytes, true);
  if (rv != CKR_OK) return rv;
  if (iv == NULL) memset(chain, 0, block);
  else memcpy(chain, iv, block);
  for (size_t at = 0; at < length; at += block) {
    for (size_t i = 0; i < block; i++) chain[i] ^= in[at + i];
    one_block(&s, chain, chain);
  }
  memcpy(mac, chain, block);
  OPENSSL_cleanse(chain, sizeof chain);
  release(&s);
  return CKR_OK;
}

/* Multiplication by x in GF(2^64) or GF(2^128): R = 1B or 87 (SP 800-38B 5.3). */
static void twice(uint8_t *value, size_t block) {
  const uint8_t carry = value[0] >> 7;
  for (size_t i = 0; i < block; i++) value[i] = (uint8_t)(value[i] << 1 | (i + 1 < block ? value[i + 1] >> 7 : 0));
  if (carry) value[block == 8 ? 7 : 15] ^= block == 8 ? 0x1B : 0x87;
}

CK_RV sim_cmac(sim_cipher cipher, const uint8_t *key, size_t key_bytes, const uint8_t *in, size_t length, uint8_t *mac) {
  const size_t block = sim_block_bytes(cipher);
  uint8_t chain[BLOCK_MOST] = {0}, subkey[BLOCK_MOST] = {0}, last[BLOCK_MOST] = {0};
  schedule s;
  CK_RV rv = prepare(&s, cipher, key, key_bytes, true);
  if (rv != CKR_OK) return rv;
  one_block(&s, subkey, subkey);
  twice(subkey, block);
  const size_t whole = length == 0 ? 0 : (length - 1) / block * block, rest = length - whole;
  if (rest > 0) memcpy(last, in + whole, rest);
  if (rest < block) {
    last[rest] = 0x80;
    twice(subkey, block);
  }
  for (size_t at = 0; at < whole; at += block) {
    for (size_t i = 0; i < block; i++) chain[i] ^= in[at + i];
    one_block(&s, chain, chain);
  }
  for (size_t i = 0; i < block; i++) chain[i] ^= last[i] ^ subkey[i];
  one_block(&s, chain, mac);
  OPENSSL_cleanse(subkey, sizeof subkey);
  OPENSSL_cleanse(chain, sizeof chain);
  release(&s);
  return CKR_OK;
}

CK_RV sim_retail_mac(const uint8_t *key, const uint8_t *iv, const uint8_t *in, size_t length, uint8_t *mac) {
  uint8_t chain[8];
  CK_RV rv = sim_cbc_mac(SIM_DES, key, 8, iv, in, length, chain);
  if (rv == CKR_OK) rv = sim_ecb(SIM_DES, key + 8, 8, false, chain, 8, chain);
  if (rv == CKR_OK) rv = sim_ecb(SIM_DES, key, 8, true, chain, 8, mac);
  OPENSSL_cleanse(chain, sizeof chain);
  return rv;
}

CK_RV sim_aes_wrap(const uint8_t *key, size_t key_bytes, bool wrap, bool padded, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len) {
  static const char *const names[2][3] = {{"AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP"}, {"AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD"}};
  if (!sim_key_bytes_valid(SIM_AES, key_bytes)) return CKR_KEY_SIZE_RANGE;
  if (length == 0 || (!padded && (length % 8 != 0 || length < 16)) || (!wrap && length < (padded ? 16u : 24u)) || (!wrap && length % 8 != 0))
    return wrap ? CKR_DATA_LEN_RANGE : CKR_WRAPPED_KEY_LEN_RANGE;
  const size_t room = wrap ? (length + 7) / 8 * 8 + 8 : length;
  if (wrap && *out_len < room) return *out_len = room, CKR_BUFFER_TOO_SMALL;
  CK_RV rv = CKR_FUNCTION_FAILED;
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, names[padded][key_bytes / 8 - 2], NULL);
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  uint8_t *buffer = OPENSSL_malloc(room + 16);
  int written = 0;
  if (cipher != NULL && context != NULL && buffer != NULL) {
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(context, cipher, key, NULL, wrap, NULL) == 1) {
      rv = EVP_CipherUpdate(context, buffer, &written, in, (int)length) == 1 && written > 0 ? CKR_OK : wrap ? CKR_FUNCTION_FAILED : CKR_WRAPPED_KEY_INVALID;
    }
  }
  if (rv == CKR_OK) {
    if (*out_len < (size_t)written) rv = CKR_BUFFER_TOO_SMALL;
    else memcpy(out, buffer, (size_t)written);
    *out_len = (size_t)written;
  }
  OPENSSL_clear_free(buffer, room + 16);
  EVP_CIPHER_CTX_free(context);
  EVP_CIPHER_free(cipher);
  return rv;
}

CK_RV sim_check_value(sim_cipher cipher, const uint8_t *key, size_t key_bytes, uint8_t out[3]) {
  uint8_t block[BLOCK_MOST] = {0};
  CK_RV rv = sim_ecb(cipher, key, key_bytes, true, block, sim_block_bytes(cipher), block);
  if (rv == CKR_OK) memcpy(out, block, 3);
  OPENSSL_cleanse(block, sizeof block);
  return rv;
}

void sim_des_parity(uint8_t *key, size_t length) {
  for (size_t i = 0; i + 8 <= length; i += 8) DES_set_odd_parity((DES_cblock *)(key + i));
}
