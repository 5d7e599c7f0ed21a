/* Sessions and the operations they have running. Lock held in every function. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

static sim_session *sessions;
static CK_SESSION_HANDLE next_handle = 1;

void sim_operation_end(sim_operation *operation) {
  sim_blob_set(&operation->key, NULL, 0);
  sim_blob_set(&operation->public_key, NULL, 0);
  sim_blob_set(&operation->parameter, NULL, 0);
  sim_blob_set(&operation->buffer, NULL, 0);
  memset(operation, 0, sizeof *operation);
}

CK_ULONG sim_session_count(bool read_write_only) {
  CK_ULONG count = 0;
  for (const sim_session *each = sessions; each != NULL; each = each->next) count += !read_write_only || (each->flags & CKF_RW_SESSION);
  return count;
}

CK_RV sim_session_open(CK_FLAGS flags, CK_SESSION_HANDLE *handle) {
  if (!(flags & CKF_SERIAL_SESSION)) return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
  if (!(flags & CKF_RW_SESSION) && sim_the_token.user == CKU_SO) return CKR_SESSION_READ_WRITE_SO_EXISTS;
  if (sim_session_count(false) >= sim_settings.sessions_most) return CKR_SESSION_COUNT;
  sim_session *session = calloc(1, sizeof *session);
  if (session == NULL) return CKR_HOST_MEMORY;
  session->handle = next_handle++;
  session->flags = flags;
  session->references = 1;
  session->next = sessions;
  sessions = session;
  *handle = session->handle;
  return CKR_OK;
}

sim_session *sim_session_take(CK_SESSION_HANDLE handle) {
  for (sim_session *each = sessions; each != NULL; each = each->next) {
    if (each->handle != handle) continue;
    each->references++;
    return each;
  }
  return NULL;
}

void sim_session_give(sim_session *session) {
  if (session == NULL || --session->references > 0) return;
  for (int i = 0; i < OPERATIONS; i++) sim_operation_end(&session->operations[i]);
  free(session->found);
  free(session);
}

static bool of_session(const sim_object *object, CK_SESSION_HANDLE session) { return !(object->flags & F_TOKEN) && object->session == session; }

static void close_one(sim_session **link) {
  sim_session *session = *link;
  *link = session->next;
  session->closed = true;
  sim_objects_drop(of_session, session->handle);
  sim_session_give(session);
}

CK_RV sim_session_close(CK_SESSION_HANDLE handle) {
  for (sim_session **link = &sessions; *link != NULL; link = &(*link)->next) {
    if ((*link)->handle != handle) continue;
    close_one(link);
    if (sessions == NULL) sim_token_logout(); /* the last one takes the login with it (PKCS#11 v2.40, 5.6) */
    return CKR_OK;
  }
  return CKR_SESSION_HANDLE_INVALID;
}

void sim_sessions_close_all(void) {
  while (sessions != NULL) close_one(&sessions);
  sim_token_logout();
}
