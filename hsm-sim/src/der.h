/* The little DER that key structures need: writing from the end to the front, reading element by element. */
#ifndef HSM_SIM_DER_H
#define HSM_SIM_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t *start, *at; /* bytes are put in front of `at` */
  bool full;
} der_writer;

/* Writes into the whole of `room`; der_finish moves the result to its beginning and returns its length, 0 when it did not fit. */
void der_begin(der_writer *, uint8_t *room, size_t length);
size_t der_finish(der_writer *, uint8_t *room, size_t length);
void der_put(der_writer *, const uint8_t *bytes, size_t length);
/* Tag and length in front of everything written since `end` (a value of `at`). */
void der_head(der_writer *, uint8_t tag, const uint8_t *end);
/* INTEGER of an unsigned big-endian number. */
void der_put_unsigned(der_writer *, const uint8_t *bytes, size_t length);
void der_put_element(der_writer *, uint8_t tag, const uint8_t *bytes, size_t length);

typedef struct {
  const uint8_t *at, *end;
} der_reader;

/* The content of the next element when its tag is `tag`; false otherwise, and on any length that is not minimal or too long. */
bool der_take(der_reader *, uint8_t tag, der_reader *content);
/* The next element is an INTEGER ≥ 0 of at most `length` bytes: right-aligned into `out`. */
bool der_take_unsigned(der_reader *, uint8_t *out, size_t length);
static inline size_t der_left(const der_reader *reader) { return (size_t)(reader->end - reader->at); }

#endif
