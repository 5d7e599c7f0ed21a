/* Creation, copying and generation of objects. */
#include "key.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "operation.h"

static const uint8_t P256_OID[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
static const uint8_t SM2_OID[] = {0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D};

CK_KEY_TYPE sim_key_type_in(const CK_ATTRIBUTE *template, CK_ULONG count, CK_KEY_TYPE otherwise) {
  CK_ULONG spoken;
  return sim_template_ulong(template, count, CKA_KEY_TYPE, &spoken) ? sim_key_type_to_own(spoken) : otherwise;
}

static uint32_t default_flags(CK_OBJECT_CLASS class) {
  const uint32_t always = F_MODIFIABLE | F_COPYABLE | F_DESTROYABLE;
  return class == CKO_SECRET_KEY || class == CKO_PRIVATE_KEY ? always | F_PRIVATE | F_SENSITIVE : always;
}

CK_RV sim_key_new(sim_object **out, CK_OBJECT_CLASS class, CK_KEY_TYPE type, const CK_ATTRIBUTE *template, CK_ULONG count, sim_origin origin) {
  sim_object *object = sim_object_new();
  if (object == NULL) return CKR_HOST_MEMORY;
  object->class = class;
  object->key_type = type;
  object->made_by = CK_UNAVAILABLE_INFORMATION;
  object->flags = default_flags(class);
  CK_RV rv = sim_template_apply(object, template, count, origin);
  if (rv != CKR_OK) sim_object_free(object);
  else *out = object;
  return rv;
}

CK_RV sim_key_store(sim_session *session, sim_object *object, CK_OBJECT_HANDLE *handle) {
  CK_RV rv = CKR_OK;
  if ((object->flags & F_TOKEN) && !(session->flags & CKF_RW_SESSION)) rv = CKR_SESSION_READ_ONLY;
  else if ((object->flags & F_PRIVATE) && sim_the_token.user != CKU_USER) rv = CKR_USER_NOT_LOGGED_IN;
  else if (session->closed) rv = CKR_SESSION_HANDLE_INVALID;
  if (rv == CKR_OK) {
    object->session = session->handle;
    rv = sim_object_add(object);
  }
  if (rv != CKR_OK) {
    sim_object_free(object);
    return rv;
  }
  *handle = object->handle;
  if (!(object->flags & F_TOKEN)) return CKR_OK;
  rv = sim_token_save();
  if (rv != CKR_OK) sim_object_remove(object);
  return rv;
}

static CK_RV finish_created(sim_object *object, const CK_ATTRIBUTE *template, CK_ULONG count) {
  const CK_ATTRIBUTE *value = sim_template_find(template, count, CKA_VALUE);
  const sim_blob *blobs = object->blobs;
  sim_curve curve = object->key_type == CKK_HUFU_SM2 ? SIM_SM2_CURVE : SIM_P256;
  uint8_t point[65];
  switch (object->class) {
    case CKO_SECRET_KEY:
      if (value == NULL) return CKR_TEMPLATE_INCOMPLETE;
      return sim_secret_set_value(object, value->pValue, value->ulValueLen);
    case CKO_PUBLIC_KEY:
      if (object->key_type == CKK_RSA) return blobs[B_MODULUS].length >= 128 && blobs[B_EXPONENT].length > 0 ? CKR_OK : CKR_TEMPLATE_INCOMPLETE;
      if (blobs[B_POINT].length != 65) return CKR_TEMPLATE_INCOMPLETE;
      return sim_ec_point_valid(curve, blobs[B_POINT].bytes) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
    case CKO_PRIVATE_KEY:
      if (object->key_type == CKK_RSA) return CKR_TEMPLATE_INCONSISTENT; /* RSA private keys are made here or unwrapped */
      if (blobs[B_VALUE].length != 32 || sim_ec_public(curve, blobs[B_VALUE].bytes, point) != CKR_OK) return CKR_ATTRIBUTE_VALUE_INVALID;
      return sim_blob_set(&object->blobs[B_POINT], point, sizeof point) ? CKR_OK : CKR_HOST_MEMORY;
    default: return CKR_OK;
  }
}

CK_RV sim_key_create(sim_session *session, const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *handle) {
  CK_ULONG class;
  sim_object *object;
  if (!sim_template_ulong(template, count, CKA_CLASS, &class)) return CKR_TEMPLATE_INCOMPLETE;
  if (class != CKO_SECRET_KEY && class != CKO_PUBLIC_KEY && class != CKO_PRIVATE_KEY && class != CKO_DATA) return CKR_ATTRIBUTE_VALUE_INVALID;
  const CK_KEY_TYPE type = sim_key_type_in(template, count, CK_UNAVAILABLE_INFORMATION);
  if (class != CKO_DATA && type == CK_UNAVAILABLE_INFORMATION) return CKR_TEMPLATE_INCOMPLETE;
  CK_RV rv = sim_key_new(&object, class, type, template, count, ORIGIN_CREATE);
  if (rv != CKR_OK) return rv;
  rv = finish_created(object, template, count);
  if (rv == CKR_OK) rv = sim_rules_usages(object);
  if (rv != CKR_OK) return sim_object_free(object), rv;
  return sim_key_store(session, object, handle);
}

CK_RV sim_key_copy(sim_session *session, CK_OBJECT_HANDLE from, const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *handle) {
  const sim_object *original = sim_object_find(from);
  if (original == NULL) return CKR_OBJECT_HANDLE_INVALID;
  if (!(original->flags & F_COPYABLE)) return CKR_ACTION_PROHIBITED;
  sim_object *copy = sim_object_clone(original);
  if (copy == NULL) return CKR_HOST_MEMORY;
  CK_RV rv = sim_template_apply(copy, template, count, ORIGIN_COPY);
  if (rv == CKR_OK) rv = sim_rules_usages(copy);
  if (rv == CKR_ATTRIBUTE_READ_ONLY) rv = CKR_TEMPLATE_INCONSISTENT;
  if (rv != CKR_OK) return sim_object_free(copy), rv;
  return sim_key_store(session, copy, handle);
}

CK_RV sim_key_generate(sim_session *session, const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *handle) {
  const sim_mechanism *m = sim_mechanism_find(mechanism->mechanism);
  sim_object *object;
  uint8_t value[64];
  if (m == NULL || m->family != M_KEY_GEN) return CKR_MECHANISM_INVALID;
  CK_ULONG class = CKO_SECRET_KEY;
  if (sim_template_ulong(template, count, CKA_CLASS, &class) && class != CKO_SECRET_KEY) return CKR_TEMPLATE_INCONSISTENT;
  if (sim_template_find(template, count, CKA_VALUE) != NULL) return CKR_TEMPLATE_INCONSISTENT;
  const size_t length = sim_secret_bytes(m->key_type, template, count);
  if (length == 0) return CKR_TEMPLATE_INCOMPLETE;
  if (length < m->least || length > m->most || length > sizeof value) return CKR_KEY_SIZE_RANGE;
  CK_RV rv = sim_key_new(&object, CKO_SECRET_KEY, m->key_type, template, count, ORIGIN_GENERATE);
  if (rv != CKR_OK) return rv;
  sim_random(value, length);
  rv = sim_secret_set_value(object, value, length);
  OPENSSL_cleanse(value, sizeof value);
  object->made_by = mechanism->mechanism;
  object->flags |= F_LOCAL | (object->flags & F_SENSITIVE ? F_ALWAYS_SENSITIVE : 0) | (object->flags & F_EXTRACTABLE ? 0 : F_NEVER_EXTRACTABLE);
  if (rv == CKR_OK) rv = sim_rules_usages(object);
  if (rv != CKR_OK) return sim_object_free(object), rv;
  return sim_key_store(session, object, handle);
}

/* The numbers of a new pair, on both halves. */
static CK_RV fill_pair(const sim_mechanism *m, sim_object *public_key, sim_object *private_key, const CK_ATTRIBUTE *template, CK_ULONG count) {
  bool good = true;
  if (m->family == M_PAIR_RSA) {
    static const uint8_t f4[] = {1, 0, 1};
    uint8_t der[3072], part[512];
    size_t der_len = sizeof der, part_len = sizeof part;
    CK_ULONG bits;
    const CK_ATTRIBUTE *e = sim_template_find(template, count, CKA_PUBLIC_EXPONENT);
    if (!sim_template_ulong(template, count, CKA_MODULUS_BITS, &bits)) return CKR_TEMPLATE_INCOMPLETE;
    if (bits < m->least || bits > m->most) return CKR_KEY_SIZE_RANGE;
    CK_RV rv = sim_rsa_generate((unsigned)bits, e == NULL ? f4 : e->pValue, e == NULL ? sizeof f4 : e->ulValueLen, der, &der_len);
    if (rv != CKR_OK) return rv;
    good = sim_blob_set(&private_key->blobs[B_VALUE], der, der_len);
    for (unsigned i = 0; i < 2 && good; i++) {
      part_len = sizeof part;
      good = sim_rsa_component(der, der_len, i, part, &part_len) == CKR_OK && sim_blob_set(&public_key->blobs[i == 0 ? B_MODULUS : B_EXPONENT], part, part_len) &&
             sim_blob_set(&private_key->blobs[i == 0 ? B_MODULUS : B_EXPONENT], part, part_len);
    }
    OPENSSL_cleanse(der, sizeof der);
    return good ? CKR_OK : CKR_HOST_MEMORY;
  }
  const bool sm2 = m->family == M_PAIR_SM2;
  const uint8_t *oid = sm2 ? SM2_OID : P256_OID;
  uint8_t d[32], point[65];
  const sim_blob *asked = &public_key->blobs[B_EC_PARAMS];
  if (asked->length == 0 && !sm2) return CKR_TEMPLATE_INCOMPLETE;
  if (asked->length > 0 && (asked->length != sizeof P256_OID || memcmp(asked->bytes, oid, sizeof P256_OID) != 0)) return CKR_CURVE_NOT_SUPPORTED;
  CK_RV rv = sim_ec_generate(sm2 ? SIM_SM2_CURVE : SIM_P256, d, point);
  for (int half = 0; half < 2 && rv == CKR_OK; half++) {
    sim_object *object = half ? private_key : public_key;
    good = good && sim_blob_set(&object->blobs[B_EC_PARAMS], oid, sizeof P256_OID) && sim_blob_set(&object->blobs[B_POINT], point, sizeof point);
  }
  good = good && sim_blob_set(&private_key->blobs[B_VALUE], d, sizeof d);
  OPENSSL_cleanse(d, sizeof d);
  return rv != CKR_OK ? rv : good ? CKR_OK : CKR_HOST_MEMORY;
}

/* A pair whose template says nothing of its use signs and verifies. */
static void default_usage(sim_object *object, uint32_t usage) {
  if (!(object->flags & F_USAGES)) object->flags |= usage;
}

CK_RV sim_key_generate_pair(sim_session *session, const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *public_template, CK_ULONG public_count, const CK_ATTRIBUTE *private_template, CK_ULONG private_count, CK_OBJECT_HANDLE *public_handle, CK_OBJECT_HANDLE *private_handle) {
  const sim_mechanism *m = sim_mechanism_find(mechanism->mechanism);
  sim_object *public_key = NULL, *private_key = NULL;
  if (m == NULL || !(m->flags & CKF_GENERATE_KEY_PAIR)) return CKR_MECHANISM_INVALID;
  CK_RV rv = sim_key_new(&public_key, CKO_PUBLIC_KEY, m->key_type, public_template, public_count, ORIGIN_GENERATE);
  if (rv == CKR_OK) rv = sim_key_new(&private_key, CKO_PRIVATE_KEY, m->key_type, private_template, private_count, ORIGIN_GENERATE);
  if (rv == CKR_OK) {
    default_usage(public_key, F_VERIFY);
    default_usage(private_key, F_SIGN);
    private_key->flags |= F_LOCAL | (private_key->flags & F_SENSITIVE ? F_ALWAYS_SENSITIVE : 0) | (private_key->flags & F_EXTRACTABLE ? 0 : F_NEVER_EXTRACTABLE);
    public_key->flags |= F_LOCAL;
    public_key->made_by = private_key->made_by = mechanism->mechanism;
    rv = sim_rules_pair(public_key, private_key);
  }
  if (rv == CKR_OK) rv = fill_pair(m, public_key, private_key, public_template, public_count);
  if (rv != CKR_OK) {
    sim_object_free(public_key);
    sim_object_free(private_key);
    return rv;
  }
  pthread_mutex_lock(&sim_lock);
  rv = sim_key_store(session, public_key, public_handle);
  if (rv != CKR_OK) sim_object_free(private_key);
  else {
    rv = sim_key_store(session, private_key, private_handle);
    sim_object *half = rv == CKR_OK ? NULL : sim_object_find(*public_handle);
    if (half != NULL) sim_object_remove(half); /* a pair is whole or absent */
  }
  pthread_mutex_unlock(&sim_lock);
  return rv;
}
