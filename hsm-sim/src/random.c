/* Randomness: the operating system's, or a seeded generator that makes a test run reproducible. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "crypto.h"

enum { SEED_BYTES_MOST = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t seed[SEED_BYTES_MOST];
static size_t seed_bytes;
static uint64_t counter;
static uint8_t block[SHA256_DIGEST_LENGTH];
static size_t left;

static void from_system(uint8_t *out, size_t length) {
  while (length > 0) {
    const ssize_t got = getrandom(out, length, 0);
    if (got < 0) continue; /* interrupted by a signal; nothing else fails here */
    out += got;
    length -= (size_t)got;
  }
}

static void next_block(void) {
  uint8_t input[SEED_BYTES_MOST + 8];
  memcpy(input, seed, seed_bytes);
  for (int i = 0; i < 8; i++) input[seed_bytes + (size_t)i] = (uint8_t)(counter >> (8 * (7 - i)));
  counter++;
  SHA256(input, seed_bytes + 8, block);
  left = sizeof block;
  OPENSSL_cleanse(input, sizeof input);
}

void sim_random(uint8_t *out, size_t length) {
  pthread_mutex_lock(&lock);
  if (seed_bytes == 0) {
    pthread_mutex_unlock(&lock);
    from_system(out, length);
    return;
  }
  while (length > 0) {
    if (left == 0) next_block();
    const size_t take = length < left ? length : left;
    memcpy(out, block + sizeof block - left, take);
    left -= take;
    out += take;
    length -= take;
  }
  pthread_mutex_unlock(&lock);
}

static int rand_bytes(unsigned char *out, int length) {
  sim_random(out, (size_t)length);
  return 1;
}
static int rand_status(void) { return 1; }
static int rand_seed(const void *data, int length) {
  (void)data, (void)length;
  return 1;
}
static int rand_add(const void *data, int length, double entropy) {
  (void)data, (void)length, (void)entropy;
  return 1;
}
static const RAND_METHOD METHOD = {rand_seed, rand_bytes, NULL, rand_add, rand_bytes, rand_status};

void sim_random_seed(const uint8_t *new_seed, size_t length) {
  pthread_mutex_lock(&lock);
  seed_bytes = new_seed == NULL ? 0 : length > SEED_BYTES_MOST ? SEED_BYTES_MOST : length;
  if (seed_bytes > 0) memcpy(seed, new_seed, seed_bytes);
  counter = 0;
  left = 0;
  pthread_mutex_unlock(&lock);
  RAND_set_rand_method(&METHOD);
}
