/*
 * pkcs11-tool cannot name an SM2 key, so this makes or takes one for it, on the token that HUFU_SIM_CONF describes:
 *   sm2-key MODULE make ID          a key pair; prints its public point 04 ‖ X ‖ Y in hex
 *   sm2-key MODULE take ID POINT    a public key from outside
 */
#include "client.h"

static int fail(const char *what, CK_RV rv) {
  fprintf(stderr, "%s: 0x%lx\n", what, rv);
  return 1;
}

static CK_RV make(const uint8_t *id, size_t id_len, CK_OBJECT_HANDLE *public_key) {
  CK_MECHANISM mechanism = {CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, 0};
  attributes outer = {.count = 0}, inner = {.count = 0};
  CK_OBJECT_HANDLE private_key;
  put_flag(&outer, CKA_TOKEN, true);
  put_flag(&outer, CKA_VERIFY, true);
  put_bytes(&outer, CKA_ID, id, id_len);
  put_flag(&inner, CKA_TOKEN, true);
  put_flag(&inner, CKA_SIGN, true);
  put_bytes(&inner, CKA_ID, id, id_len);
  return p11->C_GenerateKeyPair(session, &mechanism, outer.list, outer.count, inner.list, inner.count, public_key, &private_key);
}

static CK_RV take(const uint8_t *id, size_t id_len, const char *hex, CK_OBJECT_HANDLE *public_key) {
  uint8_t point[2 + 65] = {0x04, 65};
  attributes t = {.count = 0};
  if (strlen(hex) != 130) return CKR_ARGUMENTS_BAD;
  unhex(hex, point + 2);
  put_number(&t, CKA_CLASS, CKO_PUBLIC_KEY);
  put_number(&t, CKA_KEY_TYPE, CKK_HUFU_SM2);
  put_flag(&t, CKA_TOKEN, true);
  put_flag(&t, CKA_VERIFY, true);
  put_bytes(&t, CKA_ID, id, id_len);
  put_bytes(&t, CKA_EC_POINT, point, sizeof point);
  return p11->C_CreateObject(session, t.list, t.count, public_key);
}

int main(int count, char **arguments) {
  uint8_t id[32], point[67];
  CK_OBJECT_HANDLE key;
  if (count < 4 || strlen(arguments[3]) > 2 * sizeof id) return fprintf(stderr, "sm2-key MODULE make ID | take ID POINT\n"), 2;
  load(arguments[1]);
  CK_RV rv = start(NULL);
  if (rv == CKR_OK) rv = open_session(&session);
  if (rv == CKR_OK) rv = p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1);
  if (rv != CKR_OK) return fail("token", rv);
  const size_t id_len = unhex(arguments[3], id);
  rv = count == 5 ? take(id, id_len, arguments[4], &key) : make(id, id_len, &key);
  CK_ATTRIBUTE read = {CKA_EC_POINT, point, sizeof point};
  if (rv == CKR_OK) rv = p11->C_GetAttributeValue(session, key, &read, 1);
  if (rv != CKR_OK) return fail("key", rv);
  for (size_t i = 2; i < read.ulValueLen; i++) printf("%02X", point[i]);
  printf("\n");
  p11->C_Finalize(NULL);
  return 0;
}
