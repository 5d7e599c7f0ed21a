/* What a card-industry HSM enforces over several attributes at once. README.md, "What it enforces", says why. */
#include <openssl/crypto.h>
#include <string.h>

#include "state.h"

/* A key that derives does nothing else: C_Encrypt over X ‖ ~X would return its child in clear. Wrapping and decrypting with one
 * key returns any key in clear; unwrapping and encrypting brings in a key of the host's choice. */
static const struct {
  uint32_t one, others;
  bool secret_only;
} NEVER_TOGETHER[] = {
    {F_DERIVE, F_ENCRYPT | F_DECRYPT | F_SIGN | F_VERIFY | F_WRAP | F_UNWRAP, true},
    {F_WRAP, F_DECRYPT, false},
    {F_UNWRAP, F_ENCRYPT, false},
    {F_UNWRAP, F_DECRYPT, false},
};

CK_RV sim_rules_usages(const sim_object *object) {
  if (object->class != CKO_SECRET_KEY && object->class != CKO_PRIVATE_KEY) return CKR_OK;
  for (size_t i = 0; i < sizeof NEVER_TOGETHER / sizeof *NEVER_TOGETHER; i++)
    if ((object->class == CKO_SECRET_KEY || !NEVER_TOGETHER[i].secret_only) && (object->flags & NEVER_TOGETHER[i].one) && (object->flags & NEVER_TOGETHER[i].others)) return CKR_TEMPLATE_INCONSISTENT;
  if ((object->flags & F_CONCATENATED) && (object->flags & (F_USAGES & ~F_DERIVE))) return CKR_TEMPLATE_INCONSISTENT;
  return CKR_OK;
}

CK_RV sim_rules_pair(const sim_object *public_key, const sim_object *private_key) {
  const bool wraps_and_decrypts = (public_key->flags & F_WRAP) && (private_key->flags & F_DECRYPT);
  const bool encrypts_and_unwraps = (public_key->flags & F_ENCRYPT) && (private_key->flags & F_UNWRAP);
  return wraps_and_decrypts || encrypts_and_unwraps ? CKR_TEMPLATE_INCONSISTENT : sim_rules_usages(private_key);
}

CK_RV sim_rules_child(const sim_object *base, sim_object *child) {
  if ((base->flags & F_SENSITIVE) && !(child->flags & F_SENSITIVE)) return CKR_TEMPLATE_INCONSISTENT;
  child->flags &= ~(uint32_t)(F_ALWAYS_SENSITIVE | F_NEVER_EXTRACTABLE | F_LOCAL);
  if ((base->flags & F_ALWAYS_SENSITIVE) && (child->flags & F_SENSITIVE)) child->flags |= F_ALWAYS_SENSITIVE;
  if ((base->flags & F_NEVER_EXTRACTABLE) && !(child->flags & F_EXTRACTABLE)) child->flags |= F_NEVER_EXTRACTABLE;
  if (child->flags & F_DECRYPT) return CKR_TEMPLATE_INCONSISTENT; /* derived once more it would wrap: wrap and decrypt with one value */
  return sim_rules_usages(child);
}

CK_RV sim_rules_unwrapped(const sim_object *object) {
  /* A secret key that came in does not decrypt: unwrapped once more it would wrap. */
  const bool decrypts = object->class == CKO_SECRET_KEY && (object->flags & F_DECRYPT);
  return (object->flags & F_SENSITIVE) && !decrypts ? sim_rules_usages(object) : CKR_TEMPLATE_INCONSISTENT;
}

/* Blocks of the factors 00×8 and FF×8: X ‖ ~X in one block, or one half of it. */
static bool reserved_block(const uint8_t *block, size_t length) {
  for (size_t i = 1; i < length; i++)
    if (block[i] != (i < 8 ? block[0] : (uint8_t)~block[0])) return false;
  return block[0] == 0x00 || block[0] == 0xFF;
}

CK_RV sim_rules_reserved_factor(size_t block, const uint8_t *data, size_t length, const sim_object *child) {
  bool touches = false, whole = length == 32;
  for (size_t at = 0; at < length; at += block) touches = touches || reserved_block(data + at, block);
  if (!touches) return CKR_OK; /* one such block anywhere is a part of the reserved child */
  for (size_t i = 0; i < length; i++) whole = whole && data[i] == (i % 16 < 8 ? 0x00 : 0xFF);
  const uint32_t wanted = F_SENSITIVE | F_SIGN, unwanted = F_EXTRACTABLE | F_TOKEN | (F_USAGES & ~(uint32_t)F_SIGN);
  const bool fits = child->key_type == CKK_GENERIC_SECRET && (child->flags & wanted) == wanted && !(child->flags & unwanted) && child->blobs[B_VALUE].length == 32;
  return whole && fits ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV sim_rules_wrap(const sim_object *wrapping, const sim_object *key) {
  if (!(wrapping->flags & F_WRAP)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  if (key->class != CKO_SECRET_KEY && key->class != CKO_PRIVATE_KEY) return CKR_KEY_NOT_WRAPPABLE;
  if (!(key->flags & F_EXTRACTABLE)) return CKR_KEY_UNEXTRACTABLE;
  if ((key->flags & F_WRAP_WITH_TRUSTED) && !(wrapping->flags & F_TRUSTED)) return CKR_KEY_NOT_WRAPPABLE;
  return sim_packed_template_fits(&wrapping->blobs[B_WRAP_TEMPLATE], key) ? CKR_OK : CKR_KEY_NOT_WRAPPABLE;
}

static const struct {
  CK_KEY_TYPE type;
  bool is_cipher;
  sim_cipher cipher;
  size_t bytes; /* 0 = by CKA_VALUE_LEN */
} SECRETS[] = {
    {CKK_DES, true, SIM_DES, 8},       {CKK_DES2, true, SIM_DES3, 16},       {CKK_DES3, true, SIM_DES3, 24},
    {CKK_AES, true, SIM_AES, 0},       {CKK_HUFU_SM4, true, SIM_SM4, 16},    {CKK_GENERIC_SECRET, false, SIM_AES, 0},
    {CKK_SHA256_HMAC, false, SIM_AES, 0},
};

bool sim_cipher_of(CK_KEY_TYPE type, sim_cipher *cipher) {
  for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; i++) {
    if (SECRETS[i].type != type) continue;
    *cipher = SECRETS[i].cipher;
    return SECRETS[i].is_cipher;
  }
  return false;
}

size_t sim_secret_bytes(CK_KEY_TYPE type, const CK_ATTRIBUTE *template, CK_ULONG count) {
  CK_ULONG asked = 0;
  for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; i++)
    if (SECRETS[i].type == type && SECRETS[i].bytes != 0) return SECRETS[i].bytes;
  return sim_template_ulong(template, count, CKA_VALUE_LEN, &asked) ? asked : 0;
}

CK_RV sim_secret_set_value(sim_object *object, const uint8_t *bytes, size_t length) {
  uint8_t value[SECRET_MOST];
  sim_cipher cipher = SIM_AES;
  bool known = false;
  for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; i++) known = known || (SECRETS[i].type == object->key_type && (SECRETS[i].bytes == 0 || SECRETS[i].bytes == length));
  if (!known) return CKR_KEY_SIZE_RANGE;
  if (length == 0 || length > sizeof value) return CKR_KEY_SIZE_RANGE;
  const bool is_cipher = sim_cipher_of(object->key_type, &cipher);
  if (is_cipher && !sim_key_bytes_valid(cipher, length)) return CKR_KEY_SIZE_RANGE;
  memcpy(value, bytes, length);
  if (is_cipher && (cipher == SIM_DES || cipher == SIM_DES3)) sim_des_parity(value, length);
  const bool good = sim_blob_set(&object->blobs[B_VALUE], value, length);
  if (good && is_cipher) {
    sim_check_value(cipher, value, length, object->check_value);
    object->has_check_value = true;
  } else if (good) {
    uint8_t digest[20]; /* generic secrets: first bytes of SHA-1 (PKCS#11 v2.40, 4.10.2) */
    sim_hash(SIM_SHA1, value, length, digest);
    memcpy(object->check_value, digest, 3);
    object->has_check_value = length >= 16; /* of a short value three bytes of a hash would say too much */
  }
  OPENSSL_cleanse(value, sizeof value);
  return good ? CKR_OK : CKR_HOST_MEMORY;
}
