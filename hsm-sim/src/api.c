/*
 * The interface: every C_ function. Each first asks for faults (which may wait), then works under the lock or, for what takes
 * long, on a copy without it. `ENTER` does the former for every function alike.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "key.h"
#include "operation.h"

atomic_bool sim_running;

#define EXPORT __attribute__((visibility("default")))

/* A call that needs the device: waits for it, for latency and for hangs; `fault` says what else. Leave by LEAVE. */
#define ENTER(name)                                                     \
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;                \
  sim_device_enter();                                                   \
  const sim_fault fault = sim_fault_next(FN_##name);                    \
  if (fault.rv != CKR_OK) {                                             \
    sim_device_leave();                                                 \
    return fault.rv;                                                    \
  }                                                                     \
  pthread_mutex_lock(&sim_lock);                                        \
  CK_RV rv = CKR_OK

#define LEAVE                         \
  do {                                \
    pthread_mutex_unlock(&sim_lock);  \
    sim_device_leave();               \
    (void)fault;                      \
    return rv;                        \
  } while (0)

/* With a session: `session` is a counted reference. */
#define ENTER_SESSION(name)                                     \
  ENTER(name);                                                  \
  sim_session *session = sim_session_take(hSession);            \
  if (session == NULL) rv = CKR_SESSION_HANDLE_INVALID;         \
  else if (sim_the_token.tampered) rv = CKR_DEVICE_ERROR

#define LEAVE_SESSION             \
  do {                            \
    sim_session_give(session);    \
    LEAVE;                        \
  } while (0)

static void pad(CK_UTF8CHAR *out, size_t room, const char *text) {
  const size_t length = strlen(text) < room ? strlen(text) : room;
  memset(out, ' ', room);
  memcpy(out, text, length);
}

/* ---- module, slot, token ---- */

EXPORT CK_RV C_Initialize(void *pInitArgs) {
  const CK_C_INITIALIZE_ARGS *arguments = pInitArgs;
  const char *profile = getenv("HUFU_PROFILE");
  if (sim_running) return CKR_CRYPTOKI_ALREADY_INITIALIZED;
  if (profile != NULL && strcmp(profile, "production") == 0) {
    fprintf(stderr, "hsm-sim: 模拟器不得用于生产环境 / the simulator does not load in production\n");
    return CKR_FUNCTION_FAILED;
  }
  CK_RV rv = sim_config_read(&sim_settings, arguments == NULL ? NULL : arguments->pReserved);
  if (rv != CKR_OK) return rv;
  sim_random_seed(sim_settings.seed_bytes > 0 ? sim_settings.seed : NULL, sim_settings.seed_bytes);
  sim_faults_open(sim_settings.control);
  const struct timespec start = {sim_settings.start_ms / 1000, (long)(sim_settings.start_ms % 1000) * 1000000};
  nanosleep(&start, NULL);
  const sim_fault fault = sim_fault_next(FN_C_Initialize);
  if (fault.rv != CKR_OK) return fault.rv;
  pthread_mutex_lock(&sim_lock);
  rv = sim_token_load();
  sim_running = rv == CKR_OK;
  pthread_mutex_unlock(&sim_lock);
  return rv;
}

EXPORT CK_RV C_Finalize(void *pReserved) {
  if (pReserved != NULL) return CKR_ARGUMENTS_BAD;
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  pthread_mutex_lock(&sim_lock);
  sim_running = false;
  sim_sessions_close_all();
  sim_token_forget();
  sim_faults_close();
  pthread_mutex_unlock(&sim_lock);
  return CKR_OK;
}

EXPORT CK_RV C_GetInfo(CK_INFO *pInfo) {
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (pInfo == NULL) return CKR_ARGUMENTS_BAD;
  *pInfo = (CK_INFO){.cryptokiVersion = {2, 40}, .libraryVersion = {1, 0}};
  pad(pInfo->manufacturerID, sizeof pInfo->manufacturerID, "Hufu");
  pad(pInfo->libraryDescription, sizeof pInfo->libraryDescription, "hsm-sim (simulator)");
  return CKR_OK;
}

EXPORT CK_RV C_GetSlotList(CK_BBOOL tokenPresent, CK_SLOT_ID *pSlotList, CK_ULONG *pulCount) {
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (pulCount == NULL) return CKR_ARGUMENTS_BAD;
  (void)sim_fault_next(FN_C_GetSlotList); /* learns of a removal; nothing else happens here */
  const CK_ULONG count = tokenPresent && !sim_the_token.present ? 0 : 1;
  if (pSlotList != NULL && *pulCount < count) return *pulCount = count, CKR_BUFFER_TOO_SMALL;
  if (pSlotList != NULL && count > 0) pSlotList[0] = SLOT;
  *pulCount = count;
  return CKR_OK;
}

EXPORT CK_RV C_GetSlotInfo(CK_SLOT_ID slotID, CK_SLOT_INFO *pInfo) {
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (slotID != SLOT) return CKR_SLOT_ID_INVALID;
  if (pInfo == NULL) return CKR_ARGUMENTS_BAD;
  (void)sim_fault_next(FN_C_GetSlotInfo);
  *pInfo = (CK_SLOT_INFO){.flags = CKF_REMOVABLE_DEVICE | CKF_HW_SLOT | (sim_the_token.present ? CKF_TOKEN_PRESENT : 0), .hardwareVersion = {1, 0}, .firmwareVersion = sim_settings.firmware};
  pad(pInfo->slotDescription, sizeof pInfo->slotDescription, "hsm-sim slot");
  pad(pInfo->manufacturerID, sizeof pInfo->manufacturerID, "Hufu");
  return CKR_OK;
}

static CK_FLAGS pin_flags(unsigned left, CK_FLAGS low, CK_FLAGS last, CK_FLAGS locked) {
  return (left < sim_settings.pin_tries ? low : 0) | (left == 1 ? last : 0) | (left == 0 ? locked : 0);
}

EXPORT CK_RV C_GetTokenInfo(CK_SLOT_ID slotID, CK_TOKEN_INFO *pInfo) {
  ENTER(C_GetTokenInfo);
  if (slotID != SLOT) rv = CKR_SLOT_ID_INVALID;
  else if (pInfo == NULL) rv = CKR_ARGUMENTS_BAD;
  else {
    const sim_token *t = &sim_the_token;
    *pInfo = (CK_TOKEN_INFO){
        .flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_DUAL_CRYPTO_OPERATIONS | (t->initialized ? CKF_TOKEN_INITIALIZED : 0) | (t->user_pin_set ? CKF_USER_PIN_INITIALIZED : 0) | (t->tampered ? CKF_ERROR_STATE : 0) |
                 pin_flags(t->user_tries_left, CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED) | pin_flags(t->so_tries_left, CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED),
        .ulMaxSessionCount = sim_settings.sessions_most, .ulSessionCount = sim_session_count(false), .ulMaxRwSessionCount = sim_settings.sessions_most, .ulRwSessionCount = sim_session_count(true),
        .ulMaxPinLen = PIN_MOST, .ulMinPinLen = PIN_LEAST, .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION, .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION, .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION, .hardwareVersion = {1, 0}, .firmwareVersion = sim_settings.firmware,
    };
    if (t->initialized) memcpy(pInfo->label, t->label, LABEL_BYTES);
    else pad(pInfo->label, LABEL_BYTES, sim_settings.label);
    memcpy(pInfo->serialNumber, t->serial, SERIAL_BYTES);
    pad(pInfo->manufacturerID, sizeof pInfo->manufacturerID, "Hufu");
    pad(pInfo->model, sizeof pInfo->model, "hsm-sim");
  }
  LEAVE;
}

EXPORT CK_RV C_GetMechanismList(CK_SLOT_ID slotID, CK_MECHANISM_TYPE *pMechanismList, CK_ULONG *pulCount) {
  ENTER(C_GetMechanismList);
  if (slotID != SLOT) rv = CKR_SLOT_ID_INVALID;
  else if (pulCount == NULL) rv = CKR_ARGUMENTS_BAD;
  else {
    const CK_ULONG room = *pulCount;
    *pulCount = sim_mechanism_list(pMechanismList, room);
    if (pMechanismList != NULL && room < *pulCount) rv = CKR_BUFFER_TOO_SMALL;
  }
  LEAVE;
}

EXPORT CK_RV C_GetMechanismInfo(CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *pInfo) {
  ENTER(C_GetMechanismInfo);
  const sim_mechanism *m = sim_mechanism_find(type);
  if (slotID != SLOT) rv = CKR_SLOT_ID_INVALID;
  else if (m == NULL) rv = CKR_MECHANISM_INVALID;
  else if (pInfo == NULL) rv = CKR_ARGUMENTS_BAD;
  else *pInfo = (CK_MECHANISM_INFO){m->least, m->most, m->flags | CKF_HW};
  LEAVE;
}

EXPORT CK_RV C_InitToken(CK_SLOT_ID slotID, CK_UTF8CHAR *pPin, CK_ULONG ulPinLen, CK_UTF8CHAR *pLabel) {
  ENTER(C_InitToken);
  if (slotID != SLOT) rv = CKR_SLOT_ID_INVALID;
  else if (pPin == NULL || pLabel == NULL) rv = CKR_ARGUMENTS_BAD;
  else rv = sim_session_count(false) > 0 ? CKR_SESSION_EXISTS : sim_token_init(pPin, ulPinLen, pLabel);
  LEAVE;
}

EXPORT CK_RV C_InitPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR *pPin, CK_ULONG ulPinLen) {
  ENTER_SESSION(C_InitPIN);
  if (rv == CKR_OK && sim_the_token.user != CKU_SO) rv = CKR_USER_NOT_LOGGED_IN;
  if (rv == CKR_OK) rv = pPin == NULL ? CKR_ARGUMENTS_BAD : sim_token_set_user_pin(pPin, ulPinLen);
  LEAVE_SESSION;
}

EXPORT CK_RV C_SetPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR *pOldPin, CK_ULONG ulOldLen, CK_UTF8CHAR *pNewPin, CK_ULONG ulNewLen) {
  ENTER_SESSION(C_SetPIN);
  if (rv == CKR_OK && !(session->flags & CKF_RW_SESSION)) rv = CKR_SESSION_READ_ONLY;
  if (rv == CKR_OK) rv = sim_token_change_pin(pOldPin, ulOldLen, pNewPin, ulNewLen);
  LEAVE_SESSION;
}

/* ---- sessions ---- */

EXPORT CK_RV C_OpenSession(CK_SLOT_ID slotID, CK_FLAGS flags, void *pApplication, CK_NOTIFY Notify, CK_SESSION_HANDLE *phSession) {
  (void)pApplication, (void)Notify;
  ENTER(C_OpenSession);
  if (slotID != SLOT) rv = CKR_SLOT_ID_INVALID;
  else rv = phSession == NULL ? CKR_ARGUMENTS_BAD : sim_session_open(flags, phSession);
  LEAVE;
}

EXPORT CK_RV C_CloseSession(CK_SESSION_HANDLE hSession) {
  ENTER(C_CloseSession);
  rv = sim_session_close(hSession);
  LEAVE;
}

EXPORT CK_RV C_CloseAllSessions(CK_SLOT_ID slotID) {
  ENTER(C_CloseAllSessions);
  if (slotID != SLOT) rv = CKR_SLOT_ID_INVALID;
  else sim_sessions_close_all();
  LEAVE;
}

EXPORT CK_RV C_GetSessionInfo(CK_SESSION_HANDLE hSession, CK_SESSION_INFO *pInfo) {
  ENTER_SESSION(C_GetSessionInfo);
  if (rv == CKR_OK && pInfo == NULL) rv = CKR_ARGUMENTS_BAD;
  if (rv == CKR_OK) {
    const bool rw = (session->flags & CKF_RW_SESSION) != 0;
    const CK_STATE state = sim_the_token.user == CKU_SO ? CKS_RW_SO_FUNCTIONS : sim_the_token.user == CKU_USER ? (rw ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS) : rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
    *pInfo = (CK_SESSION_INFO){SLOT, state, session->flags, 0};
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_Login(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR *pPin, CK_ULONG ulPinLen) {
  ENTER_SESSION(C_Login);
  if (rv == CKR_OK && userType == CKU_SO && sim_session_count(false) != sim_session_count(true)) rv = CKR_SESSION_READ_ONLY_EXISTS;
  if (rv == CKR_OK) rv = sim_token_login(userType, pPin, ulPinLen);
  LEAVE_SESSION;
}

EXPORT CK_RV C_Logout(CK_SESSION_HANDLE hSession) {
  ENTER_SESSION(C_Logout);
  if (rv == CKR_OK && sim_the_token.user == NOBODY) rv = CKR_USER_NOT_LOGGED_IN;
  if (rv == CKR_OK) sim_token_logout();
  LEAVE_SESSION;
}

/* ---- objects ---- */

EXPORT CK_RV C_CreateObject(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE *phObject) {
  ENTER_SESSION(C_CreateObject);
  if (rv == CKR_OK) rv = pTemplate == NULL || phObject == NULL ? CKR_ARGUMENTS_BAD : sim_key_create(session, pTemplate, ulCount, phObject);
  LEAVE_SESSION;
}

EXPORT CK_RV C_CopyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE *phNewObject) {
  ENTER_SESSION(C_CopyObject);
  if (rv == CKR_OK) rv = phNewObject == NULL || (pTemplate == NULL && ulCount > 0) ? CKR_ARGUMENTS_BAD : sim_key_copy(session, hObject, pTemplate, ulCount, phNewObject);
  LEAVE_SESSION;
}

EXPORT CK_RV C_DestroyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject) {
  ENTER_SESSION(C_DestroyObject);
  sim_object *object = rv == CKR_OK ? sim_object_find(hObject) : NULL;
  if (rv == CKR_OK && object == NULL) rv = CKR_OBJECT_HANDLE_INVALID;
  if (rv == CKR_OK && !(object->flags & F_DESTROYABLE)) rv = CKR_ACTION_PROHIBITED;
  if (rv == CKR_OK && (object->flags & F_TOKEN) && !(session->flags & CKF_RW_SESSION)) rv = CKR_SESSION_READ_ONLY;
  if (rv == CKR_OK) {
    const bool stored = (object->flags & F_TOKEN) != 0;
    sim_object_remove(object);
    if (stored) rv = sim_token_save();
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_GetObjectSize(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ULONG *pulSize) {
  ENTER_SESSION(C_GetObjectSize);
  const sim_object *object = rv == CKR_OK ? sim_object_find(hObject) : NULL;
  if (rv == CKR_OK && object == NULL) rv = CKR_OBJECT_HANDLE_INVALID;
  if (rv == CKR_OK && pulSize == NULL) rv = CKR_ARGUMENTS_BAD;
  if (rv == CKR_OK) {
    *pulSize = sizeof *object;
    for (int i = 0; i < BLOBS; i++) *pulSize += object->blobs[i].length;
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_GetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount) {
  ENTER_SESSION(C_GetAttributeValue);
  const sim_object *object = rv == CKR_OK ? sim_object_find(hObject) : NULL;
  if (rv == CKR_OK && object == NULL) rv = CKR_OBJECT_HANDLE_INVALID;
  /* Every attribute is answered, the last complaint is returned (PKCS#11 v2.40, 5.7). */
  for (CK_ULONG i = 0; object != NULL && i < ulCount; i++) {
    CK_RV each = sim_attribute_get(object, &pTemplate[i]);
    if (each != CKR_OK) rv = each;
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_SetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount) {
  ENTER_SESSION(C_SetAttributeValue);
  sim_object *object = rv == CKR_OK ? sim_object_find(hObject) : NULL;
  if (rv == CKR_OK && object == NULL) rv = CKR_OBJECT_HANDLE_INVALID;
  if (rv == CKR_OK && !(object->flags & F_MODIFIABLE)) rv = CKR_ACTION_PROHIBITED;
  if (rv == CKR_OK && (object->flags & F_TOKEN) && !(session->flags & CKF_RW_SESSION)) rv = CKR_SESSION_READ_ONLY;
  sim_object *changed = rv == CKR_OK ? sim_object_clone(object) : NULL;
  if (rv == CKR_OK && changed == NULL) rv = CKR_HOST_MEMORY;
  if (rv == CKR_OK) rv = sim_template_apply(changed, pTemplate, ulCount, ORIGIN_SET);
  if (rv == CKR_OK) rv = sim_rules_usages(changed);
  if (rv == CKR_OK) { /* all or nothing: the whole template held, so it is applied in place */
    (void)sim_template_apply(object, pTemplate, ulCount, ORIGIN_SET);
    sim_blob_set(&object->sealed, NULL, 0);
    if (object->flags & F_TOKEN) rv = sim_token_save();
  }
  sim_object_free(changed);
  LEAVE_SESSION;
}

EXPORT CK_RV C_FindObjectsInit(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount) {
  ENTER_SESSION(C_FindObjectsInit);
  if (rv == CKR_OK && session->finding) rv = CKR_OPERATION_ACTIVE;
  if (rv == CKR_OK) {
    CK_ULONG room = 16;
    session->found_count = session->found_at = 0;
    session->found = malloc(room * sizeof *session->found);
    for (const sim_object *each = sim_object_first(); each != NULL && session->found != NULL; each = each->next) {
      bool fits = sim_object_visible(each);
      for (CK_ULONG i = 0; i < ulCount && fits; i++) {
        CK_ULONG spoken = pTemplate[i].type == CKA_KEY_TYPE && pTemplate[i].ulValueLen == sizeof spoken ? *(CK_ULONG *)pTemplate[i].pValue : 0;
        fits = sim_attribute_equals(each, pTemplate[i].type, pTemplate[i].type == CKA_KEY_TYPE ? (void *)&spoken : pTemplate[i].pValue, pTemplate[i].ulValueLen);
      }
      if (!fits) continue;
      if (session->found_count == room) {
        CK_OBJECT_HANDLE *more = realloc(session->found, (room *= 2) * sizeof *more);
        if (more == NULL) free(session->found);
        session->found = more;
      }
      if (session->found != NULL) session->found[session->found_count++] = each->handle;
    }
    session->finding = session->found != NULL;
    if (!session->finding) rv = CKR_HOST_MEMORY;
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_FindObjects(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE *phObject, CK_ULONG ulMaxObjectCount, CK_ULONG *pulObjectCount) {
  ENTER_SESSION(C_FindObjects);
  if (rv == CKR_OK && !session->finding) rv = CKR_OPERATION_NOT_INITIALIZED;
  if (rv == CKR_OK) {
    for (*pulObjectCount = 0; *pulObjectCount < ulMaxObjectCount && session->found_at < session->found_count;) phObject[(*pulObjectCount)++] = session->found[session->found_at++];
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE hSession) {
  ENTER_SESSION(C_FindObjectsFinal);
  if (rv == CKR_OK && !session->finding) rv = CKR_OPERATION_NOT_INITIALIZED;
  if (rv == CKR_OK) {
    free(session->found);
    session->found = NULL;
    session->finding = false;
  }
  LEAVE_SESSION;
}

/* ---- operations with a key ---- */

static CK_RV begin(enum sim_function function, CK_SESSION_HANDLE hSession, sim_operation_kind kind, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  sim_device_enter();
  const sim_fault fault = sim_fault_next(function);
  CK_RV rv = fault.rv;
  if (rv == CKR_OK) {
    pthread_mutex_lock(&sim_lock);
    sim_session *session = sim_session_take(hSession);
    if (session == NULL) rv = CKR_SESSION_HANDLE_INVALID;
    else if (sim_the_token.tampered) rv = CKR_DEVICE_ERROR;
    else rv = mechanism == NULL ? CKR_ARGUMENTS_BAD : sim_operation_begin(&session->operations[kind], kind, mechanism, key);
    sim_session_give(session);
    pthread_mutex_unlock(&sim_lock);
  }
  sim_device_leave();
  return rv;
}

static bool append(sim_blob *buffer, const CK_BYTE *bytes, CK_ULONG length) {
  if (length == 0) return true;
  uint8_t *grown = realloc(buffer->bytes, buffer->length + length);
  if (grown == NULL) return false;
  memcpy(grown + buffer->length, bytes, length);
  *buffer = (sim_blob){grown, buffer->length + length};
  return true;
}

/* Runs an operation to its end: `last` is the data of a single call, or NULL after Updates. The session's own thread works on its
 * operation without the lock; the counted reference keeps it alive. */
static CK_RV finish(enum sim_function function, CK_SESSION_HANDLE hSession, sim_operation_kind kind, bool single, const CK_BYTE *last, CK_ULONG last_len, CK_BYTE *out, CK_ULONG *out_len) {
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  sim_device_enter();
  const sim_fault fault = sim_fault_next(function);
  pthread_mutex_lock(&sim_lock);
  sim_session *session = sim_session_take(hSession);
  CK_RV rv = fault.rv != CKR_OK ? fault.rv : session == NULL ? CKR_SESSION_HANDLE_INVALID : sim_the_token.tampered ? CKR_DEVICE_ERROR : CKR_OK;
  sim_operation *operation = session == NULL ? NULL : &session->operations[kind];
  if (rv == CKR_OK && (operation->mechanism == NULL || (single && operation->streaming))) rv = CKR_OPERATION_NOT_INITIALIZED;
  pthread_mutex_unlock(&sim_lock);
  bool keep = false;
  if (rv == CKR_OK) {
    const CK_BYTE *in = single ? last : operation->buffer.bytes;
    const size_t length = single ? last_len : operation->buffer.length;
    if (out_len == NULL || (in == NULL && length > 0)) rv = CKR_ARGUMENTS_BAD;
    else if (out == NULL && kind != OP_VERIFY) {
      *out_len = sim_operation_room(operation, kind, length);
      keep = true;
    } else {
      rv = sim_operation_run(operation, kind, in, length, out, out_len);
      keep = rv == CKR_BUFFER_TOO_SMALL;
      if (rv == CKR_OK && fault.flip && kind != OP_VERIFY && *out_len > 0) out[*out_len / 2] ^= 0x10;
    }
  }
  pthread_mutex_lock(&sim_lock);
  if (operation != NULL && !keep) sim_operation_end(operation); /* an error ends it, a commanded one too */
  sim_session_give(session);
  pthread_mutex_unlock(&sim_lock);
  sim_device_leave();
  return rv;
}

static CK_RV update(enum sim_function function, CK_SESSION_HANDLE hSession, sim_operation_kind kind, const CK_BYTE *part, CK_ULONG length, CK_ULONG *out_len) {
  if (!sim_running) return CKR_CRYPTOKI_NOT_INITIALIZED;
  const sim_fault fault = sim_fault_next(function);
  if (fault.rv != CKR_OK) return fault.rv;
  pthread_mutex_lock(&sim_lock);
  sim_session *session = sim_session_take(hSession);
  CK_RV rv = session == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
  sim_operation *operation = session == NULL ? NULL : &session->operations[kind];
  if (rv == CKR_OK && operation->mechanism == NULL) rv = CKR_OPERATION_NOT_INITIALIZED;
  if (rv == CKR_OK && part == NULL && length > 0) rv = CKR_ARGUMENTS_BAD;
  if (rv == CKR_OK && operation->buffer.length + length > DATA_MOST) rv = CKR_DATA_LEN_RANGE;
  if (rv == CKR_OK) {
    operation->streaming = true;
    rv = append(&operation->buffer, part, length) ? CKR_OK : CKR_HOST_MEMORY;
    if (out_len != NULL) *out_len = 0; /* everything comes out at the end */
  }
  sim_session_give(session);
  pthread_mutex_unlock(&sim_lock);
  return rv;
}

#define CIPHER(Name, KIND)                                                                                                                   \
  EXPORT CK_RV C_##Name##Init(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k) { return begin(FN_C_##Name##Init, s, KIND, m, k); }   \
  EXPORT CK_RV C_##Name(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out, CK_ULONG *on) { return finish(FN_C_##Name, s, KIND, true, in, n, out, on); } \
  EXPORT CK_RV C_##Name##Update(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out, CK_ULONG *on) {                                  \
    (void)out;                                                                                                                               \
    return update(FN_C_##Name##Update, s, KIND, in, n, on);                                                                                  \
  }                                                                                                                                          \
  EXPORT CK_RV C_##Name##Final(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG *on) { return finish(FN_C_##Name##Final, s, KIND, false, NULL, 0, out, on); }
CIPHER(Encrypt, OP_ENCRYPT)
CIPHER(Decrypt, OP_DECRYPT)

EXPORT CK_RV C_SignInit(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k) { return begin(FN_C_SignInit, s, OP_SIGN, m, k); }
EXPORT CK_RV C_Sign(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out, CK_ULONG *on) { return finish(FN_C_Sign, s, OP_SIGN, true, in, n, out, on); }
EXPORT CK_RV C_SignUpdate(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n) { return update(FN_C_SignUpdate, s, OP_SIGN, in, n, NULL); }
EXPORT CK_RV C_SignFinal(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG *on) { return finish(FN_C_SignFinal, s, OP_SIGN, false, NULL, 0, out, on); }
EXPORT CK_RV C_VerifyInit(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k) { return begin(FN_C_VerifyInit, s, OP_VERIFY, m, k); }
EXPORT CK_RV C_Verify(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *signature, CK_ULONG sn) { return finish(FN_C_Verify, s, OP_VERIFY, true, in, n, signature, &sn); }
EXPORT CK_RV C_VerifyUpdate(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n) { return update(FN_C_VerifyUpdate, s, OP_VERIFY, in, n, NULL); }
EXPORT CK_RV C_VerifyFinal(CK_SESSION_HANDLE s, CK_BYTE *signature, CK_ULONG sn) { return finish(FN_C_VerifyFinal, s, OP_VERIFY, false, NULL, 0, signature, &sn); }
EXPORT CK_RV C_DigestInit(CK_SESSION_HANDLE s, CK_MECHANISM *m) { return begin(FN_C_DigestInit, s, OP_DIGEST, m, 0); }
EXPORT CK_RV C_Digest(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out, CK_ULONG *on) { return finish(FN_C_Digest, s, OP_DIGEST, true, in, n, out, on); }
EXPORT CK_RV C_DigestUpdate(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n) { return update(FN_C_DigestUpdate, s, OP_DIGEST, in, n, NULL); }
EXPORT CK_RV C_DigestFinal(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG *on) { return finish(FN_C_DigestFinal, s, OP_DIGEST, false, NULL, 0, out, on); }

/* ---- keys ---- */

EXPORT CK_RV C_GenerateKey(CK_SESSION_HANDLE hSession, CK_MECHANISM *pMechanism, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE *phKey) {
  ENTER_SESSION(C_GenerateKey);
  if (rv == CKR_OK) rv = pMechanism == NULL || phKey == NULL ? CKR_ARGUMENTS_BAD : sim_key_generate(session, pMechanism, pTemplate, ulCount, phKey);
  LEAVE_SESSION;
}

EXPORT CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE hSession, CK_MECHANISM *pMechanism, CK_ATTRIBUTE *pPublicTemplate, CK_ULONG ulPublicCount, CK_ATTRIBUTE *pPrivateTemplate, CK_ULONG ulPrivateCount, CK_OBJECT_HANDLE *phPublicKey, CK_OBJECT_HANDLE *phPrivateKey) {
  ENTER_SESSION(C_GenerateKeyPair);
  if (rv == CKR_OK) {
    pthread_mutex_unlock(&sim_lock);
    rv = pMechanism == NULL || phPublicKey == NULL || phPrivateKey == NULL ? CKR_ARGUMENTS_BAD : sim_key_generate_pair(session, pMechanism, pPublicTemplate, ulPublicCount, pPrivateTemplate, ulPrivateCount, phPublicKey, phPrivateKey);
    pthread_mutex_lock(&sim_lock);
  }
  LEAVE_SESSION;
}

EXPORT CK_RV C_DeriveKey(CK_SESSION_HANDLE hSession, CK_MECHANISM *pMechanism, CK_OBJECT_HANDLE hBaseKey, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE *phKey) {
  ENTER_SESSION(C_DeriveKey);
  if (rv == CKR_OK) rv = pMechanism == NULL || phKey == NULL ? CKR_ARGUMENTS_BAD : sim_key_derive(session, pMechanism, hBaseKey, pTemplate, ulCount, fault.flip, phKey);
  LEAVE_SESSION;
}

EXPORT CK_RV C_WrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM *pMechanism, CK_OBJECT_HANDLE hWrappingKey, CK_OBJECT_HANDLE hKey, CK_BYTE *pWrappedKey, CK_ULONG *pulWrappedKeyLen) {
  ENTER_SESSION(C_WrapKey);
  if (rv == CKR_OK) rv = pMechanism == NULL || pulWrappedKeyLen == NULL ? CKR_ARGUMENTS_BAD : sim_key_wrap(pMechanism, hWrappingKey, hKey, pWrappedKey, pulWrappedKeyLen);
  if (rv == CKR_OK && fault.flip && pWrappedKey != NULL) pWrappedKey[*pulWrappedKeyLen / 2] ^= 0x10;
  LEAVE_SESSION;
}

EXPORT CK_RV C_UnwrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM *pMechanism, CK_OBJECT_HANDLE hUnwrappingKey, CK_BYTE *pWrappedKey, CK_ULONG ulWrappedKeyLen, CK_ATTRIBUTE *pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE *phKey) {
  ENTER_SESSION(C_UnwrapKey);
  if (rv == CKR_OK) rv = pMechanism == NULL || pWrappedKey == NULL || phKey == NULL ? CKR_ARGUMENTS_BAD : sim_key_unwrap(session, pMechanism, hUnwrappingKey, pWrappedKey, ulWrappedKeyLen, pTemplate, ulCount, phKey);
  LEAVE_SESSION;
}

/* ---- random, and what is not offered ---- */

EXPORT CK_RV C_SeedRandom(CK_SESSION_HANDLE hSession, CK_BYTE *pSeed, CK_ULONG ulSeedLen) {
  (void)pSeed, (void)ulSeedLen;
  ENTER_SESSION(C_SeedRandom);
  if (rv == CKR_OK) rv = CKR_RANDOM_SEED_NOT_SUPPORTED; /* the seed comes from the configuration, never from a caller */
  LEAVE_SESSION;
}

EXPORT CK_RV C_GenerateRandom(CK_SESSION_HANDLE hSession, CK_BYTE *pRandom, CK_ULONG ulRandomLen) {
  ENTER_SESSION(C_GenerateRandom);
  if (rv == CKR_OK && pRandom == NULL) rv = CKR_ARGUMENTS_BAD;
  if (rv == CKR_OK) sim_random(pRandom, ulRandomLen);
  LEAVE_SESSION;
}

#define NOT_SUPPORTED(name, arguments) \
  EXPORT CK_RV name arguments { return sim_running ? CKR_FUNCTION_NOT_SUPPORTED : CKR_CRYPTOKI_NOT_INITIALIZED; }
#define S __attribute__((unused)) CK_SESSION_HANDLE s
#define M __attribute__((unused)) CK_MECHANISM *m, __attribute__((unused)) CK_OBJECT_HANDLE k
#define IN __attribute__((unused)) CK_BYTE *in, __attribute__((unused)) CK_ULONG n
#define OUT __attribute__((unused)) CK_BYTE *out, __attribute__((unused)) CK_ULONG *on
NOT_SUPPORTED(C_GetOperationState, (S, OUT))
NOT_SUPPORTED(C_SetOperationState, (S, IN, __attribute__((unused)) CK_OBJECT_HANDLE a, __attribute__((unused)) CK_OBJECT_HANDLE b))
NOT_SUPPORTED(C_DigestKey, (S, __attribute__((unused)) CK_OBJECT_HANDLE k))
NOT_SUPPORTED(C_SignRecoverInit, (S, M))
NOT_SUPPORTED(C_SignRecover, (S, IN, OUT))
NOT_SUPPORTED(C_VerifyRecoverInit, (S, M))
NOT_SUPPORTED(C_VerifyRecover, (S, IN, OUT))
NOT_SUPPORTED(C_DigestEncryptUpdate, (S, IN, OUT))
NOT_SUPPORTED(C_DecryptDigestUpdate, (S, IN, OUT))
NOT_SUPPORTED(C_SignEncryptUpdate, (S, IN, OUT))
NOT_SUPPORTED(C_DecryptVerifyUpdate, (S, IN, OUT))
NOT_SUPPORTED(C_WaitForSlotEvent, (__attribute__((unused)) CK_FLAGS flags, __attribute__((unused)) CK_SLOT_ID *slot, __attribute__((unused)) void *reserved))
EXPORT CK_RV C_GetFunctionStatus(S) { return CKR_FUNCTION_NOT_PARALLEL; }
EXPORT CK_RV C_CancelFunction(S) { return CKR_FUNCTION_NOT_PARALLEL; }

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ppFunctionList) {
#define LISTED(name, arguments) .name = name,
  static CK_FUNCTION_LIST list = {.version = {2, 40}, CK_FUNCTIONS(LISTED)};
  if (ppFunctionList == NULL) return CKR_ARGUMENTS_BAD;
  *ppFunctionList = &list;
  return CKR_OK;
}
