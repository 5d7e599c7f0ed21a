/* Attributes: tables of what an object has, what a template may say, and what a caller may read. */
#include <openssl/crypto.h>
#include <string.h>

#include "state.h"

enum { SET_NEVER, SET_ON, SET_OFF, SET_ANY };
enum { SECRET = 1, PRIVATE = 2, PUBLIC = 4, DATA = 8, KEYS = SECRET | PRIVATE | PUBLIC, ALL = KEYS | DATA };

/* `after`: which way C_SetAttributeValue and C_CopyObject may turn it; a key never gets weaker. */
static const struct {
  CK_ATTRIBUTE_TYPE type;
  uint32_t flag;
  uint8_t of, after;
  bool settable; /* in a template of a new object */
} FLAGS[] = {
    {CKA_TOKEN, F_TOKEN, ALL, SET_NEVER, true},
    {CKA_PRIVATE, F_PRIVATE, ALL, SET_NEVER, true},
    {CKA_MODIFIABLE, F_MODIFIABLE, ALL, SET_NEVER, true},
    {CKA_COPYABLE, F_COPYABLE, ALL, SET_OFF, true},
    {CKA_DESTROYABLE, F_DESTROYABLE, ALL, SET_NEVER, true},
    {CKA_SENSITIVE, F_SENSITIVE, SECRET | PRIVATE, SET_ON, true},
    {CKA_EXTRACTABLE, F_EXTRACTABLE, SECRET | PRIVATE, SET_OFF, true},
    {CKA_ALWAYS_SENSITIVE, F_ALWAYS_SENSITIVE, SECRET | PRIVATE, SET_NEVER, false},
    {CKA_NEVER_EXTRACTABLE, F_NEVER_EXTRACTABLE, SECRET | PRIVATE, SET_NEVER, false},
    {CKA_LOCAL, F_LOCAL, KEYS, SET_NEVER, false},
    {CKA_TRUSTED, F_TRUSTED, SECRET | PUBLIC, SET_ANY, true},
    {CKA_WRAP_WITH_TRUSTED, F_WRAP_WITH_TRUSTED, SECRET | PRIVATE, SET_ON, true},
    {CKA_ENCRYPT, F_ENCRYPT, KEYS, SET_OFF, true},
    {CKA_DECRYPT, F_DECRYPT, KEYS, SET_OFF, true},
    {CKA_SIGN, F_SIGN, KEYS, SET_OFF, true},
    {CKA_VERIFY, F_VERIFY, KEYS, SET_OFF, true},
    {CKA_WRAP, F_WRAP, KEYS, SET_OFF, true},
    {CKA_UNWRAP, F_UNWRAP, KEYS, SET_OFF, true},
    {CKA_DERIVE, F_DERIVE, KEYS, SET_OFF, true},
    {CKA_SIGN_RECOVER, F_SIGN_RECOVER, PRIVATE, SET_OFF, true},
    {CKA_VERIFY_RECOVER, F_VERIFY_RECOVER, PUBLIC, SET_OFF, true},
    {CKA_ALWAYS_AUTHENTICATE, F_ALWAYS_AUTHENTICATE, PRIVATE, SET_NEVER, true},
};

static const struct {
  CK_ATTRIBUTE_TYPE type;
  enum sim_blobs blob;
  uint8_t of;
  bool changeable;
} BLOB[] = {
    {CKA_ID, B_ID, KEYS, true},
    {CKA_LABEL, B_LABEL, ALL, true},
    {CKA_SUBJECT, B_SUBJECT, PRIVATE | PUBLIC, true},
    {CKA_APPLICATION, B_APPLICATION, DATA, true},
    {CKA_START_DATE, B_START_DATE, KEYS, true},
    {CKA_END_DATE, B_END_DATE, KEYS, true},
    {CKA_MODULUS, B_MODULUS, PRIVATE | PUBLIC, false},
    {CKA_PUBLIC_EXPONENT, B_EXPONENT, PRIVATE | PUBLIC, false},
    {CKA_EC_PARAMS, B_EC_PARAMS, PRIVATE | PUBLIC, false},
    {CKA_ALLOWED_MECHANISMS, B_ALLOWED, KEYS, false},
};

static const struct {
  CK_ATTRIBUTE_TYPE type;
  enum sim_blobs blob;
} TEMPLATES[] = {{CKA_WRAP_TEMPLATE, B_WRAP_TEMPLATE}, {CKA_UNWRAP_TEMPLATE, B_UNWRAP_TEMPLATE}, {CKA_DERIVE_TEMPLATE, B_DERIVE_TEMPLATE}};

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static uint8_t kind_of(const sim_object *object) {
  switch (object->class) {
    case CKO_SECRET_KEY: return SECRET;
    case CKO_PRIVATE_KEY: return PRIVATE;
    case CKO_PUBLIC_KEY: return PUBLIC;
    default: return DATA;
  }
}

const CK_ATTRIBUTE *sim_template_find(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type) {
  for (CK_ULONG i = 0; i < count; i++)
    if (template[i].type == type) return &template[i];
  return NULL;
}

bool sim_template_ulong(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_ULONG *value) {
  const CK_ATTRIBUTE *found = sim_template_find(template, count, type);
  if (found == NULL || found->ulValueLen != sizeof(CK_ULONG) || found->pValue == NULL) return false;
  memcpy(value, found->pValue, sizeof(CK_ULONG));
  return true;
}

/* ---- packed templates: type 8 · length 4 · bytes ---- */

static CK_RV pack_template(sim_blob *blob, const CK_ATTRIBUTE *attribute) {
  uint8_t room[1024];
  size_t at = 0;
  const CK_ATTRIBUTE *inner = attribute->pValue;
  if (attribute->ulValueLen % sizeof(CK_ATTRIBUTE) != 0) return CKR_ATTRIBUTE_VALUE_INVALID;
  for (CK_ULONG i = 0; i < attribute->ulValueLen / sizeof(CK_ATTRIBUTE); i++) {
    const uint64_t type = inner[i].type;
    const uint32_t length = (uint32_t)inner[i].ulValueLen;
    if (inner[i].ulValueLen > 256 || at + 12 + length > sizeof room || (inner[i].type & CKF_ARRAY_ATTRIBUTE)) return CKR_ATTRIBUTE_VALUE_INVALID;
    memcpy(room + at, &type, 8);
    memcpy(room + at + 8, &length, 4);
    memcpy(room + at + 12, inner[i].pValue, length);
    at += 12 + length;
  }
  return sim_blob_set(blob, room, at) ? CKR_OK : CKR_HOST_MEMORY;
}

static bool next_packed(const sim_blob *blob, size_t *at, CK_ATTRIBUTE *out) {
  uint64_t type;
  uint32_t length;
  if (*at + 12 > blob->length) return false;
  memcpy(&type, blob->bytes + *at, 8);
  memcpy(&length, blob->bytes + *at + 8, 4);
  *out = (CK_ATTRIBUTE){(CK_ATTRIBUTE_TYPE)type, blob->bytes + *at + 12, length};
  *at += 12 + length;
  return true;
}

bool sim_packed_template_fits(const sim_blob *blob, const sim_object *object) {
  CK_ATTRIBUTE wanted;
  for (size_t at = 0; next_packed(blob, &at, &wanted);)
    if (!sim_attribute_equals(object, wanted.type, wanted.pValue, wanted.ulValueLen)) return false;
  return true;
}

CK_RV sim_packed_template_impose(const sim_blob *blob, sim_object *object, const CK_ATTRIBUTE *template, CK_ULONG count, sim_origin origin) {
  CK_ATTRIBUTE wanted;
  for (size_t at = 0; next_packed(blob, &at, &wanted);) {
    const CK_ATTRIBUTE *said = sim_template_find(template, count, wanted.type);
    if (said != NULL && (said->ulValueLen != wanted.ulValueLen || memcmp(said->pValue, wanted.pValue, wanted.ulValueLen) != 0)) return CKR_TEMPLATE_INCONSISTENT;
    if (said == NULL) {
      CK_RV rv = sim_template_apply(object, &wanted, 1, origin);
      if (rv != CKR_OK) return rv;
    }
  }
  return CKR_OK;
}

/* ---- templates ---- */

static CK_RV apply_flag(sim_object *object, size_t row, const CK_ATTRIBUTE *attribute, sim_origin origin) {
  const uint32_t flag = FLAGS[row].flag;
  if (attribute->ulValueLen != 1 || attribute->pValue == NULL) return CKR_ATTRIBUTE_VALUE_INVALID;
  const bool on = *(const CK_BBOOL *)attribute->pValue != 0, was = (object->flags & flag) != 0;
  if (!(FLAGS[row].of & kind_of(object))) return on ? CKR_ATTRIBUTE_TYPE_INVALID : CKR_OK;
  if (!FLAGS[row].settable) return CKR_ATTRIBUTE_READ_ONLY;
  /* Trust is the security officer's word alone (PKCS#11 v2.40, 4.8 note 10). */
  if (flag == F_TRUSTED && on && sim_the_token.user != CKU_SO) return CKR_ATTRIBUTE_READ_ONLY;
  if ((origin == ORIGIN_SET || origin == ORIGIN_COPY) && on != was) {
    const bool copied_place = origin == ORIGIN_COPY && (flag == F_TOKEN || flag == F_MODIFIABLE || flag == F_DESTROYABLE || (flag == F_PRIVATE && on));
    const uint8_t way = FLAGS[row].after;
    if (!copied_place && !(way == SET_ANY || (way == SET_ON && on) || (way == SET_OFF && !on))) return CKR_ATTRIBUTE_READ_ONLY;
  }
  object->flags = on ? object->flags | flag : object->flags & ~flag;
  return CKR_OK;
}

static CK_RV apply_value(sim_object *object, const CK_ATTRIBUTE *attribute, sim_origin origin) {
  if (origin != ORIGIN_CREATE) return CKR_ATTRIBUTE_READ_ONLY;
  if (object->class == CKO_SECRET_KEY) return CKR_OK; /* set after the type is known: key_create */
  return sim_blob_set(&object->blobs[B_VALUE], attribute->pValue, attribute->ulValueLen) ? CKR_OK : CKR_HOST_MEMORY;
}

/* CKA_EC_POINT: DER OCTET STRING, or bare 04 ‖ X ‖ Y as some vendors have it. */
static CK_RV apply_point(sim_object *object, const CK_ATTRIBUTE *attribute) {
  const uint8_t *bytes = attribute->pValue;
  size_t length = attribute->ulValueLen;
  if (length == 67 && bytes[0] == 0x04 && bytes[1] == 65) bytes += 2, length -= 2;
  if (length != 65 || bytes[0] != 4) return CKR_ATTRIBUTE_VALUE_INVALID;
  return sim_blob_set(&object->blobs[B_POINT], bytes, length) ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV apply_one(sim_object *object, const CK_ATTRIBUTE *attribute, sim_origin origin) {
  const bool fresh = origin != ORIGIN_SET && origin != ORIGIN_COPY;
  if (attribute->ulValueLen > 0 && attribute->pValue == NULL) return CKR_ATTRIBUTE_VALUE_INVALID;
  for (size_t i = 0; i < LENGTH(FLAGS); i++)
    if (FLAGS[i].type == attribute->type) return apply_flag(object, i, attribute, origin);
  for (size_t i = 0; i < LENGTH(BLOB); i++) {
    if (BLOB[i].type != attribute->type) continue;
    if (!(BLOB[i].of & kind_of(object))) return CKR_ATTRIBUTE_TYPE_INVALID;
    if (!fresh && !BLOB[i].changeable) return CKR_ATTRIBUTE_READ_ONLY;
    return sim_blob_set(&object->blobs[BLOB[i].blob], attribute->pValue, attribute->ulValueLen) ? CKR_OK : CKR_HOST_MEMORY;
  }
  for (size_t i = 0; i < LENGTH(TEMPLATES); i++)
    if (TEMPLATES[i].type == attribute->type) return fresh ? pack_template(&object->blobs[TEMPLATES[i].blob], attribute) : CKR_ATTRIBUTE_READ_ONLY;
  switch (attribute->type) {
    case CKA_CLASS:
    case CKA_KEY_TYPE: /* read before (key_new); a second word must agree */
      return sim_attribute_equals(object, attribute->type, attribute->pValue, attribute->ulValueLen) ? CKR_OK : fresh ? CKR_TEMPLATE_INCONSISTENT : CKR_ATTRIBUTE_READ_ONLY;
    case CKA_VALUE: return apply_value(object, attribute, origin);
    case CKA_EC_POINT: return fresh ? apply_point(object, attribute) : CKR_ATTRIBUTE_READ_ONLY;
    case CKA_VALUE_LEN:
    case CKA_MODULUS_BITS:
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT: return fresh ? CKR_OK : CKR_ATTRIBUTE_READ_ONLY; /* read by who makes the key */
    case CKA_CHECK_VALUE:
    case CKA_KEY_GEN_MECHANISM: return CKR_ATTRIBUTE_READ_ONLY;
    default: return CKR_ATTRIBUTE_TYPE_INVALID;
  }
}

CK_RV sim_template_apply(sim_object *object, const CK_ATTRIBUTE *template, CK_ULONG count, sim_origin origin) {
  for (CK_ULONG i = 0; i < count; i++) {
    CK_RV rv = apply_one(object, &template[i], origin);
    if (rv != CKR_OK) return rv;
  }
  return CKR_OK;
}

/* ---- reading ---- */

static CK_RV give(CK_ATTRIBUTE *out, const void *bytes, size_t length) {
  if (out->pValue != NULL && out->ulValueLen < length) {
    out->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_BUFFER_TOO_SMALL;
  }
  if (out->pValue != NULL && length > 0) memcpy(out->pValue, bytes, length);
  out->ulValueLen = length;
  return CKR_OK;
}

static CK_RV withhold(CK_ATTRIBUTE *out, CK_RV rv) {
  out->ulValueLen = CK_UNAVAILABLE_INFORMATION;
  return rv;
}

static CK_RV give_number(CK_ATTRIBUTE *out, CK_ULONG number) { return give(out, &number, sizeof number); }

static CK_RV give_point(const sim_object *object, CK_ATTRIBUTE *out) {
  uint8_t encoded[67] = {0x04, 65};
  const sim_blob *point = &object->blobs[B_POINT];
  if (point->length != 65) return withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
  memcpy(encoded + 2, point->bytes, 65);
  const bool bare = object->key_type == CKK_HUFU_SM2 && sim_personality_quirks()->sm2_bare_point;
  return bare ? give(out, point->bytes, 65) : give(out, encoded, sizeof encoded);
}

static CK_RV give_rsa_part(const sim_object *object, CK_ATTRIBUTE *out, unsigned index) {
  uint8_t part[1024];
  size_t length = sizeof part;
  CK_RV rv = sim_rsa_component(object->blobs[B_VALUE].bytes, object->blobs[B_VALUE].length, index, part, &length);
  if (rv == CKR_OK) rv = give(out, part, length);
  OPENSSL_cleanse(part, sizeof part);
  return rv == CKR_OK ? rv : withhold(out, rv);
}

CK_RV sim_attribute_get(const sim_object *object, CK_ATTRIBUTE *out) {
  const uint8_t kind = kind_of(object);
  const bool secret = (kind & (SECRET | PRIVATE)) && ((object->flags & F_SENSITIVE) || !(object->flags & F_EXTRACTABLE));
  for (size_t i = 0; i < LENGTH(FLAGS); i++) {
    if (FLAGS[i].type != out->type) continue;
    if (!(FLAGS[i].of & kind)) return withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    const CK_BBOOL value = (object->flags & FLAGS[i].flag) != 0;
    return give(out, &value, 1);
  }
  for (size_t i = 0; i < LENGTH(BLOB); i++) {
    if (BLOB[i].type != out->type) continue;
    const bool has = (BLOB[i].of & kind) && (BLOB[i].changeable || BLOB[i].blob == B_ALLOWED || object->blobs[BLOB[i].blob].length > 0);
    return has ? give(out, object->blobs[BLOB[i].blob].bytes, object->blobs[BLOB[i].blob].length) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
  }
  switch (out->type) {
    case CKA_CLASS: return give_number(out, object->class);
    case CKA_KEY_TYPE: return kind & KEYS ? give_number(out, sim_key_type_spoken(object->key_type)) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    case CKA_KEY_GEN_MECHANISM: return kind & KEYS ? give_number(out, object->made_by) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    case CKA_EC_POINT: return kind == PUBLIC ? give_point(object, out) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    case CKA_MODULUS_BITS: return kind == PUBLIC && object->key_type == CKK_RSA ? give_number(out, object->blobs[B_MODULUS].length * 8) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    case CKA_VALUE_LEN: return kind == SECRET ? give_number(out, object->blobs[B_VALUE].length) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    case CKA_CHECK_VALUE: return object->has_check_value ? give(out, object->check_value, 3) : withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
    case CKA_VALUE:
      if (kind == PUBLIC || (kind == PRIVATE && object->key_type == CKK_RSA)) return withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
      return secret ? withhold(out, CKR_ATTRIBUTE_SENSITIVE) : give(out, object->blobs[B_VALUE].bytes, object->blobs[B_VALUE].length);
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
      if (kind != PRIVATE || object->key_type != CKK_RSA) return withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
      return secret ? withhold(out, CKR_ATTRIBUTE_SENSITIVE) : give_rsa_part(object, out, (unsigned)(out->type - CKA_PRIVATE_EXPONENT) + 2);
    default: return withhold(out, CKR_ATTRIBUTE_TYPE_INVALID);
  }
}

bool sim_attribute_equals(const sim_object *object, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG length) {
  uint8_t room[2048];
  CK_ATTRIBUTE own = {type, room, sizeof room};
  return sim_attribute_get(object, &own) == CKR_OK && own.ulValueLen == length && (length == 0 || memcmp(room, value, length) == 0);
}
