/* How the device behaves: PINs, limits, persistence, identity, tampering, personalities, and faults on command. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <fcntl.h>

#include "client.h"

static char folder[] = "/tmp/hsm-sim-test-XXXXXX", conf[64], control_path[64];
static uint8_t *control;

static void configure(const char *more) {
  FILE *file = fopen(conf, "w");
  fprintf(file, "label = unit\nserial = UNIT00000000042\n%s\n", more);
  fclose(file);
}

static void command(const char *text) {
  memset(control + 64, 0, 4096 - 64);
  strcpy((char *)control + 64, text);
  __atomic_add_fetch((uint64_t *)(void *)control, 1, __ATOMIC_RELEASE);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static CK_FLAGS token_flags(void) {
  CK_TOKEN_INFO info;
  return p11->C_GetTokenInfo(0, &info) == CKR_OK ? info.flags : 0;
}

static CK_RV random_call(void) {
  CK_BYTE byte;
  return p11->C_GenerateRandom(session, &byte, 1);
}

static void without_configuration(void) {
  CK_ULONG count = 0, mechanisms = 0;
  CK_SLOT_ID slot;
  expect("starts without configuration", start(NULL), CKR_OK);
  p11->C_GetSlotList(CK_TRUE, NULL, &count);
  check(count == 1, "  one slot");
  count = 1;
  p11->C_GetSlotList(CK_TRUE, &slot, &count);
  p11->C_GetMechanismList(slot, NULL, &mechanisms);
  check(mechanisms == 75, "  every mechanism listed (%lu)", mechanisms);
  check(!(token_flags() & CKF_TOKEN_INITIALIZED), "  an empty token");
  CK_MECHANISM_TYPE list[128];
  mechanisms = 128;
  p11->C_GetMechanismList(slot, list, &mechanisms);
  CK_ULONG described = 0;
  for (CK_ULONG i = 0; i < mechanisms; i++) {
    CK_MECHANISM_INFO info;
    described += p11->C_GetMechanismInfo(slot, list[i], &info) == CKR_OK && info.flags != 0;
  }
  check(described == mechanisms, "  and described");
  p11->C_Finalize(NULL);
}

static void refusals(void) {
  setenv("HUFU_PROFILE", "production", 1);
  expect("refuses to load in production", start(NULL), CKR_FUNCTION_FAILED);
  unsetenv("HUFU_PROFILE");
  configure("no_such_key = 1");
  expect("refuses an unknown key", start(conf), CKR_ARGUMENTS_BAD);
  expect("refuses a configuration that is not there", start("/nowhere/hsm-sim.conf"), CKR_ARGUMENTS_BAD);
}

static void pins_and_limits(void) {
  configure("pin_tries = 3\nsessions_most = 4\nobjects_most = 6");
  start(conf);
  ready_token();
  CK_SESSION_HANDLE more[4];
  int opened = 0;
  while (opened < 4 && open_session(&more[opened]) == CKR_OK) opened++;
  check(opened == 3, "four sessions at most");
  expect("  the fifth is refused", open_session(&more[3]), CKR_SESSION_COUNT);
  CK_OBJECT_HANDLE last = 0;
  CK_RV rv = CKR_OK;
  for (int i = 0; i < 6 && rv == CKR_OK; i++) {
    attributes t;
    CK_MECHANISM gen = {CKM_DES2_KEY_GEN, NULL, 0};
    secret_template(&t, CKK_DES2, "kt", 0);
    rv = p11->C_GenerateKey(session, &gen, t.list, t.count, &last);
  }
  expect("a full token says so", rv, CKR_DEVICE_MEMORY);
  attributes again;
  CK_MECHANISM des2 = {CKM_DES2_KEY_GEN, NULL, 0};
  p11->C_DestroyObject(session, last);
  secret_template(&again, CKK_DES2, "kt", 0);
  expect("  and has room again when one goes", p11->C_GenerateKey(session, &des2, again.list, again.count, &last), CKR_OK);
  CK_TOKEN_INFO info;
  p11->C_GetTokenInfo(0, &info);
  check(memcmp(info.serialNumber, "UNIT00000000042 ", 16) == 0, "its own serial number");
  p11->C_Logout(session);
  expect("a wrong PIN", p11->C_Login(session, CKU_USER, PIN_OF("wrong")), CKR_PIN_INCORRECT);
  check(token_flags() & CKF_USER_PIN_COUNT_LOW, "  is counted");
  expect("  twice", p11->C_Login(session, CKU_USER, PIN_OF("wrong")), CKR_PIN_INCORRECT);
  check(token_flags() & CKF_USER_PIN_FINAL_TRY, "  leaves one try");
  expect("  thrice", p11->C_Login(session, CKU_USER, PIN_OF("wrong")), CKR_PIN_LOCKED);
  check(token_flags() & CKF_USER_PIN_LOCKED, "  locks");
  expect("  the right one comes too late", p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1), CKR_PIN_LOCKED);
  p11->C_Login(session, CKU_SO, SO_PIN, sizeof SO_PIN - 1);
  expect("  the security officer sets a new one", p11->C_InitPIN(session, PIN_OF("fresh-1")), CKR_OK);
  p11->C_Logout(session);
  expect("  which works", p11->C_Login(session, CKU_USER, PIN_OF("fresh-1")), CKR_OK);
  expect("  and is changed by its owner", p11->C_SetPIN(session, PIN_OF("fresh-1"), PIN_OF("fresh-2")), CKR_OK);
  p11->C_Logout(session);
  expect("  to another", p11->C_Login(session, CKU_USER, PIN_OF("fresh-2")), CKR_OK);
  p11->C_Logout(session);
  expect("a change with a wrong PIN", p11->C_SetPIN(session, PIN_OF("wrong"), PIN_OF("fresh-3")), CKR_PIN_INCORRECT);
  check(token_flags() & CKF_USER_PIN_COUNT_LOW, "  is counted");
  p11->C_SetPIN(session, PIN_OF("wrong"), PIN_OF("fresh-3"));
  expect("  thrice", p11->C_SetPIN(session, PIN_OF("wrong"), PIN_OF("fresh-3")), CKR_PIN_LOCKED);
  expect("  a locked PIN is not changed", p11->C_SetPIN(session, PIN_OF("fresh-2"), PIN_OF("fresh-3")), CKR_PIN_LOCKED);
  p11->C_CloseSession(session);
  for (int i = 0; i < 3; i++) p11->C_CloseSession(more[i]);
  CK_UTF8CHAR label[32];
  memset(label, ' ', sizeof label);
  expect("C_InitToken with a wrong PIN", p11->C_InitToken(0, (CK_UTF8CHAR *)"wrong", 5, label), CKR_PIN_INCORRECT);
  check(token_flags() & CKF_SO_PIN_COUNT_LOW, "  is counted");
  p11->C_InitToken(0, (CK_UTF8CHAR *)"wrong", 5, label);
  expect("  thrice", p11->C_InitToken(0, (CK_UTF8CHAR *)"wrong", 5, label), CKR_PIN_LOCKED);
  expect("  the right one comes too late", p11->C_InitToken(0, (CK_UTF8CHAR *)SO_PIN, sizeof SO_PIN - 1, label), CKR_PIN_LOCKED);
  p11->C_Finalize(NULL);
}

static CK_OBJECT_HANDLE find_label(const char *label, CK_OBJECT_CLASS class) {
  CK_ATTRIBUTE t[2] = {{CKA_LABEL, (void *)label, strlen(label)}, {CKA_CLASS, &class, sizeof class}};
  CK_OBJECT_HANDLE found = 0;
  CK_ULONG count = 0;
  p11->C_FindObjectsInit(session, t, 2);
  p11->C_FindObjects(session, &found, 1, &count);
  p11->C_FindObjectsFinal(session);
  return count == 1 ? found : 0;
}

static void persistence(void) {
  char more[160];
  snprintf(more, sizeof more, "dir = %s", folder);
  configure(more);
  const pid_t child = fork();
  if (child == 0) {
    start(conf);
    ready_token();
    attributes t;
    uint8_t value[16];
    CK_OBJECT_HANDLE key;
    secret_template(&t, CKK_DES2, "kt", 0);
    put_bytes(&t, CKA_VALUE, value, unhex("0123456789ABCDEFFEDCBA9876543210", value));
    put_bytes(&t, CKA_LABEL, "kept", 4);
    _exit(p11->C_CreateObject(session, t.list, t.count, &key) == CKR_OK ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  check(status == 0, "another process makes a key");
  expect("this one opens the token", start(conf), CKR_OK);
  open_session(&session);
  check(find_label("kept", CKO_SECRET_KEY) == 0, "  does not see it without a login");
  const CK_OBJECT_HANDLE identity = find_label("device-identity", CKO_PUBLIC_KEY);
  check(identity != 0, "  sees the device's public identity");
  p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1);
  const CK_OBJECT_HANDLE kept = find_label("kept", CKO_SECRET_KEY);
  uint8_t value[3];
  kcv(kept, value);
  same("  finds it after login, with its value", value, 3, "08D7B4");
  const CK_OBJECT_HANDLE own = find_label("device-identity", CKO_PRIVATE_KEY);
  uint8_t digest[32] = {1}, signature[64], wrapped[256];
  CK_ULONG length = sizeof signature;
  expect("  the identity signs", sign(CKM_ECDSA, NULL, 0, own, digest, 32, signature, &length), CKR_OK);
  CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
  p11->C_VerifyInit(session, &ecdsa, identity);
  expect("  verifiably", p11->C_Verify(session, digest, 32, signature, 64), CKR_OK);
  attributes t;
  CK_OBJECT_HANDLE kek;
  CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0};
  secret_template(&t, CKK_AES, "w", 32);
  p11->C_GenerateKey(session, &gen, t.list, t.count, &kek);
  length = sizeof wrapped;
  expect("  and does not leave", wrap(CKM_AES_KEY_WRAP_PAD, NULL, 0, kek, own, wrapped, &length), CKR_KEY_UNEXTRACTABLE);
  expect("  a destroyed key", p11->C_DestroyObject(session, kept), CKR_OK);
  p11->C_Finalize(NULL);
  start(conf);
  open_session(&session);
  p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1);
  check(find_label("kept", CKO_SECRET_KEY) == 0, "  stays gone");
  p11->C_Finalize(NULL);
  char path[96];
  snprintf(path, sizeof path, "%s/token.bin", folder);
  FILE *file = fopen(path, "r+");
  fseek(file, -20, SEEK_END);
  const int octet = fgetc(file);
  fseek(file, -20, SEEK_END);
  fputc(octet ^ 1, file);
  fclose(file);
  start(conf);
  open_session(&session);
  expect("a damaged token file is refused", p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1), CKR_DEVICE_ERROR);
  p11->C_Finalize(NULL);
  unlink(path);
}

static bool kcv_of_seed(const char *seed, uint8_t out[3]) {
  char more[64];
  snprintf(more, sizeof more, "seed = %s", seed);
  configure(more);
  start(conf);
  ready_token();
  attributes t;
  CK_OBJECT_HANDLE key;
  CK_MECHANISM gen = {CKM_DES2_KEY_GEN, NULL, 0};
  secret_template(&t, CKK_DES2, "k", 0);
  const bool made = p11->C_GenerateKey(session, &gen, t.list, t.count, &key) == CKR_OK;
  kcv(key, out);
  p11->C_Finalize(NULL);
  return made;
}

static void seeded(void) {
  uint8_t first[3], second[3];
  check(kcv_of_seed("00112233", first) && kcv_of_seed("00112233", second), "keys from a seed");
  check(memcmp(first, second, 3) == 0, "a seed makes the same keys again");
  check(kcv_of_seed("8899AABB", second) && memcmp(first, second, 3) != 0, "  another seed others");
}

/* A power cut gives no try back. */
static void lock_out_persists(void) {
  char more[160], path[96];
  snprintf(more, sizeof more, "dir = %s\npin_tries = 2", folder);
  configure(more);
  setenv("HUFU_SIM_CONF", conf, 1); /* the other way to name it */
  start(NULL);
  ready_token();
  p11->C_Logout(session);
  expect("a wrong PIN", p11->C_Login(session, CKU_USER, PIN_OF("wrong")), CKR_PIN_INCORRECT);
  p11->C_Finalize(NULL);
  start(NULL);
  check(token_flags() & CKF_USER_PIN_FINAL_TRY, "  is remembered after a restart");
  open_session(&session);
  expect("  the last try", p11->C_Login(session, CKU_USER, PIN_OF("wrong")), CKR_PIN_LOCKED);
  p11->C_Finalize(NULL);
  start(NULL);
  open_session(&session);
  expect("  locked after a restart", p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1), CKR_PIN_LOCKED);
  p11->C_Finalize(NULL);
  unsetenv("HUFU_SIM_CONF");
  snprintf(path, sizeof path, "%s/token.bin", folder);
  unlink(path);
}

/* ---- faults ---- */

static void *unhang(void *nothing) {
  usleep(150000);
  command("");
  return nothing;
}

static atomic_bool hanging_done;
static void *hanging_call(void *nothing) {
  (void)random_call();
  hanging_done = true;
  return nothing;
}

static void faults(void) {
  char more[160];
  snprintf(more, sizeof more, "control = %s\nstart_ms = 60", control_path);
  configure(more);
  const double before = now_ms();
  start(conf);
  check(now_ms() - before >= 60, "slow start");
  ready_token();
  expect("no fault", random_call(), CKR_OK);
  command("C_GenerateRandom ckr=CKR_DEVICE_ERROR nth=2");
  CK_RV seen[6];
  for (int i = 0; i < 4; i++) seen[i] = random_call();
  check(seen[0] == CKR_OK && seen[1] == CKR_DEVICE_ERROR && seen[2] == CKR_OK && seen[3] == CKR_OK, "the second call fails");
  command("C_GenerateRandom ckr=0x32 every=2");
  for (int i = 0; i < 4; i++) seen[i] = random_call();
  check(seen[0] == CKR_OK && seen[1] == CKR_DEVICE_REMOVED && seen[2] == CKR_OK && seen[3] == CKR_DEVICE_REMOVED, "every second call fails");
  command("# a comment\nC_GenerateRandom ckr=CKR_FUNCTION_FAILED first=2\nC_GetSessionInfo ckr=CKR_HOST_MEMORY");
  for (int i = 0; i < 3; i++) seen[i] = random_call();
  CK_SESSION_INFO info;
  check(seen[0] == CKR_FUNCTION_FAILED && seen[1] == CKR_FUNCTION_FAILED && seen[2] == CKR_OK && p11->C_GetSessionInfo(session, &info) == CKR_HOST_MEMORY, "the first two calls, and another function always");
  command("C_GenerateRandom latency=40");
  double from = now_ms();
  random_call();
  check(now_ms() - from >= 40, "latency");
  command("C_GenerateRandom latency=10 jitter=10");
  from = now_ms();
  random_call();
  check(now_ms() - from >= 10, "latency with jitter");
  command("C_GenerateRandom hang");
  pthread_t thread;
  pthread_create(&thread, NULL, hanging_call, NULL);
  usleep(20000);
  expect("while one call hangs", p11->C_GetSessionInfo(session, &info), CKR_OK);
  check(!hanging_done, "  others are answered");
  command("");
  pthread_join(thread, NULL);
  check(hanging_done, "  and it ends when the line goes");
  command("C_GenerateRandom hang");
  pthread_create(&thread, NULL, unhang, NULL);
  from = now_ms();
  expect("a hang ends when it is taken away", random_call(), CKR_OK);
  check(now_ms() - from >= 100, "  and not before");
  pthread_join(thread, NULL);

  uint8_t clean[16], dirty[16], in[16] = {1};
  CK_ULONG length = 16;
  const CK_OBJECT_HANDLE key = import(CKK_AES, "000102030405060708090A0B0C0D0E0F", "e"), root = import(CKK_DES2, "0123456789ABCDEFFEDCBA9876543210", "k");
  encrypt(CKM_AES_ECB, NULL, 0, key, in, 16, clean, &length);
  command("C_Encrypt flip\nC_DeriveKey flip");
  encrypt(CKM_AES_ECB, NULL, 0, key, in, 16, dirty, &length);
  int bits = 0;
  for (int i = 0; i < 16; i++) bits += __builtin_popcount(clean[i] ^ dirty[i]);
  check(bits == 1, "one flipped bit in a result");
  attributes t;
  CK_OBJECT_HANDLE a, b;
  uint8_t factor[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, one[3], two[3];
  secret_template(&t, CKK_DES2, "k", 0);
  derive_data(CKM_DES3_ECB_ENCRYPT_DATA, root, factor, 16, &t, &a);
  command("");
  derive_data(CKM_DES3_ECB_ENCRYPT_DATA, root, factor, 16, &t, &b);
  kcv(a, one);
  kcv(b, two);
  check(memcmp(one, two, 3) != 0, "  and in a derived key");

  const CK_OBJECT_HANDLE signer = import(CKK_AES, "000102030405060708090A0B0C0D0E0F", "sv"), kek = import(CKK_AES, "000102030405060708090A0B0C0D0E0F", "w"), leaving = import(CKK_AES, "000102030405060708090A0B0C0D0E0F", "ex");
  CK_MECHANISM cmac = {CKM_AES_CMAC, NULL, 0};
  uint8_t package[2][64];
  CK_ULONG lengths[2] = {64, 64};
  command("C_Sign flip\nC_WrapKey flip");
  length = 16;
  sign(CKM_AES_CMAC, NULL, 0, signer, in, 16, dirty, &length);
  wrap(CKM_AES_KEY_WRAP, NULL, 0, kek, leaving, package[0], &lengths[0]);
  command("");
  p11->C_VerifyInit(session, &cmac, signer);
  expect("  in a MAC", p11->C_Verify(session, in, 16, dirty, length), CKR_SIGNATURE_INVALID);
  wrap(CKM_AES_KEY_WRAP, NULL, 0, kek, leaving, package[1], &lengths[1]);
  check(lengths[0] == lengths[1] && memcmp(package[0], package[1], lengths[0]) != 0, "  in a wrapped key");

  command("C_Sign ckr=CKR_DEVICE_ERROR first=1");
  length = 16;
  expect("an error in the middle of an operation", sign(CKM_AES_CMAC, NULL, 0, signer, in, 16, dirty, &length), CKR_DEVICE_ERROR);
  expect("  ends it", sign(CKM_AES_CMAC, NULL, 0, signer, in, 16, dirty, &length), CKR_OK);

  command("* sessions-gone");
  expect("sessions gone", random_call(), CKR_SESSION_HANDLE_INVALID);
  open_session(&session);
  expect("  a new one works", p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1), CKR_OK);
  command("* remove");
  expect("removed", random_call(), CKR_DEVICE_REMOVED);
  CK_TOKEN_INFO token;
  CK_ULONG count = 9;
  expect("  no token", p11->C_GetTokenInfo(0, &token), CKR_TOKEN_NOT_PRESENT);
  p11->C_GetSlotList(CK_TRUE, NULL, &count);
  check(count == 0, "  no slot with a token");
  command("");
  expect("  back: sessions are gone", random_call(), CKR_SESSION_HANDLE_INVALID);
  open_session(&session);
  expect("  and the login works", p11->C_Login(session, CKU_USER, PIN, sizeof PIN - 1), CKR_OK);
  command("C_GenerateRandom tamper nth=1");
  random_call();
  command("");
  check(token_flags() & CKF_ERROR_STATE, "tampered");
  open_session(&session);
  expect("  answers nothing", random_call(), CKR_DEVICE_ERROR);
  p11->C_CloseAllSessions(0);
  ready_token();
  expect("  until it is initialised anew", random_call(), CKR_OK);
  p11->C_Finalize(NULL);
}

/* Latency of a device that takes one call at a time adds up, of another it does not. */
static void *one_call(void *handle) {
  CK_BYTE byte;
  p11->C_GenerateRandom(*(CK_SESSION_HANDLE *)handle, &byte, 1);
  return NULL;
}

static void serial_device(void) {
  for (int serial = 0; serial < 2; serial++) {
    char more[160];
    snprintf(more, sizeof more, "control = %s\nserial_device = %s", control_path, serial ? "yes" : "no");
    configure(more);
    start(conf);
    ready_token();
    CK_SESSION_HANDLE handles[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) open_session(&handles[i]);
    command("C_GenerateRandom latency=150");
    const double from = now_ms();
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, one_call, &handles[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    const double took = now_ms() - from;
    command("");
    check(serial ? took >= 600 : took < 500, serial ? "one call at a time" : "four calls side by side");
    p11->C_Finalize(NULL);
  }
}

static void personalities(void) {
  static const struct {
    const char *name;
    CK_KEY_TYPE sm4;
    CK_MECHANISM_TYPE gen, ecb, pair, sm2;
    bool der;
  } rows[] = {
      {"sansec", 0x80000106, 0x80000107, 0x80000108, 0x80008001, 0x80008100, false}, {"tass", 0x80000002, 0x80000107, 0x80000108, 0x80008001, 0x80008100, true},
      {"ep11", 0x80050001, 0x80050001, 0x80050004, 0x8005000A, 0x8005000C, false},   {"common", 0x80000005, 0x80000040, 0x80000041, 0x80000001, 0, false},
      {"hufu", CKK_HUFU_SM4, CKM_HUFU_SM4_KEY_GEN, CKM_HUFU_SM4_ECB, CKM_HUFU_SM2_KEY_PAIR_GEN, CKM_HUFU_SM2_SM3, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char more[64];
    snprintf(more, sizeof more, "personality = %s", rows[i].name);
    configure(more);
    start(conf);
    ready_token();
    uint8_t out[16];
    CK_ULONG length = 16;
    expect(rows[i].name, encrypt(rows[i].ecb, NULL, 0, import(rows[i].sm4, "0123456789ABCDEFFEDCBA9876543210", "e"), (const uint8_t *)"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10", 16, out, &length), CKR_OK);
    same("  SM4 by its numbers", out, 16, "681EDF34D206965E86B3E94F536E4246");
    attributes p = {.count = 0}, s = {.count = 0};
    CK_OBJECT_HANDLE a, b;
    CK_MECHANISM pair = {rows[i].pair, NULL, 0}, verify = {rows[i].sm2, NULL, 0};
    put_flag(&p, CKA_VERIFY, true);
    put_flag(&s, CKA_SIGN, true);
    expect("  SM2 pair by its numbers", p11->C_GenerateKeyPair(session, &pair, p.list, p.count, s.list, s.count, &a, &b), CKR_OK);
    if (rows[i].sm2 != 0) {
      uint8_t signature[80];
      length = sizeof signature;
      expect("  signs", sign(rows[i].sm2, NULL, 0, b, (const uint8_t *)"abc", 3, signature, &length), CKR_OK);
      check(rows[i].der ? signature[0] == 0x30 && length > 64 : length == 64, "  in its form (%lu bytes)", length);
      p11->C_VerifyInit(session, &verify, a);
      expect("  verifies", p11->C_Verify(session, (CK_BYTE *)"abc", 3, signature, length), CKR_OK);
    }
    if (strcmp(rows[i].name, "hufu") != 0) {
      CK_MECHANISM own = {CKM_HUFU_SM4_KEY_GEN, NULL, 0};
      attributes t;
      secret_template(&t, CKK_HUFU_SM4, "k", 0);
      expect("  and does not know ours", p11->C_GenerateKey(session, &own, t.list, t.count, &a), CKR_MECHANISM_INVALID);
    }
    p11->C_Finalize(NULL);
  }
}

int main(int argc, char **argv) {
  if (argc != 2 || mkdtemp(folder) == NULL) return 2;
  snprintf(conf, sizeof conf, "%s/conf", folder);
  snprintf(control_path, sizeof control_path, "%s/control", folder);
  const int file = open(control_path, O_CREAT | O_RDWR, 0600);
  if (file < 0 || ftruncate(file, 4096) != 0) return 2;
  control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  load(argv[1]);
  without_configuration();
  refusals();
  pins_and_limits();
  persistence();
  lock_out_persists();
  seeded();
  faults();
  serial_device();
  personalities();
  unlink(conf);
  unlink(control_path);
  rmdir(folder);
  return closing_line();
}
