/*
 * Known ways to get a key out of a token through its own interface, each against hsm-sim and each with the allowed twin first:
 * what the device must do, then what it must refuse, and with which CKR. "Attacks": Clulow 2003, "On the Security of PKCS #11";
 * Bortolozzo et al. 2010 (Tookan); the block and truncation attacks of the derivation mechanisms.
 */
#include "client.h"

static const char ROOT[] = "0123456789ABCDEFFEDCBA9876543210"; /* the root of the PBOC 2.0 examples */
static const uint8_t INPUT[16] = {0x10, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x90, 0xEF, 0xFF, 0xFF, 0xED, 0xCB, 0xA9, 0x87, 0x6F};
static uint8_t out[512];
static CK_ULONG out_len;

static CK_RV generate(CK_MECHANISM_TYPE type, attributes *t, CK_OBJECT_HANDLE *key) {
  CK_MECHANISM mechanism = {type, NULL, 0};
  return p11->C_GenerateKey(session, &mechanism, t->list, t->count, key);
}

static CK_OBJECT_HANDLE generated(CK_MECHANISM_TYPE mechanism, CK_KEY_TYPE type, const char *letters) {
  attributes t;
  CK_OBJECT_HANDLE key = 0;
  secret_template(&t, type, letters, type == CKK_AES ? 32 : type == CKK_GENERIC_SECRET ? 16 : 0);
  CK_RV rv = generate(mechanism, &t, &key);
  if (rv != CKR_OK) check(false, "generation (%s): 0x%lx", letters, rv);
  return key;
}

static CK_RV set_flag(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, bool on) {
  CK_BBOOL value = on;
  CK_ATTRIBUTE attribute = {type, &value, 1};
  return p11->C_SetAttributeValue(session, key, &attribute, 1);
}

static CK_RV copy_with(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, bool on, CK_OBJECT_HANDLE *copy) {
  CK_BBOOL value = on;
  CK_ATTRIBUTE attribute = {type, &value, 1};
  return p11->C_CopyObject(session, key, &attribute, 1, copy);
}

static bool flag_of(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type) {
  CK_BBOOL value = 2;
  CK_ATTRIBUTE attribute = {type, &value, 1};
  return p11->C_GetAttributeValue(session, key, &attribute, 1) == CKR_OK && value == CK_TRUE;
}

static CK_RV read_value(CK_OBJECT_HANDLE key) {
  CK_ATTRIBUTE attribute = {CKA_VALUE, out, sizeof out};
  return p11->C_GetAttributeValue(session, key, &attribute, 1);
}

static CK_RV diversify(CK_OBJECT_HANDLE key, const uint8_t *data, size_t length, CK_KEY_TYPE type, const char *letters, CK_ULONG value_len, CK_OBJECT_HANDLE *child) {
  attributes t;
  secret_template(&t, type, letters, value_len);
  return derive_data(CKM_DES3_ECB_ENCRYPT_DATA, key, data, length, &t, child);
}

static CK_RV wrap_with(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key) {
  out_len = sizeof out;
  return wrap(mechanism, NULL, 0, wrapping, key, out, &out_len);
}

/* ---- a key that derives does nothing else ---- */

static void derivation_key_encrypts(void) {
  static const char *const mixes[] = {"ke", "kd", "ks", "kv", "kw", "ku"};
  CK_OBJECT_HANDLE key, child, encrypting;
  attributes t;
  key = generated(CKM_DES2_KEY_GEN, CKK_DES2, "k");
  expect("a derivation key derives", diversify(key, INPUT, 16, CKK_DES2, "k", 0, &child), CKR_OK);
  encrypting = generated(CKM_DES2_KEY_GEN, CKK_DES2, "e");
  out_len = sizeof out;
  expect("an encryption key encrypts", encrypt(CKM_DES3_ECB, NULL, 0, encrypting, INPUT, 16, out, &out_len), CKR_OK);
  out_len = sizeof out;
  expect("C_EncryptInit with a derivation key", encrypt(CKM_DES3_ECB, NULL, 0, key, INPUT, 16, out, &out_len), CKR_KEY_FUNCTION_NOT_PERMITTED);
  expect("C_SignInit with a derivation key", sign(CKM_HUFU_RETAIL_MAC, NULL, 0, key, INPUT, 16, out, &out_len), CKR_KEY_FUNCTION_NOT_PERMITTED);
  expect("C_WrapKey with a derivation key", wrap_with(CKM_DES3_ECB, key, encrypting), CKR_KEY_FUNCTION_NOT_PERMITTED);
  expect("C_DeriveKey with an encryption key", diversify(encrypting, INPUT, 16, CKK_DES2, "k", 0, &child), CKR_KEY_FUNCTION_NOT_PERMITTED);
  expect("ENCRYPT set on it", set_flag(key, CKA_ENCRYPT, true), CKR_ATTRIBUTE_READ_ONLY);
  expect("ENCRYPT on its copy", copy_with(key, CKA_ENCRYPT, true, &child), CKR_TEMPLATE_INCONSISTENT);
  for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
    uint8_t value[16];
    secret_template(&t, CKK_DES2, mixes[i], 0);
    expect("generated with a second use", generate(CKM_DES2_KEY_GEN, &t, &child), CKR_TEMPLATE_INCONSISTENT);
    expect("derived with a second use", diversify(key, INPUT, 16, CKK_DES2, mixes[i], 0, &child), CKR_TEMPLATE_INCONSISTENT);
    put_bytes(&t, CKA_VALUE, value, unhex(ROOT, value));
    expect("created with a second use", p11->C_CreateObject(session, t.list, t.count, &child), CKR_TEMPLATE_INCONSISTENT);
  }
}

/* ---- children ---- */

static void readable_child(void) {
  CK_OBJECT_HANDLE secret = import(CKK_DES2, ROOT, "k"), open = import(CKK_DES2, ROOT, "krx"), child;
  static const struct {
    const char *what;
    CK_MECHANISM_TYPE type;
    size_t length; /* of the data; 0 = parameterless */
  } ways[] = {
      {"DES3_ECB_ENCRYPT_DATA", CKM_DES3_ECB_ENCRYPT_DATA, 16}, {"XOR_BASE_AND_DATA", CKM_XOR_BASE_AND_DATA, 16},       {"SHA256_KEY_DERIVATION", CKM_SHA256_KEY_DERIVATION, 0},
      {"SM3_KEY_DERIVATION", CKM_HUFU_SM3_KEY_DERIVATION, 0},   {"CONCATENATE_BASE_AND_DATA", CKM_CONCATENATE_BASE_AND_DATA, 16},
      {"CONCATENATE_DATA_AND_BASE", CKM_CONCATENATE_DATA_AND_BASE, 16},
  };
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    CK_KEY_DERIVATION_STRING_DATA data = {(CK_BYTE *)INPUT, ways[i].length};
    void *parameter = ways[i].length > 0 ? &data : NULL;
    const CK_ULONG parameter_len = ways[i].length > 0 ? sizeof data : 0;
    attributes t;
    secret_template(&t, CKK_GENERIC_SECRET, "k", 0);
    expect(ways[i].what, derive_raw(ways[i].type, parameter, parameter_len, secret, &t, &child), CKR_OK);
    expect("  its child cannot be read", read_value(child), CKR_ATTRIBUTE_SENSITIVE);
    check(!flag_of(child, CKA_EXTRACTABLE), "  nor leave");
    expect("  nor become readable", set_flag(child, CKA_SENSITIVE, false), CKR_ATTRIBUTE_READ_ONLY);
    secret_template(&t, CKK_GENERIC_SECRET, "kr", 0);
    expect("  a readable child of a sensitive key", derive_raw(ways[i].type, parameter, parameter_len, secret, &t, &child), CKR_TEMPLATE_INCONSISTENT);
    secret_template(&t, CKK_GENERIC_SECRET, "krx", 0);
    expect("  a readable child of a readable key", derive_raw(ways[i].type, parameter, parameter_len, open, &t, &child), CKR_OK);
    expect("    is read", read_value(child), CKR_OK);
  }
  CK_OBJECT_HANDLE generic = import(CKK_GENERIC_SECRET, "00112233445566778899AABBCCDDEEFF", "krx");
  attributes t;
  secret_template(&t, CKK_GENERIC_SECRET, "krx", 0);
  expect("a readable concatenation that takes a sensitive key in", derive_raw(CKM_CONCATENATE_BASE_AND_KEY, &secret, sizeof secret, generic, &t, &child), CKR_TEMPLATE_INCONSISTENT);
}

/* A child of one byte is found by 256 trials, its next longer sister by 256 more, and so the whole key. */
static void short_child(void) {
  CK_OBJECT_HANDLE key = import(CKK_GENERIC_SECRET, ROOT, "k"), root = import(CKK_DES2, ROOT, "k"), child;
  static const CK_ULONG lengths[] = {1, 2, 7};
  CK_ULONG bit = 0;
  attributes t;
  secret_template(&t, CKK_GENERIC_SECRET, "s", 8);
  expect("EXTRACT of 8 bytes", derive_raw(CKM_EXTRACT_KEY_FROM_KEY, &bit, sizeof bit, key, &t, &child), CKR_OK);
  expect("diversification cut to 8 bytes", diversify(root, INPUT, 16, CKK_GENERIC_SECRET, "s", 8, &child), CKR_OK);
  expect("XOR with 8 bytes", derive_data(CKM_XOR_BASE_AND_DATA, key, INPUT, 8, &t, &child), CKR_OK);
  expect("a hash cut to 8 bytes", derive_raw(CKM_SHA256_KEY_DERIVATION, NULL, 0, key, &t, &child), CKR_OK);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    secret_template(&t, CKK_GENERIC_SECRET, "s", lengths[i]);
    expect("EXTRACT of less", derive_raw(CKM_EXTRACT_KEY_FROM_KEY, &bit, sizeof bit, key, &t, &child), CKR_KEY_SIZE_RANGE);
    expect("diversification cut to less", diversify(root, INPUT, 16, CKK_GENERIC_SECRET, "s", lengths[i], &child), CKR_KEY_SIZE_RANGE);
    expect("a hash cut to less", derive_raw(CKM_SHA256_KEY_DERIVATION, NULL, 0, key, &t, &child), CKR_KEY_SIZE_RANGE);
    secret_template(&t, CKK_GENERIC_SECRET, "s", 0);
    expect("XOR with less", derive_data(CKM_XOR_BASE_AND_DATA, key, INPUT, lengths[i], &t, &child), CKR_KEY_SIZE_RANGE);
  }
}

static void concatenate_then_extract(void) {
  CK_OBJECT_HANDLE key = import(CKK_GENERIC_SECRET, ROOT, "k"), leaving = import(CKK_GENERIC_SECRET, ROOT, "kx"), joined, child;
  CK_ULONG bit = 64;
  attributes t;
  secret_template(&t, CKK_GENERIC_SECRET, "k", 0);
  expect("concatenation", derive_data(CKM_CONCATENATE_DATA_AND_BASE, key, INPUT, 8, &t, &joined), CKR_OK);
  secret_template(&t, CKK_GENERIC_SECRET, "s", 16);
  expect("  is hashed", derive_raw(CKM_SHA256_KEY_DERIVATION, NULL, 0, joined, &t, &child), CKR_OK);
  expect("  EXTRACT from a plain key", derive_raw(CKM_EXTRACT_KEY_FROM_KEY, (CK_ULONG[]){0}, sizeof bit, key, &t, &child), CKR_OK);
  expect("  EXTRACT from it", derive_raw(CKM_EXTRACT_KEY_FROM_KEY, &bit, sizeof bit, joined, &t, &child), CKR_KEY_FUNCTION_NOT_PERMITTED);
  secret_template(&t, CKK_GENERIC_SECRET, "s", 0);
  expect("  XOR of it", derive_data(CKM_XOR_BASE_AND_DATA, joined, INPUT, 16, &t, &child), CKR_KEY_FUNCTION_NOT_PERMITTED);
  secret_template(&t, CKK_GENERIC_SECRET, "k", 9); /* 8 known bytes and one of the key: then a hash of it, and 256 trials */
  expect("  cut to one byte of the key", derive_data(CKM_CONCATENATE_DATA_AND_BASE, key, INPUT, 8, &t, &child), CKR_KEY_SIZE_RANGE);
  static const char *const uses[] = {"e", "d", "s", "v", "w", "u"};
  for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
    secret_template(&t, CKK_GENERIC_SECRET, uses[i], 0);
    expect("  with another use", derive_data(CKM_CONCATENATE_DATA_AND_BASE, key, INPUT, 8, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  }
  secret_template(&t, CKK_DES3, "k", 0);
  expect("  as a cipher key", derive_data(CKM_CONCATENATE_DATA_AND_BASE, key, INPUT, 8, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_GENERIC_SECRET, "kx", 0);
  expect("  that may leave, of a key that may", derive_data(CKM_CONCATENATE_DATA_AND_BASE, leaving, INPUT, 8, &t, &child), CKR_OK);
  expect("  that may leave, of a key that may not", derive_data(CKM_CONCATENATE_DATA_AND_BASE, key, INPUT, 8, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  expect("  that may leave, around a key that may not", derive_raw(CKM_CONCATENATE_BASE_AND_KEY, &key, sizeof key, leaving, &t, &child), CKR_TEMPLATE_INCONSISTENT);
}

/* The child of factor 00×8 makes fingerprints; under any other template it would answer for them. */
static void reserved_child(void) {
  CK_OBJECT_HANDLE key = import(CKK_DES2, ROOT, "k"), sm4 = import(CKK_HUFU_SM4, ROOT, "k"), aes = import(CKK_AES, ROOT, "k"), child;
  uint8_t zero[32], ones[32], longer[48];
  attributes t;
  for (int i = 0; i < 32; i++) zero[i] = i % 16 < 8 ? 0x00 : 0xFF, ones[i] = (uint8_t)~zero[i];
  memcpy(longer, zero, 32);
  memcpy(longer + 32, INPUT, 16);
  expect("the reserved child", diversify(key, zero, 32, CKK_GENERIC_SECRET, "s", 32, &child), CKR_OK);
  out_len = sizeof out;
  expect("  signs", sign(CKM_SHA256_HMAC, NULL, 0, child, (const uint8_t *)"hufu/fingerprint/1", 18, out, &out_len), CKR_OK);
  expect("  cannot leave", set_flag(child, CKA_EXTRACTABLE, true), CKR_ATTRIBUTE_READ_ONLY);
  static const struct {
    const char *letters;
    CK_KEY_TYPE type;
    CK_ULONG length;
    size_t data;
  } others[] = {
      {"sx", CKK_GENERIC_SECRET, 32, 32}, {"st", CKK_GENERIC_SECRET, 32, 32}, {"sv", CKK_GENERIC_SECRET, 32, 32}, {"k", CKK_GENERIC_SECRET, 32, 32}, {"w", CKK_AES, 32, 32},
      {"s", CKK_GENERIC_SECRET, 16, 32},  {"s", CKK_GENERIC_SECRET, 16, 16},  {"k", CKK_DES2, 0, 16},             {"e", CKK_DES2, 0, 16},            {"s", CKK_DES2, 0, 16},
      {"k", CKK_GENERIC_SECRET, 8, 8},
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    expect("  under another template", diversify(key, zero, others[i].data, others[i].type, others[i].letters, others[i].length, &child), CKR_TEMPLATE_INCONSISTENT);
  expect("  as the beginning of longer data", diversify(key, longer, 48, CKK_DES2, "k", 0, &child), CKR_TEMPLATE_INCONSISTENT);
  expect("  as the end of longer data", diversify(key, longer + 16, 32, CKK_GENERIC_SECRET, "k", 0, &child), CKR_TEMPLATE_INCONSISTENT);
  expect("the child of the factor FF×8", diversify(key, ones, 32, CKK_GENERIC_SECRET, "s", 32, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_DES2, "k", 0);
  expect("flat parameter, a plain factor", derive_raw(CKM_HUFU_DES3_ECB_ENCRYPT_DATA_FLAT, (void *)INPUT, 16, key, &t, &child), CKR_OK);
  expect("  the reserved factor", derive_raw(CKM_HUFU_DES3_ECB_ENCRYPT_DATA_FLAT, zero, 16, key, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  CK_DES_CBC_ENCRYPT_DATA_PARAMS cbc = {{0}, (CK_BYTE *)INPUT, 16};
  expect("CBC, a plain factor", derive_raw(CKM_DES3_CBC_ENCRYPT_DATA, &cbc, sizeof cbc, key, &t, &child), CKR_OK);
  memcpy(cbc.iv, INPUT, 8); /* IV xor first block = 00×8 */
  expect("  the reserved factor by its IV", derive_raw(CKM_DES3_CBC_ENCRYPT_DATA, &cbc, sizeof cbc, key, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_AES, "k", 16);
  CK_AES_CBC_ENCRYPT_DATA_PARAMS aes_cbc = {{0}, (CK_BYTE *)INPUT, 16};
  expect("AES CBC, a plain factor", derive_raw(CKM_AES_CBC_ENCRYPT_DATA, &aes_cbc, sizeof aes_cbc, aes, &t, &child), CKR_OK);
  for (int i = 0; i < 16; i++) aes_cbc.iv[i] = INPUT[i] ^ zero[i];
  expect("  the reserved factor by its IV", derive_raw(CKM_AES_CBC_ENCRYPT_DATA, &aes_cbc, sizeof aes_cbc, aes, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_HUFU_SM4, "k", 0);
  expect("SM4, a plain factor", derive_data(CKM_HUFU_SM4_ECB_ENCRYPT_DATA, sm4, INPUT, 16, &t, &child), CKR_OK);
  expect("  the reserved factor", derive_data(CKM_HUFU_SM4_ECB_ENCRYPT_DATA, sm4, zero, 16, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_GENERIC_SECRET, "s", 32);
  expect("  the reserved child", derive_data(CKM_HUFU_SM4_ECB_ENCRYPT_DATA, sm4, zero, 32, &t, &child), CKR_OK);
}

/* ---- wrapping ---- */

static void wrapping(void) {
  CK_OBJECT_HANDLE kek = generated(CKM_AES_KEY_GEN, CKK_AES, "w"), leaving = generated(CKM_AES_KEY_GEN, CKK_AES, "ex"), staying = generated(CKM_AES_KEY_GEN, CKK_AES, "e"), child;
  attributes t;
  expect("a key that may leave is wrapped", wrap_with(CKM_AES_KEY_WRAP, kek, leaving), CKR_OK);
  expect("a key that may not", wrap_with(CKM_AES_KEY_WRAP, kek, staying), CKR_KEY_UNEXTRACTABLE);
  static const CK_MECHANISM_TYPE others[] = {CKM_AES_KEY_WRAP_PAD, CKM_AES_ECB};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) expect("  by another mechanism", wrap_with(others[i], kek, staying), CKR_KEY_UNEXTRACTABLE);
  expect("  and made to leave first", set_flag(staying, CKA_EXTRACTABLE, true), CKR_ATTRIBUTE_READ_ONLY);
  expect("a key wraps itself no more than another", wrap_with(CKM_AES_KEY_WRAP, kek, kek), CKR_KEY_UNEXTRACTABLE);
  /* Clulow: wrap a key, decrypt the result. */
  secret_template(&t, CKK_AES, "wd", 32);
  expect("one key that wraps and decrypts", generate(CKM_AES_KEY_GEN, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_AES, "ue", 32);
  expect("one key that unwraps and encrypts", generate(CKM_AES_KEY_GEN, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_AES, "wu", 32);
  expect("one key that wraps and unwraps", generate(CKM_AES_KEY_GEN, &t, &child), CKR_OK);
  expect("  decrypts later", set_flag(child, CKA_DECRYPT, true), CKR_ATTRIBUTE_READ_ONLY);
  out_len = sizeof out;
  CK_MECHANISM mechanism = {CKM_AES_ECB, NULL, 0};
  expect("  decrypts now", p11->C_DecryptInit(session, &mechanism, child), CKR_KEY_FUNCTION_NOT_PERMITTED);
  CK_OBJECT_HANDLE copy;
  expect("  decrypts as a copy", copy_with(child, CKA_DECRYPT, true, &copy), CKR_TEMPLATE_INCONSISTENT);
  /* the same with a key pair: one half wraps, the other decrypts */
  static const struct {
    const char *what;
    CK_ATTRIBUTE_TYPE outer, inner;
    CK_RV rv;
  } pairs[] = {
      {"a pair that wraps and unwraps", CKA_WRAP, CKA_UNWRAP, CKR_OK},
      {"a pair that encrypts and decrypts", CKA_ENCRYPT, CKA_DECRYPT, CKR_OK},
      {"a pair that wraps and decrypts", CKA_WRAP, CKA_DECRYPT, CKR_TEMPLATE_INCONSISTENT},
      {"a pair that encrypts and unwraps", CKA_ENCRYPT, CKA_UNWRAP, CKR_TEMPLATE_INCONSISTENT},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    CK_MECHANISM sm2 = {CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, 0};
    attributes outer = {.count = 0}, inner = {.count = 0};
    CK_OBJECT_HANDLE public_key, private_key;
    put_flag(&outer, pairs[i].outer, true);
    put_flag(&inner, pairs[i].inner, true);
    expect(pairs[i].what, p11->C_GenerateKeyPair(session, &sm2, outer.list, outer.count, inner.list, inner.count, &public_key, &private_key), pairs[i].rv);
  }
}

static void unwrapping(void) {
  CK_OBJECT_HANDLE kek = generated(CKM_AES_KEY_GEN, CKK_AES, "wu"), leaving = generated(CKM_AES_KEY_GEN, CKK_AES, "ex"), child;
  uint8_t package[64];
  attributes t;
  expect("a key is wrapped", wrap_with(CKM_AES_KEY_WRAP, kek, leaving), CKR_OK);
  const CK_ULONG length = out_len;
  memcpy(package, out, length);
  secret_template(&t, CKK_AES, "k", 0);
  expect("  and unwrapped", unwrap(CKM_AES_KEY_WRAP, NULL, 0, kek, package, length, &t, &child), CKR_OK);
  expect("    and not read", read_value(child), CKR_ATTRIBUTE_SENSITIVE);
  check(!flag_of(child, CKA_LOCAL) && !flag_of(child, CKA_ALWAYS_SENSITIVE) && !flag_of(child, CKA_NEVER_EXTRACTABLE), "    and does not claim to have been born here");
  static const struct {
    const char *what, *letters;
  } weak[] = {{"  readable", "kr"}, {"  readable and leaving", "rx"}, {"  deriving and encrypting", "ke"}, {"  wrapping and decrypting", "wd"}, {"  unwrapping and encrypting", "ue"}, {"  decrypting, its twin wraps", "d"}};
  for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
    secret_template(&t, CKK_AES, weak[i].letters, 0);
    expect(weak[i].what, unwrap(CKM_AES_KEY_WRAP, NULL, 0, kek, package, length, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  }
  CK_OBJECT_HANDLE root = import(CKK_DES2, ROOT, "k");
  expect("a child that wraps", diversify(root, INPUT, 16, CKK_DES2, "w", 0, &child), CKR_OK);
  expect("  its twin decrypts", diversify(root, INPUT, 16, CKK_DES2, "d", 0, &child), CKR_TEMPLATE_INCONSISTENT);
  package[3] ^= 1;
  secret_template(&t, CKK_AES, "k", 0);
  expect("  changed on its way", unwrap(CKM_AES_KEY_WRAP, NULL, 0, kek, package, length, &t, &child), CKR_WRAPPED_KEY_INVALID);
}

/* ---- C_CopyObject, C_SetAttributeValue ---- */

static void weakening(void) {
  static const struct {
    const char *what;
    CK_ATTRIBUTE_TYPE type;
    bool on;
  } ways[] = {{"not sensitive", CKA_SENSITIVE, false}, {"extractable", CKA_EXTRACTABLE, true},   {"wraps", CKA_WRAP, true},           {"decrypts", CKA_DECRYPT, true},
              {"derives", CKA_DERIVE, true},           {"any wrapping key", CKA_WRAP_WITH_TRUSTED, false}, {"always sensitive", CKA_ALWAYS_SENSITIVE, false},
              {"local", CKA_LOCAL, false},             {"trusted", CKA_TRUSTED, true}};
  attributes t;
  CK_OBJECT_HANDLE key, copy;
  secret_template(&t, CKK_AES, "e", 32);
  put_flag(&t, CKA_WRAP_WITH_TRUSTED, true);
  expect("a key", generate(CKM_AES_KEY_GEN, &t, &key), CKR_OK);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    expect(ways[i].what, set_flag(key, ways[i].type, ways[i].on), CKR_ATTRIBUTE_READ_ONLY);
    expect("  as a copy", copy_with(key, ways[i].type, ways[i].on, &copy), CKR_TEMPLATE_INCONSISTENT);
  }
  CK_ATTRIBUTE label = {CKA_LABEL, "copy", 4};
  expect("a copy with a label", p11->C_CopyObject(session, key, &label, 1, &copy), CKR_OK);
  check(flag_of(copy, CKA_SENSITIVE) && flag_of(copy, CKA_WRAP_WITH_TRUSTED) && !flag_of(copy, CKA_EXTRACTABLE), "  is as strict as its original");
  expect("  and stricter", set_flag(copy, CKA_ENCRYPT, false), CKR_OK);
  expect("    for good", set_flag(copy, CKA_ENCRYPT, true), CKR_ATTRIBUTE_READ_ONLY);
  CK_ATTRIBUTE both[] = {{CKA_LABEL, "half", 4}, {CKA_EXTRACTABLE, &(CK_BBOOL){CK_TRUE}, 1}};
  expect("a template with one wrong line", p11->C_SetAttributeValue(session, copy, both, 2), CKR_ATTRIBUTE_READ_ONLY);
  CK_ATTRIBUTE read = {CKA_LABEL, out, sizeof out};
  check(p11->C_GetAttributeValue(session, copy, &read, 1) == CKR_OK && read.ulValueLen == 4 && memcmp(out, "copy", 4) == 0, "  changes nothing");
  CK_MECHANISM_TYPE all[] = {CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CMAC};
  CK_ATTRIBUTE allowed = {CKA_ALLOWED_MECHANISMS, all, sizeof all};
  expect("other mechanisms", p11->C_SetAttributeValue(session, key, &allowed, 1), CKR_ATTRIBUTE_READ_ONLY);
  secret_template(&t, CKK_AES, "e", 32);
  put_flag(&t, CKA_MODIFIABLE, false);
  put_flag(&t, CKA_COPYABLE, false);
  put_flag(&t, CKA_DESTROYABLE, false);
  expect("a key that stays as it is", generate(CKM_AES_KEY_GEN, &t, &key), CKR_OK);
  expect("  changed", set_flag(key, CKA_ENCRYPT, false), CKR_ACTION_PROHIBITED);
  expect("  copied", p11->C_CopyObject(session, key, &label, 1, &copy), CKR_ACTION_PROHIBITED);
  expect("  destroyed", p11->C_DestroyObject(session, key), CKR_ACTION_PROHIBITED);
}

/* ---- trust, lists, templates ---- */

static void as_security_officer(bool on) {
  p11->C_Logout(session);
  expect(on ? "security officer in" : "user in", on ? p11->C_Login(session, CKU_SO, SO_PIN, sizeof SO_PIN - 1) : p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1), CKR_OK);
}

static void trust(void) {
  attributes t, plain;
  CK_OBJECT_HANDLE trusted, untrusted, key, made;
  uint8_t value[32];
  CK_MECHANISM_TYPE only_wrap = CKM_AES_KEY_WRAP;
  secret_template(&plain, CKK_AES, "w", 0);
  put_flag(&plain, CKA_PRIVATE, false); /* the security officer sees public objects only */
  put_bytes(&plain, CKA_VALUE, value, unhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", value));
  expect("a wrapping key", p11->C_CreateObject(session, plain.list, plain.count, &untrusted), CKR_OK);
  t = plain; /* the pointers of the list still lead into `plain`, which lives as long */
  t.flags[t.count] = CK_TRUE;
  t.list[t.count] = (CK_ATTRIBUTE){CKA_TRUSTED, &t.flags[t.count], 1};
  t.count++;
  expect("  the user makes it TRUSTED", set_flag(untrusted, CKA_TRUSTED, true), CKR_ATTRIBUTE_READ_ONLY);
  expect("  the user creates a TRUSTED one", p11->C_CreateObject(session, t.list, t.count, &made), CKR_ATTRIBUTE_READ_ONLY);
  secret_template(&t, CKK_AES, "w", 32);
  put_flag(&t, CKA_TRUSTED, true);
  expect("  the user generates a TRUSTED one", generate(CKM_AES_KEY_GEN, &t, &made), CKR_ATTRIBUTE_READ_ONLY);
  t = plain;
  put_flag(&t, CKA_TOKEN, true);
  expect("  a token key", p11->C_CreateObject(session, t.list, t.count, &trusted), CKR_OK);
  as_security_officer(true);
  expect("  the security officer makes it TRUSTED", set_flag(trusted, CKA_TRUSTED, true), CKR_OK);
  as_security_officer(false);
  check(flag_of(trusted, CKA_TRUSTED), "  it is TRUSTED for the user");
  secret_template(&t, CKK_AES, "ex", 32);
  put_flag(&t, CKA_WRAP_WITH_TRUSTED, true);
  expect("a key for trusted keys only", generate(CKM_AES_KEY_GEN, &t, &key), CKR_OK);
  expect("  under the trusted one", wrap_with(CKM_AES_KEY_WRAP, trusted, key), CKR_OK);
  expect("  under another with the same value", wrap_with(CKM_AES_KEY_WRAP, untrusted, key), CKR_KEY_NOT_WRAPPABLE);
  expect("  and freed of the condition", set_flag(key, CKA_WRAP_WITH_TRUSTED, false), CKR_ATTRIBUTE_READ_ONLY);

  secret_template(&t, CKK_AES, "w", 32);
  put_bytes(&t, CKA_ALLOWED_MECHANISMS, &only_wrap, sizeof only_wrap);
  CK_OBJECT_HANDLE limited, leaving = generated(CKM_AES_KEY_GEN, CKK_AES, "ex");
  expect("a key with ALLOWED_MECHANISMS", generate(CKM_AES_KEY_GEN, &t, &limited), CKR_OK);
  expect("  by the mechanism in the list", wrap_with(CKM_AES_KEY_WRAP, limited, leaving), CKR_OK);
  expect("  by another", wrap_with(CKM_AES_ECB, limited, leaving), CKR_MECHANISM_INVALID);
  CK_MECHANISM_TYPE only_cmac = CKM_AES_CMAC;
  secret_template(&t, CKK_AES, "s", 32);
  put_bytes(&t, CKA_ALLOWED_MECHANISMS, &only_cmac, sizeof only_cmac);
  expect("a key that makes CMACs only", generate(CKM_AES_KEY_GEN, &t, &limited), CKR_OK);
  out_len = sizeof out;
  expect("  CMAC", sign(CKM_AES_CMAC, NULL, 0, limited, INPUT, 16, out, &out_len), CKR_OK);
  expect("  HMAC", sign(CKM_SHA256_HMAC, NULL, 0, limited, INPUT, 16, out, &out_len), CKR_MECHANISM_INVALID);
  CK_MECHANISM_TYPE only_derive = CKM_DES3_ECB_ENCRYPT_DATA;
  secret_template(&t, CKK_DES2, "k", 0);
  put_bytes(&t, CKA_ALLOWED_MECHANISMS, &only_derive, sizeof only_derive);
  expect("a key that diversifies only", generate(CKM_DES2_KEY_GEN, &t, &limited), CKR_OK);
  expect("  diversification", diversify(limited, INPUT, 16, CKK_DES2, "k", 0, &made), CKR_OK);
  secret_template(&t, CKK_GENERIC_SECRET, "k", 0);
  expect("  XOR", derive_data(CKM_XOR_BASE_AND_DATA, limited, INPUT, 16, &t, &made), CKR_MECHANISM_INVALID);
}

static void templates(void) {
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ATTRIBUTE derive_rule[] = {{CKA_EXTRACTABLE, &no, 1}, {CKA_WRAP_WITH_TRUSTED, &yes, 1}}, unwrap_rule[] = {{CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_DERIVE, &yes, 1}}, wrap_rule[] = {{CKA_ENCRYPT, &yes, 1}};
  CK_OBJECT_HANDLE key, child, leaving = generated(CKM_AES_KEY_GEN, CKK_AES, "ex"), other = generated(CKM_AES_KEY_GEN, CKK_AES, "sx");
  attributes t;
  secret_template(&t, CKK_DES2, "k", 0);
  put_bytes(&t, CKA_DERIVE_TEMPLATE, derive_rule, sizeof derive_rule);
  expect("a key with DERIVE_TEMPLATE", generate(CKM_DES2_KEY_GEN, &t, &key), CKR_OK);
  expect("  a child that keeps it", diversify(key, INPUT, 16, CKK_DES2, "k", 0, &child), CKR_OK);
  check(flag_of(child, CKA_WRAP_WITH_TRUSTED), "    gets what the template says and the caller left out");
  expect("  a child that breaks it", diversify(key, INPUT, 16, CKK_DES2, "kx", 0, &child), CKR_TEMPLATE_INCONSISTENT);
  CK_ATTRIBUTE loose = {CKA_DERIVE_TEMPLATE, NULL, 0};
  expect("  without its template", p11->C_SetAttributeValue(session, key, &loose, 1), CKR_ATTRIBUTE_READ_ONLY);
  expect("  copied without its template", p11->C_CopyObject(session, key, &loose, 1, &child), CKR_TEMPLATE_INCONSISTENT);

  secret_template(&t, CKK_AES, "wu", 32);
  put_bytes(&t, CKA_UNWRAP_TEMPLATE, unwrap_rule, sizeof unwrap_rule);
  put_bytes(&t, CKA_WRAP_TEMPLATE, wrap_rule, sizeof wrap_rule);
  expect("a key with WRAP_TEMPLATE and UNWRAP_TEMPLATE", generate(CKM_AES_KEY_GEN, &t, &key), CKR_OK);
  expect("  wraps a key that fits", wrap_with(CKM_AES_KEY_WRAP, key, leaving), CKR_OK);
  uint8_t package[64];
  const CK_ULONG length = out_len;
  memcpy(package, out, length);
  expect("  a key that does not", wrap_with(CKM_AES_KEY_WRAP, key, other), CKR_KEY_NOT_WRAPPABLE);
  secret_template(&t, CKK_AES, "k", 0);
  expect("  unwraps as it must", unwrap(CKM_AES_KEY_WRAP, NULL, 0, key, package, length, &t, &child), CKR_OK);
  secret_template(&t, CKK_AES, "kx", 0);
  expect("  as a key that may leave", unwrap(CKM_AES_KEY_WRAP, NULL, 0, key, package, length, &t, &child), CKR_TEMPLATE_INCONSISTENT);
  secret_template(&t, CKK_AES, "e", 0);
  expect("  as a key that encrypts", unwrap(CKM_AES_KEY_WRAP, NULL, 0, key, package, length, &t, &child), CKR_TEMPLATE_INCONSISTENT);
}

int main(int count, char **arguments) {
  if (count != 2) return fprintf(stderr, "attacks MODULE\n"), 2;
  load(arguments[1]);
  if (start(NULL) != CKR_OK) return fprintf(stderr, "C_Initialize\n"), 2;
  ready_token();
  derivation_key_encrypts();
  readable_child();
  short_child();
  concatenate_then_extract();
  reserved_child();
  wrapping();
  unwrapping();
  weakening();
  trust();
  templates();
  p11->C_Finalize(NULL);
  return closing_line();
}
