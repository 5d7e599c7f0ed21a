/* How keys come into being, travel and end. Lock held in every function but where said. */
#ifndef HSM_SIM_KEY_H
#define HSM_SIM_KEY_H

#include "state.h"

CK_RV sim_key_create(sim_session *, const CK_ATTRIBUTE *, CK_ULONG count, CK_OBJECT_HANDLE *);
CK_RV sim_key_copy(sim_session *, CK_OBJECT_HANDLE, const CK_ATTRIBUTE *, CK_ULONG count, CK_OBJECT_HANDLE *);
CK_RV sim_key_generate(sim_session *, const CK_MECHANISM *, const CK_ATTRIBUTE *, CK_ULONG count, CK_OBJECT_HANDLE *);
/* Takes the lock itself: making a pair takes long. */
CK_RV sim_key_generate_pair(sim_session *, const CK_MECHANISM *, const CK_ATTRIBUTE *public_template, CK_ULONG public_count, const CK_ATTRIBUTE *private_template, CK_ULONG private_count, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key);
/* `flip`: a lying device; one bit of the child is wrong. */
CK_RV sim_key_derive(sim_session *, const CK_MECHANISM *, CK_OBJECT_HANDLE, const CK_ATTRIBUTE *, CK_ULONG count, bool flip, CK_OBJECT_HANDLE *);
CK_RV sim_key_wrap(const CK_MECHANISM *, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_len);
CK_RV sim_key_unwrap(sim_session *, const CK_MECHANISM *, CK_OBJECT_HANDLE unwrapping, const CK_BYTE *wrapped, CK_ULONG length, const CK_ATTRIBUTE *, CK_ULONG count, CK_OBJECT_HANDLE *);

/* ---- shared by key.c, derive.c, transport.c ---- */

/* An object with defaults and the caller's template; `class` and `type` are what the template must agree with. */
CK_RV sim_key_new(sim_object **, CK_OBJECT_CLASS, CK_KEY_TYPE, const CK_ATTRIBUTE *, CK_ULONG count, sim_origin);
/* Key type that a template names, in own numbers; `otherwise` when it names none. */
CK_KEY_TYPE sim_key_type_in(const CK_ATTRIBUTE *, CK_ULONG count, CK_KEY_TYPE otherwise);
/* Puts a finished object into the store and, for a token object, into the token's file. Frees it when that fails. */
CK_RV sim_key_store(sim_session *, sim_object *, CK_OBJECT_HANDLE *);

#endif
