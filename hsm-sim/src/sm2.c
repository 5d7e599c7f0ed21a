/* SM2: signature and encryption (GB/T 32918.2, .4; GM/T 0003, GM/T 0009). */
#include <openssl/crypto.h>
#include <string.h>

#include "der.h"
#include "ec.h"

enum { N = 32, POINT = 65, CLEAR_MOST = 4096 };

CK_RV sim_sm2_z(const uint8_t public_key[POINT], const uint8_t *id, size_t id_len, uint8_t z[N]) {
  /* a ‖ b ‖ Gx ‖ Gy of sm2p256v1 (GB/T 32918.5) */
  static const uint8_t parameters[4 * N] = {
      0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFC,
      0x28, 0xE9, 0xFA, 0x9E, 0x9D, 0x9F, 0x5E, 0x34, 0x4D, 0x5A, 0x9E, 0x4B, 0xCF, 0x65, 0x09, 0xA7, 0xF3, 0x97, 0x89, 0xF5, 0x15, 0xAB, 0x8F, 0x92, 0xDD, 0xBC, 0xBD, 0x41, 0x4D, 0x94, 0x0E, 0x93,
      0x32, 0xC4, 0xAE, 0x2C, 0x1F, 0x19, 0x81, 0x19, 0x5F, 0x99, 0x04, 0x46, 0x6A, 0x39, 0xC9, 0x94, 0x8F, 0xE3, 0x0B, 0xBF, 0xF2, 0x66, 0x0B, 0xE1, 0x71, 0x5A, 0x45, 0x89, 0x33, 0x4C, 0x74, 0xC7,
      0xBC, 0x37, 0x36, 0xA2, 0xF4, 0xF6, 0x77, 0x9C, 0x59, 0xBD, 0xCE, 0xE3, 0x6B, 0x69, 0x21, 0x53, 0xD0, 0xA9, 0x87, 0x7C, 0xC6, 0x2A, 0x47, 0x40, 0x02, 0xDF, 0x32, 0xE5, 0x21, 0x39, 0xF0, 0xA0};
  uint8_t input[2 + 1024 + sizeof parameters + 2 * N];
  if (id_len > 1024) return CKR_MECHANISM_PARAM_INVALID;
  input[0] = (uint8_t)(id_len * 8 >> 8);
  input[1] = (uint8_t)(id_len * 8);
  if (id_len > 0) memcpy(input + 2, id, id_len);
  memcpy(input + 2 + id_len, parameters, sizeof parameters);
  memcpy(input + 2 + id_len + sizeof parameters, public_key + 1, 2 * N);
  return sim_hash(SIM_SM3, input, 2 + id_len + sizeof parameters + 2 * N, z);
}

CK_RV sim_sm2_sign(const uint8_t private_key[N], const uint8_t e_bytes[N], const uint8_t *given_k, uint8_t signature[2 * N]) {
  const EC_GROUP *group = sim_ec_group(SIM_SM2_CURVE);
  const BIGNUM *n = sim_ec_order(SIM_SM2_CURVE);
  BN_CTX *context = BN_CTX_secure_new();
  BIGNUM *d = BN_bin2bn(private_key, N, BN_secure_new()), *e = BN_bin2bn(e_bytes, N, NULL);
  BIGNUM *r = BN_new(), *s = BN_secure_new(), *t = BN_secure_new();
  EC_POINT *point = EC_POINT_new(group);
  CK_RV rv = CKR_FUNCTION_FAILED;
  bool again = true;
  while (again) {
    BIGNUM *k = given_k == NULL ? sim_ec_random_scalar(SIM_SM2_CURVE) : BN_bin2bn(given_k, N, BN_secure_new());
    again = false;
    EC_POINT_mul(group, point, k, NULL, NULL, context);
    EC_POINT_get_affine_coordinates(group, point, r, NULL, context);
    BN_mod_add(r, r, e, n, context); /* r = (e + x1) mod n; zero r and r + k = n are rejected */
    BN_add(t, r, k);
    if (BN_is_zero(r) || BN_cmp(t, n) == 0) again = given_k == NULL;
    else {
      BN_mod_mul(t, r, d, n, context); /* s = (1 + d)^-1 (k - r d) mod n */
      BN_mod_sub(t, k, t, n, context);
      BN_add(s, d, BN_value_one());
      BN_set_flags(s, BN_FLG_CONSTTIME);
      if (BN_mod_inverse(s, s, n, context) != NULL) {
        BN_mod_mul(s, s, t, n, context);
        if (BN_is_zero(s)) again = given_k == NULL;
        else rv = BN_bn2binpad(r, signature, N) == N && BN_bn2binpad(s, signature + N, N) == N ? CKR_OK : CKR_FUNCTION_FAILED;
      }
    }
    BN_clear_free(k);
  }
  EC_POINT_free(point);
  BN_clear_free(d);
  BN_free(e);
  BN_free(r);
  BN_clear_free(s);
  BN_clear_free(t);
  BN_CTX_free(context);
  return rv;
}

CK_RV sim_sm2_verify(const uint8_t public_key[POINT], const uint8_t e_bytes[N], const uint8_t signature[2 * N]) {
  const EC_GROUP *group = sim_ec_group(SIM_SM2_CURVE);
  const BIGNUM *n = sim_ec_order(SIM_SM2_CURVE);
  BN_CTX *context = BN_CTX_new();
  BIGNUM *r = BN_bin2bn(signature, N, NULL), *s = BN_bin2bn(signature + N, N, NULL), *e = BN_bin2bn(e_bytes, N, NULL), *t = BN_new();
  EC_POINT *p = sim_ec_point(SIM_SM2_CURVE, public_key, context), *point = EC_POINT_new(group);
  CK_RV rv = CKR_SIGNATURE_INVALID;
  if (p != NULL && sim_ec_scalar_valid(SIM_SM2_CURVE, r) && sim_ec_scalar_valid(SIM_SM2_CURVE, s)) {
    BN_mod_add(t, r, s, n, context);
    if (!BN_is_zero(t) && EC_POINT_mul(group, point, s, p, t, context) == 1 && !EC_POINT_is_at_infinity(group, point)) {
      EC_POINT_get_affine_coordinates(group, point, t, NULL, context);
      BN_mod_add(t, t, e, n, context);
      if (BN_cmp(t, r) == 0) rv = CKR_OK;
    }
  }
  EC_POINT_free(p);
  EC_POINT_free(point);
  BN_free(r);
  BN_free(s);
  BN_free(e);
  BN_free(t);
  BN_CTX_free(context);
  return rv;
}

CK_RV sim_sm2_signature_to_der(const uint8_t signature[2 * N], uint8_t *der, size_t *der_len) {
  uint8_t room[80];
  der_writer w;
  der_begin(&w, room, sizeof room);
  const uint8_t *end = w.at;
  der_put_unsigned(&w, signature + N, N);
  der_put_unsigned(&w, signature, N);
  der_head(&w, 0x30, end);
  const size_t length = der_finish(&w, room, sizeof room);
  const CK_RV rv = *der_len < length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
  if (rv == CKR_OK) memcpy(der, room, length);
  *der_len = length;
  return rv;
}

CK_RV sim_sm2_signature_from_der(const uint8_t *der, size_t der_len, uint8_t signature[2 * N]) {
  der_reader all = {der, der + der_len}, body;
  const bool good = der_take(&all, 0x30, &body) && der_left(&all) == 0 && der_take_unsigned(&body, signature, N) && der_take_unsigned(&body, signature + N, N) && der_left(&body) == 0;
  return good ? CKR_OK : CKR_SIGNATURE_INVALID;
}

/* t = KDF(x2 ‖ y2, length) xored over the data (GB/T 32918.4 5.4.3); false when t is all zero. */
static bool mask(const uint8_t xy[2 * N], const uint8_t *in, size_t length, uint8_t *out) {
  uint8_t input[2 * N + 4], block[N], any = 0;
  memcpy(input, xy, 2 * N);
  for (size_t at = 0, counter = 1; at < length; at += N, counter++) {
    for (int i = 0; i < 4; i++) input[2 * N + i] = (uint8_t)(counter >> (8 * (3 - i)));
    sim_hash(SIM_SM3, input, sizeof input, block);
    for (size_t i = 0; i < N && at + i < length; i++) {
      any |= block[i];
      out[at + i] = in[at + i] ^ block[i];
    }
  }
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(input, sizeof input);
  return any != 0;
}

/* C3 = SM3(x2 ‖ M ‖ y2) */
static void check_hash(const uint8_t xy[2 * N], const uint8_t *message, size_t length, uint8_t out[N]) {
  uint8_t input[2 * N + CLEAR_MOST];
  memcpy(input, xy, N);
  memcpy(input + N, message, length);
  memcpy(input + N + length, xy + N, N);
  sim_hash(SIM_SM3, input, 2 * N + length, out);
  OPENSSL_cleanse(input, 2 * N + length);
}

static CK_RV shared_point(const EC_POINT *p, const BIGNUM *scalar, uint8_t xy[2 * N], BN_CTX *context) {
  const EC_GROUP *group = sim_ec_group(SIM_SM2_CURVE);
  uint8_t bytes[POINT];
  EC_POINT *point = EC_POINT_new(group);
  const bool good = EC_POINT_mul(group, point, NULL, p, scalar, context) == 1 && !EC_POINT_is_at_infinity(group, point) &&
                    EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, POINT, context) == POINT;
  memcpy(xy, bytes + 1, 2 * N);
  EC_POINT_free(point);
  return good ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV put_cipher(sim_sm2_form form, const uint8_t c1[POINT], const uint8_t c3[N], const uint8_t *c2, size_t length, uint8_t *out, size_t *out_len) {
  uint8_t room[POINT + N + CLEAR_MOST + 32];
  size_t total = POINT + N + length;
  if (form == SIM_SM2_DER) {
    der_writer w;
    der_begin(&w, room, sizeof room);
    const uint8_t *end = w.at;
    der_put_element(&w, 0x04, c2, length);
    der_put_element(&w, 0x04, c3, N);
    der_put_unsigned(&w, c1 + 1 + N, N);
    der_put_unsigned(&w, c1 + 1, N);
    der_head(&w, 0x30, end);
    total = der_finish(&w, room, sizeof room);
  } else {
    memcpy(room, c1, POINT);
    memcpy(room + POINT + (form == SIM_C1C3C2 ? 0 : length), c3, N);
    memcpy(room + POINT + (form == SIM_C1C3C2 ? N : 0), c2, length);
  }
  const CK_RV rv = *out_len < total ? CKR_BUFFER_TOO_SMALL : CKR_OK;
  if (rv == CKR_OK) memcpy(out, room, total);
  *out_len = total;
  return rv;
}

CK_RV sim_sm2_encrypt(const uint8_t public_key[POINT], sim_sm2_form form, const uint8_t *in, size_t length, const uint8_t *given_k, uint8_t *out, size_t *out_len) {
  uint8_t c1[POINT], c2[CLEAR_MOST], c3[N], xy[2 * N];
  if (length == 0 || length > CLEAR_MOST) return CKR_DATA_LEN_RANGE;
  if (form > SIM_SM2_DER) return CKR_MECHANISM_PARAM_INVALID;
  BN_CTX *context = BN_CTX_secure_new();
  EC_POINT *p = sim_ec_point(SIM_SM2_CURVE, public_key, context);
  CK_RV rv = p == NULL ? CKR_KEY_TYPE_INCONSISTENT : CKR_OK;
  for (bool again = rv == CKR_OK; again;) {
    uint8_t k_bytes[N];
    BIGNUM *k = given_k == NULL ? sim_ec_random_scalar(SIM_SM2_CURVE) : BN_bin2bn(given_k, N, BN_secure_new());
    BN_bn2binpad(k, k_bytes, N);
    rv = sim_ec_public(SIM_SM2_CURVE, k_bytes, c1);
    if (rv == CKR_OK) rv = shared_point(p, k, xy, context);
    again = rv == CKR_OK && !mask(xy, in, length, c2) && given_k == NULL;
    OPENSSL_cleanse(k_bytes, sizeof k_bytes);
    BN_clear_free(k);
  }
  if (rv == CKR_OK) {
    check_hash(xy, in, length, c3);
    rv = put_cipher(form, c1, c3, c2, length, out, out_len);
  }
  OPENSSL_cleanse(xy, sizeof xy);
  EC_POINT_free(p);
  BN_CTX_free(context);
  return rv;
}

static bool take_cipher(sim_sm2_form form, const uint8_t *in, size_t length, uint8_t c1[POINT], uint8_t c3[N], const uint8_t **c2, size_t *c2_len) {
  c1[0] = 4;
  if (form == SIM_SM2_DER) {
    der_reader all = {in, in + length}, body, hash, cipher;
    if (!der_take(&all, 0x30, &body) || der_left(&all) != 0 || !der_take_unsigned(&body, c1 + 1, N) || !der_take_unsigned(&body, c1 + 1 + N, N) ||
        !der_take(&body, 0x04, &hash) || der_left(&hash) != N || !der_take(&body, 0x04, &cipher) || der_left(&body) != 0) {
      return false;
    }
    memcpy(c3, hash.at, N);
    *c2 = cipher.at;
    *c2_len = der_left(&cipher);
  } else {
    if (length <= POINT + N || in[0] != 4) return false;
    *c2_len = length - POINT - N;
    memcpy(c1, in, POINT);
    memcpy(c3, in + POINT + (form == SIM_C1C3C2 ? 0 : *c2_len), N);
    *c2 = in + POINT + (form == SIM_C1C3C2 ? N : 0);
  }
  return *c2_len > 0 && *c2_len <= CLEAR_MOST;
}

CK_RV sim_sm2_decrypt(const uint8_t private_key[N], sim_sm2_form form, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len) {
  uint8_t c1[POINT], c3[N], clear[CLEAR_MOST], hash[N], xy[2 * N];
  const uint8_t *c2 = NULL;
  size_t c2_len = 0;
  if (form > SIM_SM2_DER) return CKR_MECHANISM_PARAM_INVALID;
  if (!take_cipher(form, in, length, c1, c3, &c2, &c2_len)) return CKR_ENCRYPTED_DATA_INVALID;
  BN_CTX *context = BN_CTX_secure_new();
  BIGNUM *d = BN_bin2bn(private_key, N, BN_secure_new());
  EC_POINT *point = sim_ec_point(SIM_SM2_CURVE, c1, context);
  CK_RV rv = point == NULL ? CKR_ENCRYPTED_DATA_INVALID : shared_point(point, d, xy, context);
  if (rv == CKR_OK && !mask(xy, c2, c2_len, clear)) rv = CKR_ENCRYPTED_DATA_INVALID;
  if (rv == CKR_OK) {
    check_hash(xy, clear, c2_len, hash);
    if (CRYPTO_memcmp(hash, c3, N) != 0) rv = CKR_ENCRYPTED_DATA_INVALID;
    else if (*out_len < c2_len) rv = CKR_BUFFER_TOO_SMALL;
    else memcpy(out, clear, c2_len);
    if (rv != CKR_ENCRYPTED_DATA_INVALID) *out_len = c2_len;
  }
  OPENSSL_cleanse(clear, sizeof clear);
  OPENSSL_cleanse(xy, sizeof xy);
  EC_POINT_free(point);
  BN_clear_free(d);
  BN_CTX_free(context);
  return rv;
}
