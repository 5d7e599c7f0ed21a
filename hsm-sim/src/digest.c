/* Digests and HMAC. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "crypto.h"

enum { DIGESTS = 5 };
static const struct {
  const char *name;
  size_t bytes;
} DIGEST[DIGESTS] = {[SIM_SHA1] = {"SHA1", 20}, [SIM_SHA256] = {"SHA256", 32}, [SIM_SHA384] = {"SHA384", 48}, [SIM_SHA512] = {"SHA512", 64}, [SIM_SM3] = {"SM3", 32}};

static EVP_MD *fetched[DIGESTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void fetch(void) {
  for (int i = 0; i < DIGESTS; i++) fetched[i] = EVP_MD_fetch(NULL, DIGEST[i].name, NULL);
}

static const EVP_MD *method(sim_digest digest) {
  pthread_once(&once, fetch);
  return fetched[digest];
}

size_t sim_digest_bytes(sim_digest digest) { return DIGEST[digest].bytes; }

CK_RV sim_hash(sim_digest digest, const uint8_t *in, size_t length, uint8_t *out) {
  return EVP_Digest(in, length, out, NULL, method(digest), NULL) == 1 ? CKR_OK : CKR_FUNCTION_FAILED;
}

CK_RV sim_hmac(sim_digest digest, const uint8_t *key, size_t key_bytes, const uint8_t *in, size_t length, uint8_t *out) {
  static const uint8_t nothing[1];
  unsigned written = 0;
  return HMAC(method(digest), key_bytes == 0 ? nothing : key, (int)key_bytes, in, length, out, &written) != NULL ? CKR_OK : CKR_FUNCTION_FAILED;
}
