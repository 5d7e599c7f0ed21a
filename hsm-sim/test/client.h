/* What the test programs share: loading a module, attributes, counting. Each program is one translation unit. */
#ifndef HSM_SIM_TEST_CLIENT_H
#define HSM_SIM_TEST_CLIENT_H

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cryptoki.h"
#include "sim_numbers.h"

static int passed, failed;

__attribute__((unused)) static bool check(bool good, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf(good ? "ok      " : "FAILED  ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  if (good) passed++;
  else failed++;
  return good;
}

__attribute__((unused)) static bool expect(const char *what, CK_RV got, CK_RV wanted) { return check(got == wanted, "%s: 0x%03lx%s", what, got, got == wanted ? "" : " is not what was expected"); }

__attribute__((unused)) static int closing_line(void) {
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

__attribute__((unused)) static size_t unhex(const char *hex, uint8_t *out) {
  size_t n = 0;
  for (; hex[0] != 0 && hex[1] != 0; hex += 2) {
    unsigned octet;
    if (hex[0] == ' ') {
      hex--;
      continue;
    }
    sscanf(hex, "%2x", &octet);
    out[n++] = (uint8_t)octet;
  }
  return n;
}

__attribute__((unused)) static bool same(const char *what, const uint8_t *got, size_t length, const char *hex) {
  uint8_t wanted[4096];
  const size_t n = unhex(hex, wanted);
  const bool good = n == length && memcmp(got, wanted, n) == 0;
  check(good, "%s", what);
  if (!good) {
    printf("        got ");
    for (size_t i = 0; i < length; i++) printf("%02X", got[i]);
    printf("\n        not %s\n", hex);
  }
  return good;
}

/* ---- the module ---- */

static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;
static CK_UTF8CHAR SO_PIN[] = "so-12345678", PIN[] = "user-1234";
#define PIN_OF(text) (CK_UTF8CHAR *)(text), sizeof(text) - 1

__attribute__((unused)) static void load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
  if (library != NULL) *(void **)&get = dlsym(library, "C_GetFunctionList");
  if (get == NULL || get(&p11) != CKR_OK) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
}

__attribute__((unused)) static CK_RV start(const char *conf) {
  char reserved[1200];
  snprintf(reserved, sizeof reserved, "conf=%s", conf == NULL ? "" : conf);
  CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK, .pReserved = conf == NULL ? NULL : reserved};
  return p11->C_Initialize(&arguments);
}

__attribute__((unused)) static CK_RV open_session(CK_SESSION_HANDLE *out) { return p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, out); }

/* A fresh token with a user, logged in. */
__attribute__((unused)) static void ready_token(void) {
  CK_UTF8CHAR label[32];
  memset(label, ' ', sizeof label);
  memcpy(label, "test", 4);
  CK_RV rv = p11->C_InitToken(0, SO_PIN, sizeof SO_PIN - 1, label);
  if (rv == CKR_OK) rv = open_session(&session);
  if (rv == CKR_OK) rv = p11->C_Login(session, CKU_SO, SO_PIN, sizeof SO_PIN - 1);
  if (rv == CKR_OK) rv = p11->C_InitPIN(session, PIN, sizeof PIN - 1);
  if (rv == CKR_OK) rv = p11->C_Logout(session);
  if (rv == CKR_OK) rv = p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1);
  if (rv != CKR_OK) {
    fprintf(stderr, "the token could not be made: 0x%lx\n", rv);
    exit(2);
  }
}

/* ---- templates ---- */

typedef struct {
  CK_ATTRIBUTE list[32];
  CK_ULONG count;
  CK_ULONG numbers[32];
  CK_BBOOL flags[32];
} attributes;

__attribute__((unused)) static void put_flag(attributes *t, CK_ATTRIBUTE_TYPE type, bool on) {
  t->flags[t->count] = on;
  t->list[t->count] = (CK_ATTRIBUTE){type, &t->flags[t->count], 1};
  t->count++;
}
__attribute__((unused)) static void put_number(attributes *t, CK_ATTRIBUTE_TYPE type, CK_ULONG number) {
  t->numbers[t->count] = number;
  t->list[t->count] = (CK_ATTRIBUTE){type, &t->numbers[t->count], sizeof number};
  t->count++;
}
__attribute__((unused)) static void put_bytes(attributes *t, CK_ATTRIBUTE_TYPE type, const void *bytes, size_t length) { t->list[t->count++] = (CK_ATTRIBUTE){type, (void *)bytes, length}; }

/* Usages as letters: e d s v w u k(derive) ; x extractable, r readable (not sensitive), t token object. */
__attribute__((unused)) static void secret_template(attributes *t, CK_KEY_TYPE type, const char *letters, CK_ULONG length) {
  static const struct {
    char letter;
    CK_ATTRIBUTE_TYPE type;
  } usages[] = {{'e', CKA_ENCRYPT}, {'d', CKA_DECRYPT}, {'s', CKA_SIGN}, {'v', CKA_VERIFY}, {'w', CKA_WRAP}, {'u', CKA_UNWRAP}, {'k', CKA_DERIVE}, {'x', CKA_EXTRACTABLE}, {'t', CKA_TOKEN}};
  t->count = 0;
  put_number(t, CKA_CLASS, CKO_SECRET_KEY);
  put_number(t, CKA_KEY_TYPE, type);
  put_flag(t, CKA_SENSITIVE, strchr(letters, 'r') == NULL);
  for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) put_flag(t, usages[i].type, strchr(letters, usages[i].letter) != NULL);
  if (length > 0) put_number(t, CKA_VALUE_LEN, length);
}

__attribute__((unused)) static CK_OBJECT_HANDLE import(CK_KEY_TYPE type, const char *hex, const char *letters) {
  attributes t;
  uint8_t value[512];
  CK_OBJECT_HANDLE key = 0;
  const size_t length = unhex(hex, value);
  secret_template(&t, type, letters, 0);
  put_bytes(&t, CKA_VALUE, value, length);
  CK_RV rv = p11->C_CreateObject(session, t.list, t.count, &key);
  if (rv != CKR_OK) check(false, "import of %s (%s): 0x%lx", hex, letters, rv);
  return key;
}

__attribute__((unused)) static CK_RV derive_raw(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG length, CK_OBJECT_HANDLE key, attributes *t, CK_OBJECT_HANDLE *child) {
  CK_MECHANISM mechanism = {type, parameter, length};
  return p11->C_DeriveKey(session, &mechanism, key, t->list, t->count, child);
}

__attribute__((unused)) static CK_RV derive_data(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, const uint8_t *data, size_t length, attributes *t, CK_OBJECT_HANDLE *child) {
  CK_KEY_DERIVATION_STRING_DATA parameter = {(CK_BYTE *)data, length};
  return derive_raw(type, &parameter, sizeof parameter, key, t, child);
}

__attribute__((unused)) static CK_RV encrypt(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_length, CK_OBJECT_HANDLE key, const uint8_t *in, size_t length, uint8_t *out, CK_ULONG *out_len) {
  CK_MECHANISM mechanism = {type, parameter, parameter_length};
  CK_RV rv = p11->C_EncryptInit(session, &mechanism, key);
  return rv == CKR_OK ? p11->C_Encrypt(session, (CK_BYTE *)in, length, out, out_len) : rv;
}

__attribute__((unused)) static CK_RV sign(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_length, CK_OBJECT_HANDLE key, const uint8_t *in, size_t length, uint8_t *out, CK_ULONG *out_len) {
  CK_MECHANISM mechanism = {type, parameter, parameter_length};
  CK_RV rv = p11->C_SignInit(session, &mechanism, key);
  return rv == CKR_OK ? p11->C_Sign(session, (CK_BYTE *)in, length, out, out_len) : rv;
}

__attribute__((unused)) static CK_RV wrap(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_length, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key, uint8_t *out, CK_ULONG *out_len) {
  CK_MECHANISM mechanism = {type, parameter, parameter_length};
  return p11->C_WrapKey(session, &mechanism, wrapping, key, out, out_len);
}

__attribute__((unused)) static CK_RV unwrap(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_length, CK_OBJECT_HANDLE key, const uint8_t *wrapped, CK_ULONG length, attributes *t, CK_OBJECT_HANDLE *out) {
  CK_MECHANISM mechanism = {type, parameter, parameter_length};
  return p11->C_UnwrapKey(session, &mechanism, key, (CK_BYTE *)wrapped, length, t->list, t->count, out);
}

__attribute__((unused)) static void kcv(CK_OBJECT_HANDLE key, uint8_t out[3]) {
  CK_ATTRIBUTE get = {CKA_CHECK_VALUE, out, 3};
  memset(out, 0, 3);
  p11->C_GetAttributeValue(session, key, &get, 1);
}

#endif
