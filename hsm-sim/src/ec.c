/* P-256 and sm2p256v1: key pairs and ECDSA. */
#include "ec.h"

#include <openssl/crypto.h>
#include <openssl/obj_mac.h>
#include <pthread.h>
#include <string.h>

static EC_GROUP *groups[2];
static BIGNUM *orders[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_groups(void) {
  static const int nids[2] = {[SIM_P256] = NID_X9_62_prime256v1, [SIM_SM2_CURVE] = NID_sm2};
  for (int i = 0; i < 2; i++) {
    groups[i] = EC_GROUP_new_by_curve_name(nids[i]);
    orders[i] = BN_new();
    EC_GROUP_get_order(groups[i], orders[i], NULL);
  }
}

const EC_GROUP *sim_ec_group(sim_curve curve) {
  pthread_once(&once, make_groups);
  return groups[curve];
}

const BIGNUM *sim_ec_order(sim_curve curve) {
  pthread_once(&once, make_groups);
  return orders[curve];
}

bool sim_ec_scalar_valid(sim_curve curve, const BIGNUM *scalar) {
  return scalar != NULL && !BN_is_zero(scalar) && !BN_is_negative(scalar) && BN_cmp(scalar, sim_ec_order(curve)) < 0;
}

BIGNUM *sim_ec_random_scalar(sim_curve curve) {
  BIGNUM *scalar = BN_secure_new();
  uint8_t bytes[32];
  do {
    sim_random(bytes, sizeof bytes);
    BN_bin2bn(bytes, sizeof bytes, scalar);
  } while (!sim_ec_scalar_valid(curve, scalar));
  OPENSSL_cleanse(bytes, sizeof bytes);
  return scalar;
}

EC_POINT *sim_ec_point(sim_curve curve, const uint8_t bytes[65], BN_CTX *context) {
  const EC_GROUP *group = sim_ec_group(curve);
  EC_POINT *point = EC_POINT_new(group);
  /* EC_POINT_oct2point checks that the point is on the curve; cofactor 1 makes that the subgroup check. */
  if (bytes[0] != 4 || EC_POINT_oct2point(group, point, bytes, 65, context) != 1 || EC_POINT_is_at_infinity(group, point)) {
    EC_POINT_free(point);
    return NULL;
  }
  return point;
}

CK_RV sim_ec_public(sim_curve curve, const uint8_t private_key[32], uint8_t public_key[65]) {
  const EC_GROUP *group = sim_ec_group(curve);
  BN_CTX *context = BN_CTX_secure_new();
  BIGNUM *d = BN_bin2bn(private_key, 32, BN_secure_new());
  EC_POINT *point = EC_POINT_new(group);
  CK_RV rv = CKR_ARGUMENTS_BAD;
  if (sim_ec_scalar_valid(curve, d) && EC_POINT_mul(group, point, d, NULL, NULL, context) == 1)
    rv = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key, 65, context) == 65 ? CKR_OK : CKR_FUNCTION_FAILED;
  EC_POINT_free(point);
  BN_clear_free(d);
  BN_CTX_free(context);
  return rv;
}

CK_RV sim_ec_generate(sim_curve curve, uint8_t private_key[32], uint8_t public_key[65]) {
  BIGNUM *d = sim_ec_random_scalar(curve);
  BN_bn2binpad(d, private_key, 32);
  BN_clear_free(d);
  return sim_ec_public(curve, private_key, public_key);
}

bool sim_ec_point_valid(sim_curve curve, const uint8_t public_key[65]) {
  EC_POINT *point = sim_ec_point(curve, public_key, NULL);
  EC_POINT_free(point);
  return point != NULL;
}

static BIGNUM *digest_number(const uint8_t *digest, size_t length) { return BN_bin2bn(digest, length > 32 ? 32 : (int)length, NULL); }

CK_RV sim_ecdsa_sign(const uint8_t private_key[32], const uint8_t *digest, size_t digest_len, uint8_t signature[64]) {
  const EC_GROUP *group = sim_ec_group(SIM_P256);
  const BIGNUM *n = sim_ec_order(SIM_P256);
  BN_CTX *context = BN_CTX_secure_new();
  BIGNUM *d = BN_bin2bn(private_key, 32, BN_secure_new()), *e = digest_number(digest, digest_len), *r = BN_new(), *s = BN_secure_new();
  EC_POINT *point = EC_POINT_new(group);
  CK_RV rv = CKR_OK;
  do {
    BIGNUM *k = sim_ec_random_scalar(SIM_P256);
    EC_POINT_mul(group, point, k, NULL, NULL, context);
    EC_POINT_get_affine_coordinates(group, point, r, NULL, context);
    BN_nnmod(r, r, n, context);
    BN_mod_mul(s, r, d, n, context);
    BN_mod_add(s, s, e, n, context);
    BN_set_flags(k, BN_FLG_CONSTTIME);
    if (BN_mod_inverse(k, k, n, context) == NULL) rv = CKR_FUNCTION_FAILED;
    BN_mod_mul(s, s, k, n, context);
    BN_clear_free(k);
  } while (rv == CKR_OK && (BN_is_zero(r) || BN_is_zero(s)));
  if (rv == CKR_OK && (BN_bn2binpad(r, signature, 32) != 32 || BN_bn2binpad(s, signature + 32, 32) != 32)) rv = CKR_FUNCTION_FAILED;
  EC_POINT_free(point);
  BN_clear_free(d);
  BN_free(e);
  BN_free(r);
  BN_clear_free(s);
  BN_CTX_free(context);
  return rv;
}

CK_RV sim_ecdsa_verify(const uint8_t public_key[65], const uint8_t *digest, size_t digest_len, const uint8_t signature[64]) {
  const EC_GROUP *group = sim_ec_group(SIM_P256);
  const BIGNUM *n = sim_ec_order(SIM_P256);
  BN_CTX *context = BN_CTX_new();
  EC_POINT *p = sim_ec_point(SIM_P256, public_key, context), *point = EC_POINT_new(group);
  BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL), *e = digest_number(digest, digest_len), *w = BN_new();
  CK_RV rv = CKR_SIGNATURE_INVALID;
  if (p != NULL && sim_ec_scalar_valid(SIM_P256, r) && sim_ec_scalar_valid(SIM_P256, s) && BN_mod_inverse(w, s, n, context) != NULL) {
    BN_mod_mul(e, e, w, n, context);
    BN_mod_mul(w, r, w, n, context);
    EC_POINT_mul(group, point, e, p, w, context);
    if (!EC_POINT_is_at_infinity(group, point)) {
      EC_POINT_get_affine_coordinates(group, point, w, NULL, context);
      BN_nnmod(w, w, n, context);
      if (BN_cmp(w, r) == 0) rv = CKR_OK;
    }
  }
  EC_POINT_free(p);
  EC_POINT_free(point);
  BN_free(r);
  BN_free(s);
  BN_free(e);
  BN_free(w);
  BN_CTX_free(context);
  return rv;
}
