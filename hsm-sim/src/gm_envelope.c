/* Private keys in transit: SM2EnvelopedKey (GB/T 35276), the GM/T 0018 envelope, PKCS#8 (RFC 5958). */
#include <openssl/crypto.h>
#include <string.h>

#include "crypto.h"
#include "der.h"

enum { N = 32, POINT = 65, SM4_KEY = 16, GM0018_FIELD = 64 };

static const uint8_t OID_SM4_ECB[] = {0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x68, 0x01};       /* 1.2.156.10197.1.104.1 */
static const uint8_t OID_SM4[] = {0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x68};                 /* 1.2.156.10197.1.104, which some senders write for it */
static const uint8_t OID_EC_PUBLIC_KEY[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};       /* 1.2.840.10045.2.1 */
static const uint8_t OID_RSA[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};     /* 1.2.840.113549.1.1.1 */
static const struct {
  const uint8_t *oid;
  size_t length;
} CURVE_OID[2] = {
    [SIM_P256] = {(const uint8_t[]){0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, 8},
    [SIM_SM2_CURVE] = {(const uint8_t[]){0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D}, 8},
};

static CK_RV give(const uint8_t *room, size_t length, uint8_t *out, size_t *out_len) {
  if (length == 0) return CKR_FUNCTION_FAILED;
  const CK_RV rv = *out_len < length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
  if (rv == CKR_OK) memcpy(out, room, length);
  *out_len = length;
  return rv;
}

static bool is(const der_reader *content, const uint8_t *bytes, size_t length) { return der_left(content) == length && memcmp(content->at, bytes, length) == 0; }

CK_RV sim_sm2_enveloped_key(const uint8_t receiver_public[POINT], const uint8_t private_key[N], uint8_t *der, size_t *der_len) {
  uint8_t room[512], key[SM4_KEY], sealed[N], cipher[256], bits[1 + POINT] = {0};
  size_t cipher_len = sizeof cipher;
  sim_random(key, sizeof key);
  CK_RV rv = sim_sm2_encrypt(receiver_public, SIM_SM2_DER, key, sizeof key, NULL, cipher, &cipher_len);
  if (rv == CKR_OK) rv = sim_ecb(SIM_SM4, key, sizeof key, true, private_key, N, sealed);
  if (rv == CKR_OK) rv = sim_ec_public(SIM_SM2_CURVE, private_key, bits + 1);
  OPENSSL_cleanse(key, sizeof key);
  if (rv != CKR_OK) return rv;
  uint8_t sealed_bits[1 + N] = {0};
  memcpy(sealed_bits + 1, sealed, N);
  der_writer w;
  der_begin(&w, room, sizeof room);
  const uint8_t *end = w.at;
  der_put_element(&w, 0x03, sealed_bits, sizeof sealed_bits);
  der_put_element(&w, 0x03, bits, sizeof bits);
  der_put(&w, cipher, cipher_len);
  const uint8_t *algorithm = w.at;
  der_put_element(&w, 0x06, OID_SM4_ECB, sizeof OID_SM4_ECB);
  der_head(&w, 0x30, algorithm);
  der_head(&w, 0x30, end);
  return give(room, der_finish(&w, room, sizeof room), der, der_len);
}

/* The clear d must belong to the public key that travels with it. */
static CK_RV confirm(const uint8_t private_key[N], const uint8_t *said, uint8_t public_key[POINT]) {
  return sim_ec_public(SIM_SM2_CURVE, private_key, public_key) == CKR_OK && memcmp(said, public_key, POINT) == 0 ? CKR_OK : CKR_WRAPPED_KEY_INVALID;
}

CK_RV sim_sm2_enveloped_key_open(const uint8_t receiver_private[N], const uint8_t *der, size_t der_len, uint8_t private_key[N], uint8_t public_key[POINT]) {
  der_reader all = {der, der + der_len}, body, algorithm, oid, cipher, point, sealed;
  uint8_t key[SM4_KEY];
  size_t key_len = sizeof key;
  if (!der_take(&all, 0x30, &body) || der_left(&all) != 0 || !der_take(&body, 0x30, &algorithm) || !der_take(&algorithm, 0x06, &oid)) return CKR_WRAPPED_KEY_INVALID;
  if (!is(&oid, OID_SM4_ECB, sizeof OID_SM4_ECB) && !is(&oid, OID_SM4, sizeof OID_SM4)) return CKR_WRAPPED_KEY_INVALID;
  const uint8_t *cipher_at = body.at;
  if (!der_take(&body, 0x30, &cipher)) return CKR_WRAPPED_KEY_INVALID;
  const size_t cipher_len = (size_t)(body.at - cipher_at);
  if (!der_take(&body, 0x03, &point) || der_left(&point) != 1 + POINT || point.at[0] != 0 || !der_take(&body, 0x03, &sealed) || der_left(&body) != 0) return CKR_WRAPPED_KEY_INVALID;
  /* Some senders pad d to 64 bytes on the left; the last 32 are d. */
  const size_t sealed_len = der_left(&sealed) - 1;
  if ((sealed_len != N && sealed_len != 2 * N) || sealed.at[0] != 0) return CKR_WRAPPED_KEY_INVALID;
  CK_RV rv = sim_sm2_decrypt(receiver_private, SIM_SM2_DER, cipher_at, cipher_len, key, &key_len);
  if (rv == CKR_OK && key_len != SM4_KEY) rv = CKR_WRAPPED_KEY_INVALID;
  if (rv == CKR_OK) rv = sim_ecb(SIM_SM4, key, sizeof key, false, sealed.at + 1 + sealed_len - N, N, private_key);
  OPENSSL_cleanse(key, sizeof key);
  return rv == CKR_OK ? confirm(private_key, point.at + 1, public_key) : CKR_WRAPPED_KEY_INVALID;
}

/* ulAsymmAlgID ‖ ulSymmAlgID ‖ ECCCipher{x64 y64 M32 L4 C16} ‖ ECCrefPublicKey{bits4 x64 y64} ‖ cbEncryptedPrivKey64 */
enum { AT_CIPHER = 8, AT_LENGTH = AT_CIPHER + 2 * GM0018_FIELD + N, AT_C = AT_LENGTH + 4, AT_PUBLIC = AT_C + SM4_KEY, AT_SEALED = AT_PUBLIC + 4 + 2 * GM0018_FIELD, GM0018_BYTES = AT_SEALED + GM0018_FIELD };
enum { SGD_SM2_3 = 0x20800, SGD_SM4_ECB = 0x401 };

static void put_number(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}
static uint32_t get_number(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24; }

static void put_point(uint8_t *at, const uint8_t point[POINT]) { /* 512-bit fields, right-aligned */
  memcpy(at + GM0018_FIELD - N, point + 1, N);
  memcpy(at + 2 * GM0018_FIELD - N, point + 1 + N, N);
}
static void get_point(const uint8_t *at, uint8_t point[POINT]) {
  point[0] = 4;
  memcpy(point + 1, at + GM0018_FIELD - N, N);
  memcpy(point + 1 + N, at + 2 * GM0018_FIELD - N, N);
}

CK_RV sim_gm0018_envelope(const uint8_t receiver_public[POINT], const uint8_t private_key[N], uint8_t *out, size_t *out_len) {
  uint8_t room[GM0018_BYTES] = {0}, key[SM4_KEY], cipher[POINT + N + SM4_KEY], public_key[POINT];
  size_t cipher_len = sizeof cipher;
  sim_random(key, sizeof key);
  CK_RV rv = sim_sm2_encrypt(receiver_public, SIM_C1C3C2, key, sizeof key, NULL, cipher, &cipher_len);
  if (rv == CKR_OK) rv = sim_ec_public(SIM_SM2_CURVE, private_key, public_key);
  if (rv == CKR_OK) rv = sim_ecb(SIM_SM4, key, sizeof key, true, private_key, N, room + AT_SEALED + GM0018_FIELD - N);
  OPENSSL_cleanse(key, sizeof key);
  if (rv != CKR_OK) return rv;
  put_number(room, SGD_SM2_3);
  put_number(room + 4, SGD_SM4_ECB);
  put_point(room + AT_CIPHER, cipher);
  memcpy(room + AT_CIPHER + 2 * GM0018_FIELD, cipher + POINT, N);
  put_number(room + AT_LENGTH, SM4_KEY);
  memcpy(room + AT_C, cipher + POINT + N, SM4_KEY);
  put_number(room + AT_PUBLIC, 256);
  put_point(room + AT_PUBLIC + 4, public_key);
  return give(room, sizeof room, out, out_len);
}

CK_RV sim_gm0018_envelope_open(const uint8_t receiver_private[N], const uint8_t *in, size_t length, uint8_t private_key[N], uint8_t public_key[POINT]) {
  uint8_t cipher[POINT + N + SM4_KEY], key[SM4_KEY], said[POINT];
  size_t key_len = sizeof key;
  if (length != GM0018_BYTES || get_number(in) != SGD_SM2_3 || get_number(in + 4) != SGD_SM4_ECB || get_number(in + AT_LENGTH) != SM4_KEY) return CKR_WRAPPED_KEY_INVALID;
  get_point(in + AT_CIPHER, cipher);
  memcpy(cipher + POINT, in + AT_CIPHER + 2 * GM0018_FIELD, N);
  memcpy(cipher + POINT + N, in + AT_C, SM4_KEY);
  get_point(in + AT_PUBLIC + 4, said);
  CK_RV rv = sim_sm2_decrypt(receiver_private, SIM_C1C3C2, cipher, sizeof cipher, key, &key_len);
  if (rv == CKR_OK) rv = sim_ecb(SIM_SM4, key, sizeof key, false, in + AT_SEALED + GM0018_FIELD - N, N, private_key);
  OPENSSL_cleanse(key, sizeof key);
  return rv == CKR_OK ? confirm(private_key, said, public_key) : CKR_WRAPPED_KEY_INVALID;
}

CK_RV sim_ec_pkcs8(sim_curve curve, const uint8_t private_key[N], uint8_t *der, size_t *der_len) {
  uint8_t room[256], bits[1 + POINT] = {0};
  CK_RV rv = sim_ec_public(curve, private_key, bits + 1);
  if (rv != CKR_OK) return rv;
  der_writer w;
  der_begin(&w, room, sizeof room);
  const uint8_t *end = w.at;
  /* ECPrivateKey ::= { 1, d, [1] publicKey } (RFC 5915) */
  der_put_element(&w, 0x03, bits, sizeof bits);
  der_head(&w, 0xA1, end);
  der_put_element(&w, 0x04, private_key, N);
  der_put_unsigned(&w, (const uint8_t[]){1}, 1);
  der_head(&w, 0x30, end);
  der_head(&w, 0x04, end);
  const uint8_t *algorithm = w.at;
  der_put_element(&w, 0x06, CURVE_OID[curve].oid, CURVE_OID[curve].length);
  der_put_element(&w, 0x06, OID_EC_PUBLIC_KEY, sizeof OID_EC_PUBLIC_KEY);
  der_head(&w, 0x30, algorithm);
  der_put_unsigned(&w, (const uint8_t[]){0}, 1);
  der_head(&w, 0x30, end);
  rv = give(room, der_finish(&w, room, sizeof room), der, der_len);
  OPENSSL_cleanse(room, sizeof room);
  return rv;
}

CK_RV sim_ec_pkcs8_open(const uint8_t *der, size_t der_len, sim_curve *curve, uint8_t private_key[N]) {
  der_reader all = {der, der + der_len}, info, algorithm, oid, named, octets, key, d;
  uint8_t version;
  if (!der_take(&all, 0x30, &info) || der_left(&all) != 0 || !der_take_unsigned(&info, &version, 1) || !der_take(&info, 0x30, &algorithm) || !der_take(&algorithm, 0x06, &oid) ||
      !is(&oid, OID_EC_PUBLIC_KEY, sizeof OID_EC_PUBLIC_KEY) || !der_take(&algorithm, 0x06, &named) || !der_take(&info, 0x04, &octets) || !der_take(&octets, 0x30, &key) ||
      !der_take_unsigned(&key, &version, 1) || version != 1 || !der_take(&key, 0x04, &d) || der_left(&d) != N) {
    return CKR_WRAPPED_KEY_INVALID;
  }
  for (int i = 0; i < 2; i++) {
    if (!is(&named, CURVE_OID[i].oid, CURVE_OID[i].length)) continue;
    *curve = (sim_curve)i;
    memcpy(private_key, d.at, N);
    return CKR_OK;
  }
  return CKR_WRAPPED_KEY_INVALID;
}

CK_RV sim_rsa_pkcs8(const uint8_t *private_der, size_t private_len, uint8_t *der, size_t *der_len) {
  uint8_t room[4096];
  der_writer w;
  der_begin(&w, room, sizeof room);
  const uint8_t *end = w.at;
  der_put_element(&w, 0x04, private_der, private_len);
  const uint8_t *algorithm = w.at;
  der_put(&w, (const uint8_t[]){0x05, 0x00}, 2);
  der_put_element(&w, 0x06, OID_RSA, sizeof OID_RSA);
  der_head(&w, 0x30, algorithm);
  der_put_unsigned(&w, (const uint8_t[]){0}, 1);
  der_head(&w, 0x30, end);
  const CK_RV rv = give(room, der_finish(&w, room, sizeof room), der, der_len);
  OPENSSL_cleanse(room, sizeof room);
  return rv;
}

CK_RV sim_rsa_pkcs8_open(const uint8_t *der, size_t der_len, uint8_t *private_der, size_t *private_len) {
  der_reader all = {der, der + der_len}, info, algorithm, oid, octets;
  uint8_t version;
  if (!der_take(&all, 0x30, &info) || der_left(&all) != 0 || !der_take_unsigned(&info, &version, 1) || !der_take(&info, 0x30, &algorithm) || !der_take(&algorithm, 0x06, &oid) ||
      !is(&oid, OID_RSA, sizeof OID_RSA) || !der_take(&info, 0x04, &octets)) {
    return CKR_WRAPPED_KEY_INVALID;
  }
  return give(octets.at, der_left(&octets), private_der, private_len);
}
