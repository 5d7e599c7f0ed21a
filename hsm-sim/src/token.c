/*
 * The token: initialisation, PINs, its file. Private objects are stored encrypted under the token key (AES-256-CBC, then
 * HMAC-SHA-256), which is stored wrapped (RFC 3394) under a key stretched from each PIN. A simulator's protection: the file
 * shows no key, the stretching is short.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

enum { SALT = 16, KEY = 32, WRAPPED = KEY + 8, STRETCH = 2000, MAC = 32, IV = 16 };
static const char MAGIC[8] = "HUFUSIM1";

pthread_mutex_t sim_lock = PTHREAD_MUTEX_INITIALIZER;
sim_config sim_settings;
sim_token sim_the_token = {.user = NOBODY, .present = true};

/* What stands in the file beside the objects. */
static struct {
  uint8_t salt[2][SALT], wrapped[2][WRAPPED]; /* by CK_USER_TYPE: CKU_SO, CKU_USER */
  bool set[2];
} pins;

/* Private objects while nobody is logged in. */
static sim_blob *sealed;
static size_t sealed_count;

static void stretch(const CK_UTF8CHAR *pin, CK_ULONG length, const uint8_t salt[SALT], uint8_t key[KEY]) {
  PKCS5_PBKDF2_HMAC((const char *)pin, (int)length, salt, SALT, STRETCH, EVP_sha256(), KEY, key);
}

static CK_RV set_pin(CK_USER_TYPE user, const CK_UTF8CHAR *pin, CK_ULONG length, const uint8_t token_key[KEY]) {
  uint8_t key[KEY];
  size_t wrapped = WRAPPED;
  if (length < PIN_LEAST || length > PIN_MOST || pin == NULL) return CKR_PIN_LEN_RANGE;
  sim_random(pins.salt[user], SALT);
  stretch(pin, length, pins.salt[user], key);
  CK_RV rv = sim_aes_wrap(key, KEY, true, false, token_key, KEY, pins.wrapped[user], &wrapped);
  pins.set[user] = rv == CKR_OK;
  OPENSSL_cleanse(key, sizeof key);
  return rv;
}

static bool open_pin(CK_USER_TYPE user, const CK_UTF8CHAR *pin, CK_ULONG length, uint8_t token_key[KEY]) {
  uint8_t key[KEY];
  size_t opened = KEY;
  if (pin == NULL || length > PIN_MOST) return false;
  stretch(pin, length, pins.salt[user], key);
  const CK_RV rv = sim_aes_wrap(key, KEY, false, false, pins.wrapped[user], WRAPPED, token_key, &opened);
  OPENSSL_cleanse(key, sizeof key);
  return rv == CKR_OK && opened == KEY;
}

/* ---- private objects ---- */

static sim_blob seal(const sim_object *object) {
  sim_blob clear = sim_object_pack(object), out = {NULL, 0};
  size_t room = clear.length + 16;
  uint8_t *bytes = malloc(IV + room + MAC);
  if (clear.bytes != NULL && bytes != NULL) {
    sim_random(bytes, IV);
    if (sim_cbc_pad(SIM_AES, sim_the_token.token_key, KEY, true, bytes, clear.bytes, clear.length, bytes + IV, &room) == CKR_OK &&
        sim_hmac(SIM_SHA256, sim_the_token.token_key, KEY, bytes, IV + room, bytes + IV + room) == CKR_OK) {
      out = (sim_blob){bytes, IV + room + MAC};
    }
  }
  if (out.bytes == NULL) free(bytes);
  sim_blob_set(&clear, NULL, 0);
  return out;
}

static sim_object *unseal(const sim_blob *blob) {
  uint8_t mac[MAC];
  if (blob->length < IV + 16 + MAC) return NULL;
  const size_t body = blob->length - MAC;
  if (sim_hmac(SIM_SHA256, sim_the_token.token_key, KEY, blob->bytes, body, mac) != CKR_OK || CRYPTO_memcmp(mac, blob->bytes + body, MAC) != 0) return NULL;
  size_t room = body;
  uint8_t *clear = malloc(room);
  sim_object *object = NULL;
  if (clear != NULL && sim_cbc_pad(SIM_AES, sim_the_token.token_key, KEY, false, blob->bytes, blob->bytes + IV, body - IV, clear, &room) == CKR_OK) object = sim_object_unpack(clear, room);
  if (clear != NULL) OPENSSL_cleanse(clear, body);
  free(clear);
  return object;
}

static bool private_token_object(const sim_object *object, CK_SESSION_HANDLE session) {
  (void)session;
  return (object->flags & F_PRIVATE) && (object->flags & F_TOKEN);
}
static bool private_object(const sim_object *object, CK_SESSION_HANDLE session) {
  (void)session;
  return (object->flags & F_PRIVATE) != 0;
}
static bool any_object(const sim_object *object, CK_SESSION_HANDLE session) {
  (void)object, (void)session;
  return true;
}

static void drop_sealed(void) {
  for (size_t i = 0; i < sealed_count; i++) sim_blob_set(&sealed[i], NULL, 0);
  free(sealed);
  sealed = NULL;
  sealed_count = 0;
}

/* Brings the list of sealed objects up to date; while nobody is logged in it is what it was. */
static CK_RV reseal(void) {
  if (sim_the_token.user != CKU_USER) return CKR_OK;
  drop_sealed();
  size_t count = 0;
  for (sim_object *each = sim_object_first(); each != NULL; each = each->next) count += private_token_object(each, 0);
  sealed = calloc(count + 1, sizeof *sealed);
  if (sealed == NULL) return CKR_HOST_MEMORY;
  for (sim_object *each = sim_object_first(); each != NULL; each = each->next) {
    if (!private_token_object(each, 0)) continue;
    if (each->sealed.bytes == NULL) each->sealed = seal(each);
    if (each->sealed.bytes == NULL || !sim_blob_set(&sealed[sealed_count], each->sealed.bytes, each->sealed.length)) return CKR_HOST_MEMORY;
    sealed_count++;
  }
  return CKR_OK;
}

static CK_RV unseal_all(void) {
  for (size_t i = 0; i < sealed_count; i++) {
    sim_object *object = unseal(&sealed[i]);
    if (object == NULL) return CKR_DEVICE_ERROR;
    sim_blob_set(&object->sealed, sealed[i].bytes, sealed[i].length);
    CK_RV rv = sim_object_add(object);
    if (rv != CKR_OK) return rv;
  }
  return CKR_OK;
}

/* ---- the file ---- */

static bool file_path(char *out, size_t room, const char *ending) { return sim_settings.dir[0] != 0 && snprintf(out, room, "%s/token%s", sim_settings.dir, ending) < (int)room; }

static void put32(FILE *file, size_t value) {
  const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
  fwrite(bytes, 1, 4, file);
}
static bool get32(FILE *file, size_t *value) {
  uint8_t bytes[4];
  if (fread(bytes, 1, 4, file) != 4) return false;
  *value = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
  return true;
}

static void put_state(FILE *file) {
  const uint8_t flags[8] = {sim_the_token.initialized, sim_the_token.user_pin_set, sim_the_token.tampered, pins.set[0], pins.set[1], (uint8_t)sim_the_token.user_tries_left, (uint8_t)sim_the_token.so_tries_left, 0};
  fwrite(MAGIC, 1, sizeof MAGIC, file);
  fwrite(flags, 1, sizeof flags, file);
  fwrite(sim_the_token.label, 1, LABEL_BYTES, file);
  fwrite(pins.salt, 1, sizeof pins.salt, file);
  fwrite(pins.wrapped, 1, sizeof pins.wrapped, file);
}

static bool get_state(FILE *file) {
  char magic[8];
  uint8_t flags[8];
  if (fread(magic, 1, 8, file) != 8 || memcmp(magic, MAGIC, 8) != 0 || fread(flags, 1, 8, file) != 8) return false;
  sim_the_token.initialized = flags[0];
  sim_the_token.user_pin_set = flags[1];
  sim_the_token.tampered = flags[2];
  pins.set[0] = flags[3];
  pins.set[1] = flags[4];
  sim_the_token.user_tries_left = flags[5];
  sim_the_token.so_tries_left = flags[6];
  return fread(sim_the_token.label, 1, LABEL_BYTES, file) == LABEL_BYTES && fread(pins.salt, 1, sizeof pins.salt, file) == sizeof pins.salt && fread(pins.wrapped, 1, sizeof pins.wrapped, file) == sizeof pins.wrapped;
}

static void put_objects(FILE *file) {
  size_t count = sealed_count;
  for (sim_object *each = sim_object_first(); each != NULL; each = each->next) count += (each->flags & (F_TOKEN | F_PRIVATE)) == F_TOKEN;
  put32(file, count);
  for (sim_object *each = sim_object_first(); each != NULL; each = each->next) {
    if ((each->flags & (F_TOKEN | F_PRIVATE)) != F_TOKEN) continue;
    sim_blob packed = sim_object_pack(each);
    put32(file, 0);
    put32(file, packed.length);
    fwrite(packed.bytes, 1, packed.length, file);
    sim_blob_set(&packed, NULL, 0);
  }
  for (size_t i = 0; i < sealed_count; i++) {
    put32(file, 1);
    put32(file, sealed[i].length);
    fwrite(sealed[i].bytes, 1, sealed[i].length, file);
  }
}

static bool get_objects(FILE *file) {
  size_t count, is_sealed, length;
  if (!get32(file, &count) || count > 10000000) return false;
  sealed = calloc(count + 1, sizeof *sealed);
  for (size_t i = 0; i < count; i++) {
    if (!get32(file, &is_sealed) || !get32(file, &length) || length > 65536) return false;
    uint8_t *bytes = malloc(length + 1);
    if (bytes == NULL || fread(bytes, 1, length, file) != length) return free(bytes), false;
    if (is_sealed) sealed[sealed_count++] = (sim_blob){bytes, length};
    else {
      sim_object *object = sim_object_unpack(bytes, length);
      free(bytes);
      if (object == NULL || sim_object_add(object) != CKR_OK) return false;
    }
  }
  return true;
}

CK_RV sim_token_save(void) {
  char path[PATH_MOST + 64], fresh[PATH_MOST + 64];
  CK_RV rv = reseal();
  if (rv != CKR_OK || !file_path(path, sizeof path, ".bin")) return rv;
  file_path(fresh, sizeof fresh, ".new");
  const int descriptor = open(fresh, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
  if (file == NULL) return CKR_DEVICE_ERROR;
  put_state(file);
  put_objects(file);
  const bool good = fflush(file) == 0 && !ferror(file);
  return fclose(file) == 0 && good && rename(fresh, path) == 0 ? CKR_OK : CKR_DEVICE_MEMORY;
}

void sim_token_forget(void) {
  sim_objects_drop(any_object, 0);
  drop_sealed();
  memset(&pins, 0, sizeof pins);
  OPENSSL_cleanse(&sim_the_token, sizeof sim_the_token);
  sim_the_token.user = NOBODY;
  sim_the_token.present = true;
  memset(sim_the_token.serial, ' ', SERIAL_BYTES);
  memcpy(sim_the_token.serial, sim_settings.serial, strlen(sim_settings.serial));
  memset(sim_the_token.label, ' ', LABEL_BYTES);
}

CK_RV sim_token_load(void) {
  char path[PATH_MOST + 64];
  sim_token_forget();
  sim_the_token.user_tries_left = sim_the_token.so_tries_left = sim_settings.pin_tries;
  if (!file_path(path, sizeof path, ".bin")) return CKR_OK;
  FILE *file = fopen(path, "re");
  if (file == NULL) return errno == ENOENT ? CKR_OK : CKR_DEVICE_ERROR;
  const bool good = get_state(file) && get_objects(file);
  fclose(file);
  if (good) return CKR_OK;
  fprintf(stderr, "hsm-sim: 令牌文件损坏 / the token file is damaged: %s\n", path);
  sim_token_forget();
  return CKR_DEVICE_ERROR;
}

/* ---- life ---- */

/* The device's own pair: its public half is what a ceremony reads the fingerprint of. */
static CK_RV make_identity(void) {
  uint8_t d[32], point[65];
  static const uint8_t p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
  CK_RV rv = sim_ec_generate(SIM_P256, d, point);
  for (int half = 0; half < 2 && rv == CKR_OK; half++) {
    sim_object *object = sim_object_new();
    if (object == NULL) return CKR_HOST_MEMORY;
    object->class = half ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
    object->key_type = CKK_EC;
    object->made_by = CKM_EC_KEY_PAIR_GEN;
    object->flags = F_TOKEN | F_LOCAL | (half ? F_PRIVATE | F_SENSITIVE | F_ALWAYS_SENSITIVE | F_NEVER_EXTRACTABLE | F_SIGN : F_VERIFY);
    sim_blob_set(&object->blobs[B_EC_PARAMS], p256, sizeof p256);
    sim_blob_set(&object->blobs[B_POINT], point, sizeof point);
    sim_blob_set(&object->blobs[B_LABEL], "device-identity", 15);
    if (half) sim_blob_set(&object->blobs[B_VALUE], d, sizeof d);
    rv = sim_object_add(object);
  }
  OPENSSL_cleanse(d, sizeof d);
  return rv;
}

/* Every way of showing a PIN counts, else C_SetPIN would guess without end. */
static CK_RV try_pin(CK_USER_TYPE user, const CK_UTF8CHAR *pin, CK_ULONG length, uint8_t token_key[KEY]) {
  unsigned *left = user == CKU_USER ? &sim_the_token.user_tries_left : &sim_the_token.so_tries_left;
  if (*left == 0) return CKR_PIN_LOCKED;
  /* Counted before it is tried: a power cut gives no try back. */
  (*left)--;
  CK_RV rv = sim_token_save();
  if (rv != CKR_OK) return rv;
  if (!open_pin(user, pin, length, token_key)) return *left == 0 ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
  *left = sim_settings.pin_tries;
  return sim_token_save();
}

CK_RV sim_token_init(const CK_UTF8CHAR *pin, CK_ULONG length, const CK_UTF8CHAR *label) {
  uint8_t token_key[KEY];
  CK_RV rv = sim_the_token.initialized && !sim_the_token.tampered ? try_pin(CKU_SO, pin, length, token_key) : CKR_OK;
  if (rv != CKR_OK) return rv;
  if (length < PIN_LEAST || length > PIN_MOST) return CKR_PIN_LEN_RANGE;
  sim_token_forget();
  sim_random(token_key, sizeof token_key);
  rv = set_pin(CKU_SO, pin, length, token_key);
  if (rv == CKR_OK) {
    memcpy(sim_the_token.label, label, LABEL_BYTES);
    sim_the_token.initialized = true;
    sim_the_token.user_tries_left = sim_the_token.so_tries_left = sim_settings.pin_tries;
    memcpy(sim_the_token.token_key, token_key, KEY);
    sim_the_token.user = CKU_USER; /* for as long as the identity is made and sealed */
    rv = make_identity();
    if (rv == CKR_OK) rv = sim_token_save();
    sim_token_logout();
  }
  OPENSSL_cleanse(token_key, sizeof token_key);
  return rv;
}

CK_RV sim_token_login(CK_USER_TYPE user, const CK_UTF8CHAR *pin, CK_ULONG length) {
  if (user != CKU_USER && user != CKU_SO) return CKR_USER_TYPE_INVALID;
  if (sim_the_token.user != NOBODY) return sim_the_token.user == user ? CKR_USER_ALREADY_LOGGED_IN : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
  if (!sim_the_token.initialized) return CKR_TOKEN_NOT_RECOGNIZED;
  if (user == CKU_USER && !sim_the_token.user_pin_set) return CKR_USER_PIN_NOT_INITIALIZED;
  CK_RV rv = try_pin(user, pin, length, sim_the_token.token_key);
  if (rv == CKR_OK && user == CKU_USER) rv = unseal_all();
  if (rv != CKR_OK) return rv;
  sim_the_token.user = user;
  return CKR_OK;
}

void sim_token_logout(void) {
  if (sim_the_token.user == CKU_USER) sim_objects_drop(private_object, 0);
  sim_the_token.user = NOBODY;
  OPENSSL_cleanse(sim_the_token.token_key, KEY);
}

CK_RV sim_token_set_user_pin(const CK_UTF8CHAR *pin, CK_ULONG length) {
  CK_RV rv = set_pin(CKU_USER, pin, length, sim_the_token.token_key);
  if (rv != CKR_OK) return rv;
  sim_the_token.user_pin_set = true;
  sim_the_token.user_tries_left = sim_settings.pin_tries;
  return sim_token_save();
}

CK_RV sim_token_change_pin(const CK_UTF8CHAR *old, CK_ULONG old_length, const CK_UTF8CHAR *pin, CK_ULONG length) {
  uint8_t token_key[KEY];
  const CK_USER_TYPE user = sim_the_token.user == CKU_SO ? CKU_SO : CKU_USER;
  if (!pins.set[user]) return CKR_USER_PIN_NOT_INITIALIZED;
  CK_RV rv = try_pin(user, old, old_length, token_key);
  if (rv == CKR_OK) rv = set_pin(user, pin, length, token_key);
  OPENSSL_cleanse(token_key, sizeof token_key);
  return rv == CKR_OK ? sim_token_save() : rv;
}

void sim_token_tamper(void) {
  sim_objects_drop(any_object, 0);
  drop_sealed();
  memset(&pins, 0, sizeof pins);
  sim_the_token.tampered = true;
  sim_the_token.user_pin_set = false;
  (void)sim_token_save(); /* the keys are gone from memory whatever the disk says */
}
