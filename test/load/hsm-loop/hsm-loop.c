/*
 * The reference of `bench hsm`: the PKCS#11 calls of a recipe in a bare loop, one session, one thread, on the module and
 * token that the product uses. What the product reaches of this is the price of its processes, checks and queues.
 *
 *   hsm-loop MODULE PARAMETERS LABEL PIN_FILE protectForCard|checkValues SECONDS [singles]
 *
 * PARAMETERS: the reserved string of C_Initialize, empty for none. Prints one JSON line: items per second, or with `singles`
 * also the 99th percentile of single items in milliseconds. The keys are session objects made here.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cryptoki.h"

#define CHECK(call)                                                                  \
  do {                                                                               \
    CK_RV rv_ = (call);                                                              \
    if (rv_ != CKR_OK) {                                                             \
      fprintf(stderr, "hsm-loop: %s: 0x%08lx\n", #call, (unsigned long)rv_);         \
      exit(1);                                                                       \
    }                                                                                \
  } while (0)

enum { ITEMS_AT_ONCE = 1000, SINGLES = 10000, LABEL_BYTES = 32, BLOCK = 8 };

static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE des2 = CKK_DES2, generic = CKK_GENERIC_SECRET;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One usage at most, as the product's templates have it. */
static CK_ULONG key_template(CK_ATTRIBUTE *t, CK_KEY_TYPE *type, CK_ATTRIBUTE_TYPE usage, CK_BBOOL *extractable, CK_BBOOL *sensitive, CK_ULONG *bytes) {
  static const CK_ATTRIBUTE_TYPE usages[] = {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE};
  CK_ULONG n = 0;
  t[n++] = (CK_ATTRIBUTE){CKA_CLASS, &secret_class, sizeof secret_class};
  t[n++] = (CK_ATTRIBUTE){CKA_KEY_TYPE, type, sizeof *type};
  t[n++] = (CK_ATTRIBUTE){CKA_TOKEN, &no, 1};
  t[n++] = (CK_ATTRIBUTE){CKA_PRIVATE, &yes, 1};
  t[n++] = (CK_ATTRIBUTE){CKA_SENSITIVE, sensitive, 1};
  t[n++] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, extractable, 1};
  for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) t[n++] = (CK_ATTRIBUTE){usages[i], usages[i] == usage ? &yes : &no, 1};
  if (bytes != NULL) t[n++] = (CK_ATTRIBUTE){CKA_VALUE_LEN, bytes, sizeof *bytes};
  return n;
}

static CK_OBJECT_HANDLE derive(CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, const CK_BYTE *data, CK_ULONG length, CK_ATTRIBUTE *t, CK_ULONG n) {
  CK_KEY_DERIVATION_STRING_DATA parameter = {(CK_BYTE *)data, length};
  CK_MECHANISM mechanism = {type, &parameter, sizeof parameter};
  CK_OBJECT_HANDLE child;
  CHECK(p11->C_DeriveKey(session, &mechanism, key, t, n, &child));
  return child;
}

/* The PBOC rule: E3(K, X) ‖ E3(K, ~X); `twin`: E3(K, X) twice. */
static CK_OBJECT_HANDLE child(CK_OBJECT_HANDLE key, CK_ULONG factor, int twin, CK_KEY_TYPE *type, CK_ATTRIBUTE_TYPE usage, CK_BBOOL *extractable, CK_ULONG *bytes) {
  CK_BYTE data[2 * BLOCK];
  for (int i = 0; i < BLOCK; i++) {
    data[i] = (CK_BYTE)(factor >> (8 * (BLOCK - 1 - i)));
    data[BLOCK + i] = twin ? data[i] : (CK_BYTE)~data[i];
  }
  CK_ATTRIBUTE t[16];
  CK_ULONG n = key_template(t, type, usage, extractable, &yes, bytes);
  return derive(key, CKM_DES3_ECB_ENCRYPT_DATA, data, sizeof data, t, n);
}

static CK_OBJECT_HANDLE level(CK_OBJECT_HANDLE key, CK_ULONG factor) { return child(key, factor, 0, &des2, CKA_DERIVE, &no, NULL); }

static void encrypt(CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, CK_BYTE *iv, const CK_BYTE *in, CK_ULONG length, CK_BYTE *out) {
  CK_MECHANISM mechanism = {type, iv, iv == NULL ? 0 : BLOCK};
  CK_ULONG out_len = length + BLOCK;
  CHECK(p11->C_EncryptInit(session, &mechanism, key));
  CHECK(p11->C_Encrypt(session, (CK_BYTE *)in, length, out, &out_len));
}

static CK_OBJECT_HANDLE root(void) {
  CK_MECHANISM mechanism = {CKM_DES2_KEY_GEN, NULL, 0};
  CK_ATTRIBUTE t[16];
  CK_ULONG n = key_template(t, &des2, CKA_DERIVE, &yes, &yes, NULL);
  CK_OBJECT_HANDLE key;
  CHECK(p11->C_GenerateKey(session, &mechanism, t, n, &key));
  return key;
}

static CK_OBJECT_HANDLE load_region, control_region, value_region;

/* Data key below region and card, under the card's control key (region, card, file): the steps of the product's recipe. */
static void protect_for_card(CK_ULONG card) {
  CK_ULONG key_bytes = 16, headed_bytes = 25, block_bytes = 32;
  CK_OBJECT_HANDLE made[8];
  int count = 0;
  CK_OBJECT_HANDLE key = made[count++] = child(load_region, card, 0, &generic, CKA_DERIVE, &yes, &key_bytes);
  CK_OBJECT_HANDLE of_card = made[count++] = level(control_region, card);
  CK_OBJECT_HANDLE wrapping = made[count++] = child(of_card, 3, 0, &des2, CKA_WRAP, &no, NULL);
  CK_OBJECT_HANDLE whole = made[count++] = child(of_card, 3, 0, &des2, CKA_ENCRYPT, &no, NULL);
  CK_OBJECT_HANDLE left = made[count++] = child(of_card, 3, 1, &des2, CKA_ENCRYPT, &no, NULL);
  static const CK_BYTE head[9] = {0x18, 1, 1, 0, 8, 0x0f, 4, 0x0f, 0x33}, tail[7] = {0x80};
  CK_ATTRIBUTE t[16];
  CK_ULONG n = key_template(t, &generic, CKA_DERIVE, &yes, &yes, &headed_bytes);
  CK_OBJECT_HANDLE headed = made[count++] = derive(key, CKM_CONCATENATE_DATA_AND_BASE, head, sizeof head, t, n);
  n = key_template(t, &generic, 0, &yes, &yes, &block_bytes);
  CK_OBJECT_HANDLE block = made[count++] = derive(headed, CKM_CONCATENATE_BASE_AND_DATA, tail, sizeof tail, t, n);
  CK_MECHANISM ecb = {CKM_DES3_ECB, NULL, 0};
  CK_BYTE message[48] = {0x84, 0xd4, 1, 0, 0x24}, chain[64], iv[BLOCK] = {1, 2, 3, 4}, mac[2 * BLOCK];
  CK_ULONG cipher_bytes = 32;
  CHECK(p11->C_WrapKey(session, &ecb, wrapping, block, message + 5, &cipher_bytes));
  message[37] = 0x80;
  encrypt(left, CKM_DES3_CBC, iv, message, 32, chain);
  for (int i = 0; i < BLOCK; i++) message[32 + i] ^= chain[24 + i];
  encrypt(whole, CKM_DES3_ECB, NULL, message + 32, BLOCK, mac);
  while (count > 0) CHECK(p11->C_DestroyObject(session, made[--count]));
}

/* The check value of a card key: a readable child of 3 bytes, or CKA_CHECK_VALUE where the module's is right. */
static void check_value_by_child(CK_ULONG card) {
  static const CK_BYTE zeros[BLOCK];
  CK_ULONG three = 3;
  CK_BYTE value[3];
  CK_OBJECT_HANDLE key = level(value_region, card);
  CK_ATTRIBUTE t[16];
  CK_ULONG n = key_template(t, &generic, 0, &yes, &no, &three);
  CK_OBJECT_HANDLE readable = derive(key, CKM_DES3_ECB_ENCRYPT_DATA, zeros, sizeof zeros, t, n);
  CK_ATTRIBUTE get = {CKA_VALUE, value, sizeof value};
  CHECK(p11->C_GetAttributeValue(session, readable, &get, 1));
  CHECK(p11->C_DestroyObject(session, readable));
  CHECK(p11->C_DestroyObject(session, key));
}

static void check_value_by_attribute(CK_ULONG card) {
  CK_BYTE value[3];
  CK_OBJECT_HANDLE key = level(value_region, card);
  CK_ATTRIBUTE get = {CKA_CHECK_VALUE, value, sizeof value};
  CHECK(p11->C_GetAttributeValue(session, key, &get, 1));
  CHECK(p11->C_DestroyObject(session, key));
}

static void log_in(const char *label, const char *pin_file) {
  CK_SLOT_ID slots[16];
  CK_ULONG count = 16;
  CHECK(p11->C_GetSlotList(CK_TRUE, slots, &count));
  for (CK_ULONG i = 0; i < count; i++) {
    CK_TOKEN_INFO info;
    char padded[LABEL_BYTES + 1];
    CHECK(p11->C_GetTokenInfo(slots[i], &info));
    snprintf(padded, sizeof padded, "%-32s", label);
    if (memcmp(info.label, padded, LABEL_BYTES) != 0) continue;
    CK_BYTE pin[256];
    FILE *file = fopen(pin_file, "rb");
    if (file == NULL) break;
    CK_ULONG length = fread(pin, 1, sizeof pin, file);
    fclose(file);
    CHECK(p11->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    CHECK(p11->C_Login(session, CKU_USER, pin, length));
    memset(pin, 0, sizeof pin);
    return;
  }
  fprintf(stderr, "hsm-loop: no token %s\n", label);
  exit(1);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double p99_of_singles(void (*item)(CK_ULONG)) {
  static double took[SINGLES];
  for (int i = 0; i < SINGLES; i++) {
    const double start = now_ms();
    item((CK_ULONG)i + 1);
    took[i] = now_ms() - start;
  }
  qsort(took, SINGLES, sizeof *took, by_value);
  return took[SINGLES * 99 / 100];
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
  if (library != NULL) *(void **)&get = dlsym(library, "C_GetFunctionList");
  if (get == NULL) {
    fprintf(stderr, "hsm-loop: %s\n", dlerror());
    return 1;
  }
  CHECK(get(&p11));
  /* NSS has a field of its own before the reserved one; to every other module it is the reserved one. */
  struct {
    CK_C_INITIALIZE_ARGS standard;
    void *reserved_of_nss;
  } arguments = {{.flags = CKF_OS_LOCKING_OK, .pReserved = argv[2][0] == 0 ? NULL : argv[2]}, NULL};
  CHECK(p11->C_Initialize(&arguments));
  log_in(argv[3], argv[4]);
  void (*item)(CK_ULONG) = strcmp(argv[5], "protectForCard") == 0 ? protect_for_card : strcmp(argv[5], "checkValuesByAttribute") == 0 ? check_value_by_attribute : check_value_by_child;
  const CK_OBJECT_HANDLE load = root(), control = root();
  const double until = now_ms() + atof(argv[6]) * 1e3, start = now_ms();
  long items = 0;
  while (now_ms() < until) {
    load_region = level(load, 77);
    control_region = level(control, 77);
    value_region = level(load, 78);
    for (int i = 0; i < ITEMS_AT_ONCE; i++) item((CK_ULONG)++items);
    CHECK(p11->C_DestroyObject(session, load_region));
    CHECK(p11->C_DestroyObject(session, control_region));
    CHECK(p11->C_DestroyObject(session, value_region));
  }
  const double rate = (double)items / ((now_ms() - start) / 1e3);
  double p99 = 0;
  if (argc > 7) {
    load_region = level(load, 77);
    control_region = level(control, 77);
    value_region = level(load, 78);
    p99 = p99_of_singles(item);
  }
  printf("{\"perSecond\":%.1f,\"p99Ms\":%.4f}\n", rate, p99);
  p11->C_Finalize(NULL);
  return 0;
}
