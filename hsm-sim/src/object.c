/* The store of objects. Lock held in every function. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum { BUCKETS = 4096 };

static sim_object *buckets[BUCKETS], *first, *last;
static CK_OBJECT_HANDLE next_handle = 1;
static size_t count;

sim_object *sim_object_new(void) { return calloc(1, sizeof(sim_object)); }

bool sim_blob_set(sim_blob *blob, const void *bytes, size_t length) {
  uint8_t *copy = length == 0 ? NULL : malloc(length);
  if (length > 0 && copy == NULL) return false;
  if (length > 0) memcpy(copy, bytes, length);
  if (blob->bytes != NULL) {
    OPENSSL_cleanse(blob->bytes, blob->length);
    free(blob->bytes);
  }
  blob->bytes = copy;
  blob->length = length;
  return true;
}

void sim_object_free(sim_object *object) {
  if (object == NULL) return;
  for (int i = 0; i < BLOBS; i++) sim_blob_set(&object->blobs[i], NULL, 0);
  sim_blob_set(&object->sealed, NULL, 0);
  free(object);
}

sim_object *sim_object_clone(const sim_object *object) {
  sim_object *copy = sim_object_new();
  if (copy == NULL) return NULL;
  *copy = *object;
  memset(copy->blobs, 0, sizeof copy->blobs);
  memset(&copy->sealed, 0, sizeof copy->sealed);
  copy->in_bucket = copy->next = copy->previous = NULL;
  bool good = true;
  for (int i = 0; i < BLOBS; i++) good = good && sim_blob_set(&copy->blobs[i], object->blobs[i].bytes, object->blobs[i].length);
  if (good) return copy;
  sim_object_free(copy);
  return NULL;
}

CK_RV sim_object_add(sim_object *object) {
  if (count >= sim_settings.objects_most) return CKR_DEVICE_MEMORY;
  object->handle = next_handle++;
  sim_object **bucket = &buckets[object->handle % BUCKETS];
  object->in_bucket = *bucket;
  *bucket = object;
  object->previous = last;
  object->next = NULL;
  if (last == NULL) first = object;
  else last->next = object;
  last = object;
  count++;
  return CKR_OK;
}

void sim_object_remove(sim_object *object) {
  sim_object **link = &buckets[object->handle % BUCKETS];
  while (*link != object) link = &(*link)->in_bucket;
  *link = object->in_bucket;
  if (object->previous == NULL) first = object->next;
  else object->previous->next = object->next;
  if (object->next == NULL) last = object->previous;
  else object->next->previous = object->previous;
  count--;
  sim_object_free(object);
}

bool sim_object_visible(const sim_object *object) { return !(object->flags & F_PRIVATE) || sim_the_token.user == CKU_USER; }

sim_object *sim_object_find(CK_OBJECT_HANDLE handle) {
  sim_object *object = buckets[handle % BUCKETS];
  while (object != NULL && object->handle != handle) object = object->in_bucket;
  return object != NULL && sim_object_visible(object) ? object : NULL;
}

sim_object *sim_object_first(void) { return first; }

void sim_objects_drop(bool (*match)(const sim_object *, CK_SESSION_HANDLE), CK_SESSION_HANDLE session) {
  for (sim_object *object = first, *next; object != NULL; object = next) {
    next = object->next;
    if (match(object, session)) sim_object_remove(object);
  }
}

/* ---- the form in the token file: fixed fields, then the blobs, each with its length; numbers little-endian ---- */

static void put(uint8_t **at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) *(*at)++ = (uint8_t)(value >> (8 * i));
}

sim_blob sim_object_pack(const sim_object *object) {
  size_t total = 3 * 8 + 4 + 4;
  for (int i = 0; i < BLOBS; i++) total += 4 + object->blobs[i].length;
  sim_blob packed = {malloc(total), total};
  if (packed.bytes == NULL) return (sim_blob){NULL, 0};
  uint8_t *at = packed.bytes;
  put(&at, object->class, 8);
  put(&at, object->key_type, 8);
  put(&at, object->made_by, 8);
  put(&at, object->flags, 4);
  put(&at, object->has_check_value, 1);
  memcpy(at, object->check_value, 3);
  at += 3;
  for (int i = 0; i < BLOBS; i++) {
    put(&at, object->blobs[i].length, 4);
    if (object->blobs[i].length > 0) memcpy(at, object->blobs[i].bytes, object->blobs[i].length);
    at += object->blobs[i].length;
  }
  return packed;
}

static uint64_t get(const uint8_t **at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)*(*at)++ << (8 * i);
  return value;
}

sim_object *sim_object_unpack(const uint8_t *bytes, size_t length) {
  const uint8_t *at = bytes, *end = bytes + length;
  sim_object *object = length < 32 ? NULL : sim_object_new();
  if (object == NULL) return NULL;
  object->class = get(&at, 8);
  object->key_type = get(&at, 8);
  object->made_by = get(&at, 8);
  object->flags = (uint32_t)get(&at, 4);
  object->has_check_value = get(&at, 1) != 0;
  memcpy(object->check_value, at, 3);
  at += 3;
  bool good = true;
  for (int i = 0; i < BLOBS && good; i++) {
    good = end - at >= 4;
    const size_t size = good ? (size_t)get(&at, 4) : 0;
    good = good && (size_t)(end - at) >= size && sim_blob_set(&object->blobs[i], at, size);
    at += good ? size : 0;
  }
  if (good && at == end) return object;
  sim_object_free(object);
  return NULL;
}
