/* C_WrapKey and C_UnwrapKey: keys leave and enter under keys only. Lock held. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "operation.h"

enum { PACKAGE_MOST = 8192, KEY_MOST = 3072, SHARES_MOST = 16 };

typedef struct {
  uint8_t bytes[KEY_MOST];
  size_t length;
} material;

static sim_curve curve_of(const sim_object *key) { return key->key_type == CKK_HUFU_SM2 ? SIM_SM2_CURVE : SIM_P256; }

/* What of the key is encrypted: a secret key's bytes; a private key as PKCS#8, or d alone under an unpadded cipher. */
static CK_RV clear_form(const sim_mechanism *m, const sim_object *key, material *out) {
  const sim_blob *value = &key->blobs[B_VALUE];
  out->length = sizeof out->bytes;
  if (key->class == CKO_PRIVATE_KEY && (m->family == M_CBC_PAD || m->family == M_AES_WRAP_PAD)) {
    return key->key_type == CKK_RSA ? sim_rsa_pkcs8(value->bytes, value->length, out->bytes, &out->length) : sim_ec_pkcs8(curve_of(key), value->bytes, out->bytes, &out->length);
  }
  if (key->class == CKO_PRIVATE_KEY && (key->key_type != CKK_HUFU_SM2 || (m->family != M_ECB && m->family != M_CBC))) return CKR_KEY_NOT_WRAPPABLE;
  memcpy(out->bytes, value->bytes, value->length);
  out->length = value->length;
  return CKR_OK;
}

static CK_RV give(const uint8_t *bytes, size_t length, CK_BYTE *out, CK_ULONG *out_len) {
  CK_RV rv = CKR_OK;
  if (out != NULL) {
    rv = *out_len < length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    if (rv == CKR_OK) memcpy(out, bytes, length);
  }
  *out_len = length;
  return rv;
}

static CK_RV public_der(const sim_object *key, uint8_t *der, size_t *length) {
  return sim_rsa_public_from(key->blobs[B_MODULUS].bytes, key->blobs[B_MODULUS].length, key->blobs[B_EXPONENT].bytes, key->blobs[B_EXPONENT].length, der, length);
}

static bool take_iv(const sim_mechanism *m, const CK_MECHANISM *mechanism, uint8_t iv[16]) {
  const size_t block = sim_block_bytes(m->cipher);
  if (m->family == M_ECB) return mechanism->ulParameterLen == 0;
  if (mechanism->pParameter == NULL || mechanism->ulParameterLen != block) return false;
  memcpy(iv, mechanism->pParameter, block);
  return true;
}

/* TR-31: version by the type of the key block protection key. */
static CK_RV tr31_wrap(const CK_MECHANISM *mechanism, const sim_object *wrapping, const material *clear, uint8_t *out, size_t *out_len) {
  char header[16];
  if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof header) return CKR_MECHANISM_PARAM_INVALID;
  memcpy(header, mechanism->pParameter, sizeof header);
  const bool aes = wrapping->key_type == CKK_AES, des = wrapping->key_type == CKK_DES2 || wrapping->key_type == CKK_DES3;
  if (!aes && !des) return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
  if (header[0] != (aes ? 'D' : 'B')) return CKR_MECHANISM_PARAM_INVALID;
  return sim_tr31_wrap(wrapping->blobs[B_VALUE].bytes, wrapping->blobs[B_VALUE].length, header, clear->bytes, clear->length, NULL, 0, (char *)out, out_len);
}

static CK_RV shamir_wrap(const CK_MECHANISM *mechanism, const sim_object *wrapping, const material *clear, uint8_t *out, size_t *out_len) {
  const uint8_t *p = mechanism->pParameter;
  const size_t share = clear->length + 1;
  uint8_t shares[SHARES_MOST * (64 + 1)];
  if (p == NULL || mechanism->ulParameterLen != 2 || p[1] > SHARES_MOST) return CKR_MECHANISM_PARAM_INVALID;
  if (clear->length > 64) return CKR_KEY_SIZE_RANGE;
  CK_RV rv = sim_shamir_split(clear->bytes, clear->length, p[0], p[1], shares);
  size_t at = 0;
  for (unsigned i = 0; i < p[1] && rv == CKR_OK; i++) {
    size_t piece = *out_len - at - 2;
    rv = sim_aes_wrap(wrapping->blobs[B_VALUE].bytes, wrapping->blobs[B_VALUE].length, true, true, shares + i * share, share, out + at + 2, &piece);
    out[at] = (uint8_t)(piece >> 8);
    out[at + 1] = (uint8_t)piece;
    at += 2 + piece;
  }
  *out_len = at;
  OPENSSL_cleanse(shares, sizeof shares);
  return rv == CKR_ARGUMENTS_BAD ? CKR_MECHANISM_PARAM_INVALID : rv;
}

CK_RV sim_key_wrap(const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_handle, CK_OBJECT_HANDLE key_handle, CK_BYTE *out, CK_ULONG *out_len) {
  const sim_mechanism *m = sim_mechanism_find(mechanism->mechanism);
  if (m == NULL || !(m->flags & CKF_WRAP)) return CKR_MECHANISM_INVALID;
  const sim_object *wrapping = sim_object_find(wrapping_handle), *key = sim_object_find(key_handle);
  if (wrapping == NULL || (wrapping->class != CKO_SECRET_KEY && wrapping->class != CKO_PUBLIC_KEY)) return CKR_WRAPPING_KEY_HANDLE_INVALID;
  if (key == NULL) return CKR_KEY_HANDLE_INVALID;
  if (!sim_mechanism_takes(m, wrapping)) return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
  if (!sim_mechanism_allowed(wrapping, mechanism->mechanism)) return CKR_MECHANISM_INVALID;
  CK_RV rv = sim_rules_wrap(wrapping, key);
  if (rv != CKR_OK) return rv;

  material clear;
  uint8_t package[PACKAGE_MOST], iv[16], der[1100];
  size_t length = sizeof package, der_len = sizeof der;
  const sim_blob *kek = &wrapping->blobs[B_VALUE];
  CK_ULONG number;
  if (m->family == M_SM2_ENVELOPED_KEY || m->family == M_GM0018_ENVELOPE) {
    if (key->class != CKO_PRIVATE_KEY || key->key_type != CKK_HUFU_SM2 || wrapping->class != CKO_PUBLIC_KEY) return CKR_KEY_NOT_WRAPPABLE;
    rv = m->family == M_SM2_ENVELOPED_KEY ? sim_sm2_enveloped_key(wrapping->blobs[B_POINT].bytes, key->blobs[B_VALUE].bytes, package, &length)
                                          : sim_gm0018_envelope(wrapping->blobs[B_POINT].bytes, key->blobs[B_VALUE].bytes, package, &length);
    return rv == CKR_OK ? give(package, length, out, out_len) : rv;
  }
  rv = clear_form(m, key, &clear);
  if (rv == CKR_OK) switch (m->family) {
      case M_ECB:
      case M_CBC:
        if (!take_iv(m, mechanism, iv)) rv = CKR_MECHANISM_PARAM_INVALID;
        else if (clear.length % sim_block_bytes(m->cipher) != 0) rv = CKR_KEY_SIZE_RANGE;
        else rv = m->family == M_ECB ? sim_ecb(m->cipher, kek->bytes, kek->length, true, clear.bytes, clear.length, package) : sim_cbc(m->cipher, kek->bytes, kek->length, true, iv, clear.bytes, clear.length, package);
        length = clear.length;
        break;
      case M_CBC_PAD: rv = take_iv(m, mechanism, iv) ? sim_cbc_pad(m->cipher, kek->bytes, kek->length, true, iv, clear.bytes, clear.length, package, &length) : CKR_MECHANISM_PARAM_INVALID; break;
      case M_AES_WRAP:
      case M_AES_WRAP_PAD:
        rv = sim_aes_wrap(kek->bytes, kek->length, true, m->family == M_AES_WRAP_PAD, clear.bytes, clear.length, package, &length);
        if (rv == CKR_DATA_LEN_RANGE) rv = CKR_KEY_SIZE_RANGE;
        break;
      case M_RSA_PKCS:
      case M_RSA_OAEP:
        number = SIM_SHA1;
        rv = m->family == M_RSA_OAEP ? sim_oaep_digest(mechanism, &number) : CKR_OK;
        if (rv == CKR_OK) rv = public_der(wrapping, der, &der_len);
        if (rv == CKR_OK) rv = sim_rsa_encrypt(der, der_len, m->family == M_RSA_OAEP, (sim_digest)number, clear.bytes, clear.length, package, &length);
        break;
      case M_SM2_ENCRYPT:
        rv = sim_sm2_form_of(mechanism, &number);
        if (rv == CKR_OK) rv = sim_sm2_encrypt(wrapping->blobs[B_POINT].bytes, (sim_sm2_form)number, clear.bytes, clear.length, NULL, package, &length);
        break;
      case M_TR31: rv = tr31_wrap(mechanism, wrapping, &clear, package, &length); break;
      case M_SHAMIR: rv = shamir_wrap(mechanism, wrapping, &clear, package, &length); break;
      default: rv = CKR_MECHANISM_INVALID;
    }
  OPENSSL_cleanse(&clear, sizeof clear);
  return rv == CKR_OK ? give(package, length, out, out_len) : rv;
}

static CK_RV shamir_unwrap(const sim_blob *kek, const CK_BYTE *wrapped, size_t length, material *out) {
  uint8_t shares[SHARES_MOST * (64 + 1)], share[128];
  size_t at = 0, share_len = 0;
  unsigned count = 0;
  CK_RV rv = CKR_OK;
  for (; at + 2 <= length && count < SHARES_MOST && rv == CKR_OK; count++) {
    const size_t piece = (size_t)wrapped[at] << 8 | wrapped[at + 1];
    size_t opened = sizeof share;
    if (piece > length - at - 2) return CKR_WRAPPED_KEY_LEN_RANGE;
    rv = sim_aes_wrap(kek->bytes, kek->length, false, true, wrapped + at + 2, piece, share, &opened);
    if (rv == CKR_OK && (opened < 2 || opened > 65 || (count > 0 && opened != share_len))) rv = CKR_WRAPPED_KEY_INVALID;
    if (rv == CKR_OK) {
      share_len = opened;
      memcpy(shares + count * share_len, share, opened);
    }
    at += 2 + piece;
  }
  if (rv == CKR_OK && (at != length || count < 2)) rv = CKR_WRAPPED_KEY_LEN_RANGE;
  if (rv == CKR_OK) rv = sim_shamir_combine(shares, share_len - 1, count, out->bytes) == CKR_OK ? CKR_OK : CKR_WRAPPED_KEY_INVALID;
  out->length = share_len > 0 ? share_len - 1 : 0;
  OPENSSL_cleanse(shares, sizeof shares);
  OPENSSL_cleanse(share, sizeof share);
  return rv == CKR_OK || rv == CKR_WRAPPED_KEY_LEN_RANGE ? rv : CKR_WRAPPED_KEY_INVALID;
}

/* Opens the package into what the new object holds. */
static CK_RV open_package(const sim_mechanism *m, const CK_MECHANISM *mechanism, const sim_object *key, const CK_BYTE *wrapped, size_t length, material *out) {
  const sim_blob *kek = &key->blobs[B_VALUE];
  uint8_t iv[16], point[65];
  char header[16];
  CK_ULONG number = SIM_SHA1;
  CK_RV rv = CKR_OK;
  out->length = sizeof out->bytes;
  if (length > sizeof out->bytes && m->family != M_TR31) return CKR_WRAPPED_KEY_LEN_RANGE;
  switch (m->family) {
    case M_ECB:
    case M_CBC:
      if (!take_iv(m, mechanism, iv)) return CKR_MECHANISM_PARAM_INVALID;
      if (length % sim_block_bytes(m->cipher) != 0) return CKR_WRAPPED_KEY_LEN_RANGE;
      out->length = length;
      return m->family == M_ECB ? sim_ecb(m->cipher, kek->bytes, kek->length, false, wrapped, length, out->bytes) : sim_cbc(m->cipher, kek->bytes, kek->length, false, iv, wrapped, length, out->bytes);
    case M_CBC_PAD:
      if (!take_iv(m, mechanism, iv)) return CKR_MECHANISM_PARAM_INVALID;
      rv = sim_cbc_pad(m->cipher, kek->bytes, kek->length, false, iv, wrapped, length, out->bytes, &out->length);
      break;
    case M_AES_WRAP:
    case M_AES_WRAP_PAD: return sim_aes_wrap(kek->bytes, kek->length, false, m->family == M_AES_WRAP_PAD, wrapped, length, out->bytes, &out->length);
    case M_RSA_PKCS:
    case M_RSA_OAEP:
      if (m->family == M_RSA_OAEP && (rv = sim_oaep_digest(mechanism, &number)) != CKR_OK) return rv;
      rv = sim_rsa_decrypt(kek->bytes, kek->length, m->family == M_RSA_OAEP, (sim_digest)number, wrapped, length, out->bytes, &out->length);
      break;
    case M_SM2_ENCRYPT:
      if ((rv = sim_sm2_form_of(mechanism, &number)) != CKR_OK) return rv;
      rv = sim_sm2_decrypt(kek->bytes, (sim_sm2_form)number, wrapped, length, out->bytes, &out->length);
      break;
    case M_TR31: return sim_tr31_unwrap(kek->bytes, kek->length, (const char *)wrapped, length, header, out->bytes, &out->length);
    case M_SHAMIR: return shamir_unwrap(kek, wrapped, length, out);
    case M_SM2_ENVELOPED_KEY:
      out->length = 32;
      return sim_sm2_enveloped_key_open(kek->bytes, wrapped, length, out->bytes, point);
    case M_GM0018_ENVELOPE:
      out->length = 32;
      return sim_gm0018_envelope_open(kek->bytes, wrapped, length, out->bytes, point);
    default: return CKR_MECHANISM_INVALID;
  }
  return rv == CKR_OK ? CKR_OK : CKR_WRAPPED_KEY_INVALID;
}

static CK_RV fill_private(const sim_mechanism *m, sim_object *object, const material *in) {
  uint8_t d[32], point[65], der[KEY_MOST], part[512];
  size_t der_len = sizeof der;
  sim_curve curve = curve_of(object);
  bool good = true;
  CK_RV rv;
  if (object->key_type == CKK_RSA) {
    rv = sim_rsa_pkcs8_open(in->bytes, in->length, der, &der_len);
    if (rv != CKR_OK) return rv;
    good = sim_blob_set(&object->blobs[B_VALUE], der, der_len);
    for (unsigned i = 0; i < 2 && good; i++) {
      size_t part_len = sizeof part;
      if (sim_rsa_component(der, der_len, i, part, &part_len) != CKR_OK) return CKR_WRAPPED_KEY_INVALID;
      good = sim_blob_set(&object->blobs[i == 0 ? B_MODULUS : B_EXPONENT], part, part_len);
    }
    OPENSSL_cleanse(der, sizeof der);
    return good ? CKR_OK : CKR_HOST_MEMORY;
  }
  if (m->family == M_CBC_PAD || m->family == M_AES_WRAP_PAD) {
    rv = sim_ec_pkcs8_open(in->bytes, in->length, &curve, d);
    if (rv == CKR_OK && curve != curve_of(object)) rv = CKR_WRAPPED_KEY_INVALID;
  } else {
    rv = in->length == sizeof d ? CKR_OK : CKR_WRAPPED_KEY_LEN_RANGE;
    if (rv == CKR_OK) memcpy(d, in->bytes, sizeof d);
  }
  if (rv == CKR_OK && sim_ec_public(curve, d, point) != CKR_OK) rv = CKR_WRAPPED_KEY_INVALID;
  if (rv == CKR_OK && !(sim_blob_set(&object->blobs[B_VALUE], d, sizeof d) && sim_blob_set(&object->blobs[B_POINT], point, sizeof point))) rv = CKR_HOST_MEMORY;
  OPENSSL_cleanse(d, sizeof d);
  return rv;
}

CK_RV sim_key_unwrap(sim_session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle, const CK_BYTE *wrapped, CK_ULONG length, const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *out) {
  const sim_mechanism *m = sim_mechanism_find(mechanism->mechanism);
  if (m == NULL || !(m->flags & CKF_UNWRAP)) return CKR_MECHANISM_INVALID;
  const sim_object *key = sim_object_find(handle);
  if (key == NULL || (key->class != CKO_SECRET_KEY && key->class != CKO_PRIVATE_KEY)) return CKR_UNWRAPPING_KEY_HANDLE_INVALID;
  if (!sim_mechanism_takes(m, key)) return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
  if (!(key->flags & F_UNWRAP)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  if (!sim_mechanism_allowed(key, mechanism->mechanism)) return CKR_MECHANISM_INVALID;
  CK_ULONG class = CKO_SECRET_KEY;
  sim_template_ulong(template, count, CKA_CLASS, &class);
  if (class != CKO_SECRET_KEY && class != CKO_PRIVATE_KEY) return CKR_TEMPLATE_INCONSISTENT;
  const CK_KEY_TYPE type = sim_key_type_in(template, count, CK_UNAVAILABLE_INFORMATION);
  if (type == CK_UNAVAILABLE_INFORMATION) return CKR_TEMPLATE_INCOMPLETE;
  const bool envelope = m->family == M_SM2_ENVELOPED_KEY || m->family == M_GM0018_ENVELOPE;
  if (envelope && (class != CKO_PRIVATE_KEY || type != CKK_HUFU_SM2)) return CKR_TEMPLATE_INCONSISTENT;

  sim_object *object;
  material clear = {.length = 0};
  CK_RV rv = sim_key_new(&object, class, type, template, count, ORIGIN_UNWRAP);
  if (rv != CKR_OK) return rv;
  object->made_by = CK_UNAVAILABLE_INFORMATION;
  rv = sim_packed_template_impose(&key->blobs[B_UNWRAP_TEMPLATE], object, template, count, ORIGIN_UNWRAP);
  if (rv == CKR_OK) rv = sim_rules_unwrapped(object);
  if (rv == CKR_OK) rv = open_package(m, mechanism, key, wrapped, length, &clear);
  if (rv == CKR_OK && class == CKO_SECRET_KEY) {
    const size_t asked = sim_secret_bytes(type, template, count);
    rv = asked != 0 && asked != clear.length ? CKR_WRAPPED_KEY_LEN_RANGE : sim_secret_set_value(object, clear.bytes, clear.length);
    if (rv == CKR_KEY_SIZE_RANGE) rv = CKR_WRAPPED_KEY_LEN_RANGE;
  } else if (rv == CKR_OK) rv = fill_private(m, object, &clear);
  OPENSSL_cleanse(&clear, sizeof clear);
  if (rv != CKR_OK) return sim_object_free(object), rv;
  return sim_key_store(session, object, out);
}
