#include "der.h"

#include <string.h>

void der_begin(der_writer *w, uint8_t *room, size_t length) {
  w->start = room;
  w->at = room + length;
  w->full = false;
}

size_t der_finish(der_writer *w, uint8_t *room, size_t length) {
  if (w->full) return 0;
  const size_t written = (size_t)(room + length - w->at);
  memmove(room, w->at, written);
  return written;
}

void der_put(der_writer *w, const uint8_t *bytes, size_t length) {
  if (w->full || (size_t)(w->at - w->start) < length) {
    w->full = true;
    return;
  }
  w->at -= length;
  memcpy(w->at, bytes, length);
}

void der_head(der_writer *w, uint8_t tag, const uint8_t *end) {
  const size_t length = (size_t)(end - w->at);
  if (length < 0x80) der_put(w, (const uint8_t[]){tag, (uint8_t)length}, 2);
  else if (length < 0x100) der_put(w, (const uint8_t[]){tag, 0x81, (uint8_t)length}, 3);
  else der_put(w, (const uint8_t[]){tag, 0x82, (uint8_t)(length >> 8), (uint8_t)length}, 4);
}

void der_put_element(der_writer *w, uint8_t tag, const uint8_t *bytes, size_t length) {
  const uint8_t *end = w->at;
  der_put(w, bytes, length);
  der_head(w, tag, end);
}

void der_put_unsigned(der_writer *w, const uint8_t *bytes, size_t length) {
  const uint8_t *end = w->at;
  while (length > 1 && bytes[0] == 0) bytes++, length--;
  der_put(w, bytes, length);
  if (length == 0 || bytes[0] & 0x80) der_put(w, (const uint8_t[]){0}, 1);
  der_head(w, 0x02, end);
}

bool der_take(der_reader *r, uint8_t tag, der_reader *content) {
  if (der_left(r) < 2 || r->at[0] != tag) return false;
  size_t length = r->at[1];
  const uint8_t *at = r->at + 2;
  if (length > 0x82 || length == 0x80) return false;
  if (length > 0x80) {
    size_t bytes = length - 0x80;
    if ((size_t)(r->end - at) < bytes) return false;
    for (length = 0; bytes > 0; bytes--) length = length << 8 | *at++;
    if (length < 0x80 || (at - r->at == 4 && length < 0x100)) return false;
  }
  if ((size_t)(r->end - at) < length) return false;
  content->at = at;
  content->end = at + length;
  r->at = at + length;
  return true;
}

bool der_take_unsigned(der_reader *r, uint8_t *out, size_t length) {
  der_reader number;
  if (!der_take(r, 0x02, &number) || der_left(&number) == 0 || number.at[0] & 0x80) return false;
  if (number.at[0] == 0 && der_left(&number) > 1) {
    number.at++;
    if (!(number.at[0] & 0x80)) return false;
  }
  if (der_left(&number) > length) return false;
  memset(out, 0, length);
  memcpy(out + length - der_left(&number), number.at, der_left(&number));
  return true;
}
