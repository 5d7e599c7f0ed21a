/* RSA (RFC 8017). Private keys as RSAPrivateKey, public keys as RSAPublicKey, DER. */
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "der.h"
#include "crypto.h"

enum { MODULUS_MOST = 512 };

/* Nothing larger than the blocks below, wherever it came from. */
static RSA *within_size(RSA *rsa) {
  if (rsa == NULL || (RSA_size(rsa) >= 64 && RSA_size(rsa) <= MODULUS_MOST)) return rsa;
  RSA_free(rsa);
  return NULL;
}
static RSA *read_private(const uint8_t *der, size_t length) { return within_size(d2i_RSAPrivateKey(NULL, &der, (long)length)); }
static RSA *read_public(const uint8_t *der, size_t length) { return within_size(d2i_RSAPublicKey(NULL, &der, (long)length)); }

static CK_RV give(int length, uint8_t *der, uint8_t *out, size_t *out_len) {
  CK_RV rv = length <= 0 ? CKR_FUNCTION_FAILED : *out_len < (size_t)length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
  if (rv == CKR_OK) memcpy(out, der, (size_t)length);
  if (length > 0) {
    *out_len = (size_t)length;
    OPENSSL_clear_free(der, (size_t)length);
  }
  return rv;
}

CK_RV sim_rsa_generate(unsigned bits, const uint8_t *exponent, size_t exponent_bytes, uint8_t *private_der, size_t *private_len) {
  if (bits < 1024 || bits > MODULUS_MOST * 8 || bits % 8 != 0) return CKR_KEY_SIZE_RANGE;
  RSA *rsa = RSA_new();
  BIGNUM *e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
  uint8_t *der = NULL;
  int length = 0;
  if (RSA_generate_key_ex(rsa, (int)bits, e, NULL) == 1) length = i2d_RSAPrivateKey(rsa, &der);
  BN_free(e);
  RSA_free(rsa);
  return give(length, der, private_der, private_len);
}

CK_RV sim_rsa_component(const uint8_t *private_der, size_t private_len, unsigned index, uint8_t *out, size_t *out_len) {
  RSA *rsa = read_private(private_der, private_len);
  if (rsa == NULL) return CKR_FUNCTION_FAILED;
  const BIGNUM *parts[8] = {RSA_get0_n(rsa), RSA_get0_e(rsa), RSA_get0_d(rsa), RSA_get0_p(rsa), RSA_get0_q(rsa), RSA_get0_dmp1(rsa), RSA_get0_dmq1(rsa), RSA_get0_iqmp(rsa)};
  CK_RV rv = index < 8 && parts[index] != NULL ? CKR_OK : CKR_ARGUMENTS_BAD;
  if (rv == CKR_OK) {
    const size_t length = (size_t)BN_num_bytes(parts[index]);
    if (*out_len < length) rv = CKR_BUFFER_TOO_SMALL;
    else BN_bn2bin(parts[index], out);
    *out_len = length;
  }
  RSA_free(rsa);
  return rv;
}

CK_RV sim_rsa_public_from(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len, uint8_t *public_der, size_t *public_len) {
  uint8_t room[MODULUS_MOST + 64];
  der_writer w;
  if (n_len > MODULUS_MOST || e_len > 32) return CKR_KEY_SIZE_RANGE;
  der_begin(&w, room, sizeof room);
  const uint8_t *end = w.at;
  der_put_unsigned(&w, e, e_len);
  der_put_unsigned(&w, n, n_len);
  der_head(&w, 0x30, end);
  const size_t length = der_finish(&w, room, sizeof room);
  const CK_RV rv = *public_len < length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
  if (rv == CKR_OK) memcpy(public_der, room, length);
  *public_len = length;
  return rv;
}

static const EVP_MD *method(sim_digest digest) {
  switch (digest) {
    case SIM_SHA1: return EVP_sha1();
    case SIM_SHA256: return EVP_sha256();
    case SIM_SHA384: return EVP_sha384();
    case SIM_SHA512: return EVP_sha512();
    case SIM_SM3: return NULL;
  }
  return NULL;
}

/* DigestInfo up to the digest (RFC 8017 9.2 note 1). */
static size_t digest_info(sim_digest digest, const uint8_t *value, uint8_t *out) {
  static const uint8_t sha1[] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14};
  static const uint8_t sha2[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  const size_t bytes = sim_digest_bytes(digest), head = digest == SIM_SHA1 ? sizeof sha1 : sizeof sha2;
  memcpy(out, digest == SIM_SHA1 ? sha1 : sha2, head);
  if (digest != SIM_SHA1) {
    out[1] = (uint8_t)(head - 2 + bytes);
    out[14] = digest == SIM_SHA256 ? 1 : digest == SIM_SHA384 ? 2 : 3;
    out[18] = (uint8_t)bytes;
  }
  memcpy(out + head, value, bytes);
  return head + bytes;
}

CK_RV sim_rsa_sign(const uint8_t *private_der, size_t private_len, bool pss, bool with_digest_info, sim_digest digest, size_t salt_bytes,
                   const uint8_t *data, size_t data_len, uint8_t *signature, size_t *signature_len) {
  RSA *rsa = read_private(private_der, private_len);
  uint8_t block[MODULUS_MOST], info[96];
  if (rsa == NULL) return CKR_FUNCTION_FAILED;
  const size_t size = (size_t)RSA_size(rsa);
  CK_RV rv = CKR_OK;
  int written = -1;
  if (*signature_len < size) rv = CKR_BUFFER_TOO_SMALL;
  else if ((pss || with_digest_info) && (method(digest) == NULL || data_len != sim_digest_bytes(digest))) rv = CKR_DATA_LEN_RANGE;
  else if (pss) {
    if (RSA_padding_add_PKCS1_PSS_mgf1(rsa, block, data, method(digest), method(digest), (int)salt_bytes) == 1)
      written = RSA_private_encrypt((int)size, block, signature, rsa, RSA_NO_PADDING);
  } else {
    if (with_digest_info) {
      data_len = digest_info(digest, data, info);
      data = info;
    }
    if (data_len + 11 > size) rv = CKR_DATA_LEN_RANGE;
    else written = RSA_private_encrypt((int)data_len, data, signature, rsa, RSA_PKCS1_PADDING);
  }
  if (rv == CKR_OK && written != (int)size) rv = CKR_FUNCTION_FAILED;
  *signature_len = size;
  RSA_free(rsa);
  return rv;
}

CK_RV sim_rsa_verify(const uint8_t *public_der, size_t public_len, bool pss, bool with_digest_info, sim_digest digest, size_t salt_bytes,
                     const uint8_t *data, size_t data_len, const uint8_t *signature, size_t signature_len) {
  RSA *rsa = read_public(public_der, public_len);
  uint8_t block[MODULUS_MOST], info[96];
  if (rsa == NULL) return CKR_FUNCTION_FAILED;
  CK_RV rv = CKR_SIGNATURE_INVALID;
  const size_t size = (size_t)RSA_size(rsa);
  if (signature_len != size) rv = CKR_SIGNATURE_LEN_RANGE;
  else if ((pss || with_digest_info) && (method(digest) == NULL || data_len != sim_digest_bytes(digest))) rv = CKR_DATA_LEN_RANGE;
  else if (pss) {
    if (RSA_public_decrypt((int)size, signature, block, rsa, RSA_NO_PADDING) == (int)size &&
        RSA_verify_PKCS1_PSS_mgf1(rsa, data, method(digest), method(digest), block, (int)salt_bytes) == 1) rv = CKR_OK;
  } else {
    if (with_digest_info) {
      data_len = digest_info(digest, data, info);
      data = info;
    }
    const int opened = RSA_public_decrypt((int)size, signature, block, rsa, RSA_PKCS1_PADDING);
    if (opened >= 0 && (size_t)opened == data_len && memcmp(block, data, data_len) == 0) rv = CKR_OK;
  }
  RSA_free(rsa);
  return rv;
}

CK_RV sim_rsa_encrypt(const uint8_t *public_der, size_t public_len, bool oaep, sim_digest digest, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len) {
  RSA *rsa = read_public(public_der, public_len);
  uint8_t block[MODULUS_MOST];
  if (rsa == NULL) return CKR_FUNCTION_FAILED;
  const size_t size = (size_t)RSA_size(rsa), overhead = oaep ? 2 * sim_digest_bytes(digest) + 2 : 11;
  CK_RV rv = CKR_FUNCTION_FAILED;
  if (oaep && method(digest) == NULL) rv = CKR_MECHANISM_PARAM_INVALID;
  else if (length + overhead > size) rv = CKR_DATA_LEN_RANGE;
  else if (*out_len < size) rv = CKR_BUFFER_TOO_SMALL;
  else {
    const int padded = oaep ? RSA_padding_add_PKCS1_OAEP_mgf1(block, (int)size, in, (int)length, NULL, 0, method(digest), method(digest))
                            : RSA_padding_add_PKCS1_type_2(block, (int)size, in, (int)length);
    if (padded == 1 && RSA_public_encrypt((int)size, block, out, rsa, RSA_NO_PADDING) == (int)size) rv = CKR_OK;
  }
  *out_len = size;
  OPENSSL_cleanse(block, sizeof block);
  RSA_free(rsa);
  return rv;
}

CK_RV sim_rsa_decrypt(const uint8_t *private_der, size_t private_len, bool oaep, sim_digest digest, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len) {
  RSA *rsa = read_private(private_der, private_len);
  uint8_t block[MODULUS_MOST], clear[MODULUS_MOST];
  if (rsa == NULL) return CKR_FUNCTION_FAILED;
  const int size = RSA_size(rsa);
  CK_RV rv = CKR_ENCRYPTED_DATA_INVALID;
  if (oaep && method(digest) == NULL) rv = CKR_MECHANISM_PARAM_INVALID;
  else if (length != (size_t)size) rv = CKR_ENCRYPTED_DATA_LEN_RANGE;
  else if (RSA_private_decrypt(size, in, block, rsa, RSA_NO_PADDING) == size) {
    const int opened = oaep ? RSA_padding_check_PKCS1_OAEP_mgf1(clear, sizeof clear, block, size, size, NULL, 0, method(digest), method(digest))
                            : RSA_padding_check_PKCS1_type_2(clear, sizeof clear, block, size, size);
    if (opened >= 0) {
      rv = *out_len < (size_t)opened ? CKR_BUFFER_TOO_SMALL : CKR_OK;
      if (rv == CKR_OK) memcpy(out, clear, (size_t)opened);
      *out_len = (size_t)opened;
    }
  }
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(clear, sizeof clear);
  RSA_free(rsa);
  return rv;
}
