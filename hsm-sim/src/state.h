/*
 * The state of the device: configuration, token, sessions, objects. One slot, one token, one lock. The lock guards the
 * structures only: an operation copies the key it needs out under the lock and computes without it, so that sessions of
 * several threads run side by side.
 */
#ifndef HSM_SIM_STATE_H
#define HSM_SIM_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto.h"
#include "sim_numbers.h"

enum { LABEL_BYTES = 32, SERIAL_BYTES = 16, PATH_MOST = 1024, PIN_LEAST = 4, PIN_MOST = 255, SECRET_MOST = 512, SLOT = 0 };

/* ---- configuration (config.c) --------------------------------------------------------------------------------------- */

typedef enum { PERSONALITY_HUFU, PERSONALITY_SANSEC, PERSONALITY_TASS, PERSONALITY_EP11, PERSONALITY_COMMON, PERSONALITIES } sim_personality;

typedef struct {
  char label[LABEL_BYTES + 1], serial[SERIAL_BYTES + 1], dir[PATH_MOST], control[PATH_MOST];
  CK_VERSION firmware;
  sim_personality personality;
  unsigned pin_tries, sessions_most, objects_most, start_ms;
  bool one_at_a_time;
  uint8_t seed[64];
  size_t seed_bytes;
} sim_config;

/* Reads the file that `HUFU_SIM_CONF` or `reserved` ("conf=PATH") names; neither: defaults. Says on stderr what is wrong. */
CK_RV sim_config_read(sim_config *config, const char *reserved);

/* ---- objects (object.c, attribute.c) ---------------------------------------------------------------------------------- */

typedef struct {
  uint8_t *bytes;
  size_t length;
} sim_blob;

/* Boolean attributes, one bit each; the table in attribute.c ties them to their numbers. */
enum {
  F_TOKEN = 1 << 0, F_PRIVATE = 1 << 1, F_MODIFIABLE = 1 << 2, F_COPYABLE = 1 << 3, F_DESTROYABLE = 1 << 4, F_SENSITIVE = 1 << 5,
  F_EXTRACTABLE = 1 << 6, F_ALWAYS_SENSITIVE = 1 << 7, F_NEVER_EXTRACTABLE = 1 << 8, F_LOCAL = 1 << 9, F_TRUSTED = 1 << 10,
  F_WRAP_WITH_TRUSTED = 1 << 11, F_ENCRYPT = 1 << 12, F_DECRYPT = 1 << 13, F_SIGN = 1 << 14, F_VERIFY = 1 << 15, F_WRAP = 1 << 16,
  F_UNWRAP = 1 << 17, F_DERIVE = 1 << 18, F_SIGN_RECOVER = 1 << 19, F_VERIFY_RECOVER = 1 << 20, F_ALWAYS_AUTHENTICATE = 1 << 21,
  /* Not an attribute: made by concatenation, so it may be wrapped or hashed and nothing else. */
  F_CONCATENATED = 1 << 22,
};
#define F_USAGES (F_ENCRYPT | F_DECRYPT | F_SIGN | F_VERIFY | F_WRAP | F_UNWRAP | F_DERIVE)

enum sim_blobs {
  B_VALUE,      /* secret: key bytes; private: d (32) or RSAPrivateKey; data object: value */
  B_MODULUS, B_EXPONENT, B_EC_PARAMS, B_POINT /* 04 ‖ X ‖ Y */, B_ID, B_LABEL, B_SUBJECT, B_APPLICATION, B_START_DATE, B_END_DATE,
  B_ALLOWED,    /* CK_MECHANISM_TYPE[], as the caller speaks them */
  B_WRAP_TEMPLATE, B_UNWRAP_TEMPLATE, B_DERIVE_TEMPLATE, /* packed: type 8 · length 4 · bytes, repeated */
  BLOBS,
};

typedef struct sim_object {
  CK_OBJECT_HANDLE handle;
  CK_SESSION_HANDLE session; /* owner of a session object */
  CK_OBJECT_CLASS class;
  CK_KEY_TYPE key_type; /* own numbers, whatever the personality */
  CK_MECHANISM_TYPE made_by;
  uint32_t flags;
  uint8_t check_value[3];
  bool has_check_value;
  sim_blob blobs[BLOBS];
  sim_blob sealed; /* a private token object as it is stored */
  struct sim_object *in_bucket, *next, *previous;
} sim_object;

sim_object *sim_object_new(void);
void sim_object_free(sim_object *);
bool sim_blob_set(sim_blob *, const void *bytes, size_t length);
sim_object *sim_object_clone(const sim_object *);
/* A handle and a place in the store. CKR_DEVICE_MEMORY when the token is full. */
CK_RV sim_object_add(sim_object *);
void sim_object_remove(sim_object *);
/* Visible to the login state of now, else NULL. */
sim_object *sim_object_find(CK_OBJECT_HANDLE);
sim_object *sim_object_first(void);
bool sim_object_visible(const sim_object *);
void sim_objects_drop(bool (*match)(const sim_object *, CK_SESSION_HANDLE), CK_SESSION_HANDLE);
/* Serialised form for the token file; NULL from reading = malformed. */
sim_blob sim_object_pack(const sim_object *);
sim_object *sim_object_unpack(const uint8_t *bytes, size_t length);

/* How a new object comes into being: what its template may say hangs on it. */
typedef enum { ORIGIN_CREATE, ORIGIN_GENERATE, ORIGIN_DERIVE, ORIGIN_UNWRAP, ORIGIN_COPY, ORIGIN_SET } sim_origin;

/* Applies a caller's template on an object with defaults. Enforces what hangs on one attribute alone. */
CK_RV sim_template_apply(sim_object *, const CK_ATTRIBUTE *, CK_ULONG count, sim_origin);
CK_RV sim_attribute_get(const sim_object *, CK_ATTRIBUTE *);
bool sim_attribute_equals(const sim_object *, CK_ATTRIBUTE_TYPE, const void *value, CK_ULONG length);
/* In a template: CK_ULONG or CK_BBOOL attribute; false when it is not there. */
bool sim_template_ulong(const CK_ATTRIBUTE *, CK_ULONG count, CK_ATTRIBUTE_TYPE, CK_ULONG *value);
const CK_ATTRIBUTE *sim_template_find(const CK_ATTRIBUTE *, CK_ULONG count, CK_ATTRIBUTE_TYPE);
/* Every attribute of a packed template (B_*_TEMPLATE) equals the object's. An empty template always fits. */
bool sim_packed_template_fits(const sim_blob *, const sim_object *);
/* Imposes a packed template on the caller's: what differs is refused, what is missing is set. */
CK_RV sim_packed_template_impose(const sim_blob *, sim_object *, const CK_ATTRIBUTE *, CK_ULONG count, sim_origin);

/* ---- rules (rules.c): what hangs on several attributes --------------------------------------------------------------- */

/* CKR_TEMPLATE_INCONSISTENT for usages that must not meet in one key. */
CK_RV sim_rules_usages(const sim_object *);
CK_RV sim_rules_pair(const sim_object *public_key, const sim_object *private_key);
CK_RV sim_rules_child(const sim_object *base, sim_object *child);
CK_RV sim_rules_unwrapped(const sim_object *);
/* What an *_ENCRYPT_DATA derivation encrypts, in blocks: where one belongs to the reserved child, only the reserved template and
 * the whole 32 bytes of its data will do. */
CK_RV sim_rules_reserved_factor(size_t block, const uint8_t *data, size_t length, const sim_object *child);
CK_RV sim_rules_wrap(const sim_object *wrapping, const sim_object *key);
/* Sets value, parity and check value of a secret key of its type; CKR_KEY_SIZE_RANGE or CKR_TEMPLATE_INCONSISTENT. */
CK_RV sim_secret_set_value(sim_object *, const uint8_t *bytes, size_t length);
/* Bytes of a secret key as its type and CKA_VALUE_LEN in the template want them; 0 = the type does not say. */
size_t sim_secret_bytes(CK_KEY_TYPE, const CK_ATTRIBUTE *, CK_ULONG count);
/* The block cipher of a key type; false for types that are none. */
bool sim_cipher_of(CK_KEY_TYPE, sim_cipher *);

/* ---- mechanisms (mechanism.c, personality.c) --------------------------------------------------------------------------- */

typedef enum {
  M_KEY_GEN, M_PAIR_RSA, M_PAIR_EC, M_PAIR_SM2, M_ECB, M_CBC, M_CBC_PAD, M_CBC_MAC, M_CMAC, M_RETAIL_MAC, M_DIGEST, M_HMAC, M_RSA_SIGN, M_RSA_PSS,
  M_RSA_PKCS, M_RSA_OAEP, M_ECDSA, M_SM2_SM3, M_SM2_RAW, M_SM2_ENCRYPT, M_ENCRYPT_DATA, M_CBC_ENCRYPT_DATA, M_ENCRYPT_DATA_FLAT, M_CONCAT_BASE_KEY,
  M_CONCAT_BASE_DATA, M_CONCAT_DATA_BASE, M_XOR_DATA, M_EXTRACT, M_HASH_DERIVE, M_XOR_HALVES, M_AES_WRAP, M_AES_WRAP_PAD, M_TR31, M_SHAMIR,
  M_SM2_ENVELOPED_KEY, M_GM0018_ENVELOPE,
} sim_family;

typedef struct {
  CK_MECHANISM_TYPE type; /* own number */
  const char *name;
  sim_family family;
  CK_KEY_TYPE key_type;
  sim_cipher cipher;
  int digest; /* sim_digest, or -1 */
  CK_ULONG least, most;
  CK_FLAGS flags;
} sim_mechanism;

/* By the number that the caller speaks; NULL = this device does not have it. */
const sim_mechanism *sim_mechanism_find(CK_MECHANISM_TYPE spoken);
/* All of the personality, as it speaks them; returns how many. */
CK_ULONG sim_mechanism_list(CK_MECHANISM_TYPE *out, CK_ULONG room);
CK_MECHANISM_TYPE sim_mechanism_to_own(CK_MECHANISM_TYPE spoken);
bool sim_mechanism_spoken(CK_MECHANISM_TYPE own, CK_MECHANISM_TYPE *spoken);
CK_KEY_TYPE sim_key_type_to_own(CK_KEY_TYPE spoken);
CK_KEY_TYPE sim_key_type_spoken(CK_KEY_TYPE own);
typedef struct {
  bool sm2_der_signature, sm2_bare_point;
  CK_ULONG frame_most; /* 0 = no limit */
} sim_quirks;
const sim_quirks *sim_personality_quirks(void);
extern const sim_mechanism SIM_MECHANISMS[];
extern const size_t SIM_MECHANISM_COUNT;

/* ---- sessions, token (session.c, token.c) ------------------------------------------------------------------------------- */

typedef enum { OP_ENCRYPT, OP_DECRYPT, OP_SIGN, OP_VERIFY, OP_DIGEST, OPERATIONS } sim_operation_kind;

typedef struct {
  const sim_mechanism *mechanism; /* NULL = not active */
  CK_KEY_TYPE key_type;
  sim_blob key, public_key, parameter, buffer;
  CK_ULONG number; /* form, digest or salt length */
  bool streaming;  /* an Update was made */
} sim_operation;

typedef struct sim_session {
  CK_SESSION_HANDLE handle;
  CK_FLAGS flags;
  unsigned references;
  bool closed;
  sim_operation operations[OPERATIONS];
  CK_OBJECT_HANDLE *found;
  CK_ULONG found_count, found_at;
  bool finding;
  struct sim_session *next;
} sim_session;

typedef struct {
  bool initialized, user_pin_set, tampered, present;
  CK_UTF8CHAR label[LABEL_BYTES];
  CK_CHAR serial[SERIAL_BYTES];
  unsigned user_tries_left, so_tries_left;
  CK_USER_TYPE user; /* logged in: CKU_USER or CKU_SO; NOBODY */
  uint8_t token_key[32]; /* while the user is logged in */
} sim_token;
#define NOBODY (~0UL)

extern pthread_mutex_t sim_lock;
extern sim_config sim_settings;
extern sim_token sim_the_token;
extern atomic_bool sim_running;

CK_RV sim_session_open(CK_FLAGS, CK_SESSION_HANDLE *);
/* Counted reference, or NULL. Lock held. */
sim_session *sim_session_take(CK_SESSION_HANDLE);
void sim_session_give(sim_session *);
CK_RV sim_session_close(CK_SESSION_HANDLE);
void sim_sessions_close_all(void);
CK_ULONG sim_session_count(bool read_write_only);
void sim_operation_end(sim_operation *);

CK_RV sim_token_init(const CK_UTF8CHAR *pin, CK_ULONG length, const CK_UTF8CHAR *label);
CK_RV sim_token_login(CK_USER_TYPE, const CK_UTF8CHAR *pin, CK_ULONG length);
void sim_token_logout(void);
CK_RV sim_token_set_user_pin(const CK_UTF8CHAR *pin, CK_ULONG length);
CK_RV sim_token_change_pin(const CK_UTF8CHAR *old, CK_ULONG old_length, const CK_UTF8CHAR *pin, CK_ULONG length);
/* Keys are gone, calls answer CKR_DEVICE_ERROR until C_InitToken. The sessions are closed by who calls this. */
void sim_token_tamper(void);
CK_RV sim_token_load(void);
/* After every change of a token object. No directory = nothing to do. */
CK_RV sim_token_save(void);
void sim_token_forget(void);

/* ---- faults (fault.c) ----------------------------------------------------------------------------------------------------- */

#define SIM_FUNCTION_INDEX(name, arguments) FN_##name,
enum sim_function { CK_FUNCTIONS(SIM_FUNCTION_INDEX) FUNCTIONS };

typedef struct {
  CK_RV rv;  /* answer this instead of working */
  bool flip; /* one bit of the result */
} sim_fault;

void sim_faults_open(const char *path);
void sim_faults_close(void);
/* Waits (latency, hang) and says what else happens to this call. Lock not held. */
sim_fault sim_fault_next(enum sim_function);
/* Serialises calls where the device takes one at a time. */
void sim_device_enter(void);
void sim_device_leave(void);

#endif
