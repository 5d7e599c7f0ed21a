/* C_DeriveKey: diversification, concatenation, halves, hashes. */
#include <openssl/crypto.h>
#include <string.h>

#include "key.h"
#include "operation.h"

enum { CHILD_LEAST = 8 };

/* Lock held throughout: what derives is short, and a copy of the base key would cost more than it. */
typedef struct {
  uint8_t bytes[SECRET_MOST];
  size_t length;
} material;

/* The data of a mechanism whose parameter is CK_KEY_DERIVATION_STRING_DATA. */
static bool string_data(const CK_MECHANISM *mechanism, const uint8_t **data, size_t *length) {
  const CK_KEY_DERIVATION_STRING_DATA *p = mechanism->pParameter;
  if (p == NULL || mechanism->ulParameterLen != sizeof *p || p->ulLen == 0 || p->ulLen > SECRET_MOST || p->pData == NULL) return false;
  *data = p->pData;
  *length = p->ulLen;
  return true;
}

static CK_RV encrypt_data(const sim_mechanism *m, const CK_MECHANISM *mechanism, const sim_object *base, material *out) {
  const sim_blob *key = &base->blobs[B_VALUE];
  const uint8_t *data = NULL;
  size_t length = 0;
  uint8_t iv[16] = {0};
  if (m->family == M_ENCRYPT_DATA_FLAT) {
    data = mechanism->pParameter;
    length = mechanism->ulParameterLen;
  } else if (m->family == M_CBC_ENCRYPT_DATA) {
    const bool des = m->cipher == SIM_DES3;
    const CK_DES_CBC_ENCRYPT_DATA_PARAMS *d = mechanism->pParameter;
    const CK_AES_CBC_ENCRYPT_DATA_PARAMS *a = mechanism->pParameter;
    if (mechanism->pParameter == NULL || mechanism->ulParameterLen != (des ? sizeof *d : sizeof *a)) return CKR_MECHANISM_PARAM_INVALID;
    memcpy(iv, des ? d->iv : a->iv, sim_block_bytes(m->cipher));
    data = des ? d->pData : a->pData;
    length = des ? d->length : a->length;
  } else if (!string_data(mechanism, &data, &length)) return CKR_MECHANISM_PARAM_INVALID;
  if (data == NULL || length == 0 || length > SECRET_MOST || length % sim_block_bytes(m->cipher) != 0) return CKR_MECHANISM_PARAM_INVALID;
  CK_RV rv = m->family == M_CBC_ENCRYPT_DATA ? sim_cbc(m->cipher, key->bytes, key->length, true, iv, data, length, out->bytes) : sim_ecb(m->cipher, key->bytes, key->length, true, data, length, out->bytes);
  out->length = length;
  return rv;
}

static CK_RV concatenate(const sim_mechanism *m, const CK_MECHANISM *mechanism, const sim_object *base, sim_object *child, material *out) {
  const sim_blob *value = &base->blobs[B_VALUE];
  const uint8_t *data = NULL;
  size_t length = 0;
  if (m->family == M_CONCAT_BASE_KEY) {
    CK_OBJECT_HANDLE handle;
    if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof handle) return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&handle, mechanism->pParameter, sizeof handle);
    const sim_object *other = sim_object_find(handle);
    if (other == NULL || other->class != CKO_SECRET_KEY) return CKR_KEY_HANDLE_INVALID;
    if (!(other->flags & F_DERIVE)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if ((other->flags & F_SENSITIVE) && !(child->flags & F_SENSITIVE)) return CKR_TEMPLATE_INCONSISTENT;
    if (!(other->flags & F_EXTRACTABLE) && (child->flags & F_EXTRACTABLE)) return CKR_TEMPLATE_INCONSISTENT;
    data = other->blobs[B_VALUE].bytes;
    length = other->blobs[B_VALUE].length;
  } else if (!string_data(mechanism, &data, &length)) return CKR_MECHANISM_PARAM_INVALID;
  if (!(base->flags & F_EXTRACTABLE) && (child->flags & F_EXTRACTABLE)) return CKR_TEMPLATE_INCONSISTENT;
  if (value->length + length > SECRET_MOST) return CKR_KEY_SIZE_RANGE;
  const bool data_first = m->family == M_CONCAT_DATA_BASE;
  memcpy(out->bytes + (data_first ? length : 0), value->bytes, value->length);
  memcpy(out->bytes + (data_first ? 0 : value->length), data, length);
  out->length = value->length + length;
  child->flags |= F_CONCATENATED;
  return child->key_type == CKK_GENERIC_SECRET ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV xor_data(const CK_MECHANISM *mechanism, const sim_object *base, material *out) {
  const sim_blob *value = &base->blobs[B_VALUE];
  const uint8_t *data;
  size_t length;
  if (base->flags & F_CONCATENATED) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  if (!string_data(mechanism, &data, &length)) return CKR_MECHANISM_PARAM_INVALID;
  out->length = value->length < length ? value->length : length;
  for (size_t i = 0; i < out->length; i++) out->bytes[i] = value->bytes[i] ^ data[i];
  return CKR_OK;
}

/* Short pieces are a search of a few bytes each, and pieces of a concatenation are the parts that it hid. */
static CK_RV extract(const CK_MECHANISM *mechanism, const sim_object *base, size_t wanted, material *out) {
  const sim_blob *value = &base->blobs[B_VALUE];
  CK_ULONG bit;
  if (base->flags & F_CONCATENATED) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof bit) return CKR_MECHANISM_PARAM_INVALID;
  memcpy(&bit, mechanism->pParameter, sizeof bit);
  if (wanted < 8) return CKR_KEY_SIZE_RANGE;
  if (bit % 8 != 0 || bit / 8 + wanted > value->length) return CKR_MECHANISM_PARAM_INVALID;
  memcpy(out->bytes, value->bytes + bit / 8, wanted);
  out->length = wanted;
  return CKR_OK;
}

static CK_RV xor_halves(const sim_object *base, const sim_object *child, material *out) {
  const sim_blob *value = &base->blobs[B_VALUE];
  if ((base->flags & F_CONCATENATED) || value->length != 16) return CKR_KEY_TYPE_INCONSISTENT;
  for (size_t i = 0; i < 8; i++) out->bytes[i] = out->bytes[8 + i] = value->bytes[i] ^ value->bytes[8 + i];
  out->length = child->key_type == CKK_DES2 ? 16 : 8;
  return child->key_type == CKK_DES || child->key_type == CKK_DES2 ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV compute(const sim_mechanism *m, const CK_MECHANISM *mechanism, const sim_object *base, sim_object *child, size_t wanted, material *out) {
  switch (m->family) {
    case M_ENCRYPT_DATA:
    case M_ENCRYPT_DATA_FLAT:
    case M_CBC_ENCRYPT_DATA: return encrypt_data(m, mechanism, base, out);
    case M_CONCAT_BASE_KEY:
    case M_CONCAT_BASE_DATA:
    case M_CONCAT_DATA_BASE: return concatenate(m, mechanism, base, child, out);
    case M_XOR_DATA: return xor_data(mechanism, base, out);
    case M_EXTRACT: return extract(mechanism, base, wanted, out);
    case M_XOR_HALVES: return xor_halves(base, child, out);
    case M_HASH_DERIVE:
      out->length = sim_digest_bytes((sim_digest)m->digest);
      return sim_hash((sim_digest)m->digest, base->blobs[B_VALUE].bytes, base->blobs[B_VALUE].length, out->bytes);
    default: return CKR_MECHANISM_INVALID;
  }
}

/* What an *_ENCRYPT_DATA mechanism encrypts, once more, for the rule of the reserved factor. The parameter has been checked. */
static CK_RV reserved(const sim_mechanism *m, const CK_MECHANISM *mechanism, const sim_object *child) {
  const size_t block = sim_block_bytes(m->cipher);
  const uint8_t *data = mechanism->pParameter, *iv = NULL;
  size_t length = mechanism->ulParameterLen;
  uint8_t first[16];
  if (m->family == M_ENCRYPT_DATA) string_data(mechanism, &data, &length);
  else if (m->family == M_CBC_ENCRYPT_DATA && m->cipher == SIM_DES3) {
    const CK_DES_CBC_ENCRYPT_DATA_PARAMS *p = mechanism->pParameter;
    iv = p->iv, data = p->pData;
  } else if (m->family == M_CBC_ENCRYPT_DATA) {
    const CK_AES_CBC_ENCRYPT_DATA_PARAMS *p = mechanism->pParameter;
    iv = p->iv, data = p->pData;
  } else if (m->family != M_ENCRYPT_DATA_FLAT) return CKR_OK;
  if (iv == NULL) return sim_rules_reserved_factor(block, data, length, child);
  /* Of a chain only the first block is the caller's choice. */
  for (size_t i = 0; i < block; i++) first[i] = data[i] ^ iv[i];
  return sim_rules_reserved_factor(block, first, block, child);
}

CK_RV sim_key_derive(sim_session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *template, CK_ULONG count, bool flip, CK_OBJECT_HANDLE *out) {
  const sim_mechanism *m = sim_mechanism_find(mechanism->mechanism);
  if (m == NULL || !(m->flags & CKF_DERIVE)) return CKR_MECHANISM_INVALID;
  const sim_object *base = sim_object_find(handle);
  if (base == NULL || base->class != CKO_SECRET_KEY) return CKR_KEY_HANDLE_INVALID;
  if (!(base->flags & F_DERIVE)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  if (!sim_mechanism_takes(m, base)) return CKR_KEY_TYPE_INCONSISTENT;
  if (!sim_mechanism_allowed(base, mechanism->mechanism)) return CKR_MECHANISM_INVALID;
  CK_ULONG class = CKO_SECRET_KEY;
  if (sim_template_ulong(template, count, CKA_CLASS, &class) && class != CKO_SECRET_KEY) return CKR_TEMPLATE_INCONSISTENT;
  const CK_KEY_TYPE type = sim_key_type_in(template, count, CKK_GENERIC_SECRET);
  sim_object *child;
  material made = {.length = 0};
  CK_RV rv = sim_key_new(&child, CKO_SECRET_KEY, type, template, count, ORIGIN_DERIVE);
  if (rv != CKR_OK) return rv;
  child->made_by = mechanism->mechanism;
  const size_t asked = sim_secret_bytes(type, template, count);
  rv = sim_packed_template_impose(&base->blobs[B_DERIVE_TEMPLATE], child, template, count, ORIGIN_DERIVE);
  if (rv == CKR_OK) rv = compute(m, mechanism, base, child, asked, &made);
  if (rv == CKR_OK && asked > made.length) rv = CKR_KEY_SIZE_RANGE;
  /* A short child is found by trial, then its longer sister; so is a concatenation that is cut within the key it holds. */
  if (rv == CKR_OK && ((asked == 0 ? made.length : asked) < CHILD_LEAST || ((child->flags & F_CONCATENATED) && asked != 0 && asked != made.length))) rv = CKR_KEY_SIZE_RANGE;
  if (rv == CKR_OK) {
    if (flip) made.bytes[0] ^= 0x10;
    rv = sim_secret_set_value(child, made.bytes, asked == 0 ? made.length : asked);
  }
  OPENSSL_cleanse(&made, sizeof made);
  if (rv == CKR_OK) rv = sim_rules_child(base, child);
  if (rv == CKR_OK) rv = reserved(m, mechanism, child);
  if (rv != CKR_OK) return sim_object_free(child), rv;
  return sim_key_store(session, child, out);
}
