/* Operations with a key: begun with Init, fed with data, run once at the end. */
#ifndef HSM_SIM_OPERATION_H
#define HSM_SIM_OPERATION_H

#include "state.h"

enum { DATA_MOST = 16 * 1024 * 1024 };

/* Lock held: checks mechanism, key and parameter, copies the key out. */
CK_RV sim_operation_begin(sim_operation *, sim_operation_kind, const CK_MECHANISM *, CK_OBJECT_HANDLE key);
/* Bytes that a result of `in_length` bytes takes at most. */
size_t sim_operation_room(const sim_operation *, sim_operation_kind, size_t in_length);
/* Without the lock. CKR_BUFFER_TOO_SMALL leaves the operation as it is. For OP_VERIFY `out` is the signature. */
CK_RV sim_operation_run(const sim_operation *, sim_operation_kind, const CK_BYTE *in, size_t length, CK_BYTE *out, CK_ULONG *out_len);
/* The key's type is one that the mechanism works with. */
bool sim_mechanism_takes(const sim_mechanism *, const sim_object *key);
/* CKA_ALLOWED_MECHANISMS. `spoken` as the caller speaks it. */
bool sim_mechanism_allowed(const sim_object *key, CK_MECHANISM_TYPE spoken);
CK_RV sim_oaep_digest(const CK_MECHANISM *, CK_ULONG *digest);
CK_RV sim_sm2_form_of(const CK_MECHANISM *, CK_ULONG *form);

#endif
