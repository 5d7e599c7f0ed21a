/*
 * The arithmetic of hsm-sim: pure functions over bytes, no objects, no sessions, no policy. Everything rests on libcrypto,
 * which is linked in statically and hidden, so that the module behaves the same inside any host program.
 *
 * Every function returns CKR_OK or the CK_RV that a device would give (CKR_ARGUMENTS_BAD, CKR_DATA_LEN_RANGE,
 * CKR_ENCRYPTED_DATA_INVALID, CKR_WRAPPED_KEY_INVALID, CKR_SIGNATURE_INVALID, CKR_KEY_SIZE_RANGE, CKR_FUNCTION_FAILED).
 * `*out_len` is the room at `out` on entry and the bytes written on return; too little room is CKR_BUFFER_TOO_SMALL with the
 * room needed. Lengths are bytes. Buffers may not overlap unless a function says so. Temporaries are cleansed.
 */
#ifndef HSM_SIM_CRYPTO_H
#define HSM_SIM_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cryptoki.h"

/* ---- random.c ------------------------------------------------------------------------------------------------------- */

/* Bytes from the operating system, or from the seeded generator once one is set. Also serves every draw inside libcrypto
 * (key pairs, nonces, paddings), so that a seed makes the whole module reproducible. Thread-safe. */
void sim_random(uint8_t *out, size_t length);
/* Seeded generator for tests: SHA-256(seed ‖ counter), counter big-endian, 8 bytes. NULL goes back to the system. */
void sim_random_seed(const uint8_t *seed, size_t length);

/* ---- block.c: block ciphers and MACs ---------------------------------------------------------------------------------- */

typedef enum { SIM_DES, SIM_DES3, SIM_AES, SIM_SM4 } sim_cipher; /* key bytes: 8 · 16 or 24 · 16, 24 or 32 · 16 */
size_t sim_block_bytes(sim_cipher cipher);                       /* 8 or 16 */
bool sim_key_bytes_valid(sim_cipher cipher, size_t key_bytes);

CK_RV sim_ecb(sim_cipher, const uint8_t *key, size_t key_bytes, bool encrypt, const uint8_t *in, size_t length, uint8_t *out);
/* `iv` is one block and is left as the last cipher block, so that a call may be continued. in == out is allowed. */
CK_RV sim_cbc(sim_cipher, const uint8_t *key, size_t key_bytes, bool encrypt, uint8_t *iv, const uint8_t *in, size_t length, uint8_t *out);
/* PKCS#7 padding. */
CK_RV sim_cbc_pad(sim_cipher, const uint8_t *key, size_t key_bytes, bool encrypt, const uint8_t *iv, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len);
/* Whole blocks only; the padding is the caller's. `mac` is one block. */
CK_RV sim_cbc_mac(sim_cipher, const uint8_t *key, size_t key_bytes, const uint8_t *iv, const uint8_t *in, size_t length, uint8_t *mac);
/* NIST SP 800-38B; `mac` is one block. Also for SM4. */
CK_RV sim_cmac(sim_cipher, const uint8_t *key, size_t key_bytes, const uint8_t *in, size_t length, uint8_t *mac);
/* ISO/IEC 9797-1 MAC algorithm 3 over whole blocks; key 16 bytes; 8 bytes out. */
CK_RV sim_retail_mac(const uint8_t *key, const uint8_t *iv, const uint8_t *in, size_t length, uint8_t *mac);
/* RFC 3394 and RFC 5649 with an AES key. */
CK_RV sim_aes_wrap(const uint8_t *key, size_t key_bytes, bool wrap, bool padded, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len);
/* Encryption of a block of zeros, leading 3 bytes (CKA_CHECK_VALUE). */
CK_RV sim_check_value(sim_cipher, const uint8_t *key, size_t key_bytes, uint8_t out[3]);
/* Sets odd parity on DES key bytes, as PKCS#11 wants of CKK_DES*, in place. */
void sim_des_parity(uint8_t *key, size_t length);

/* ---- digest.c -------------------------------------------------------------------------------------------------------- */

typedef enum { SIM_SHA1, SIM_SHA256, SIM_SHA384, SIM_SHA512, SIM_SM3 } sim_digest;
size_t sim_digest_bytes(sim_digest digest);
CK_RV sim_hash(sim_digest, const uint8_t *in, size_t length, uint8_t *out);
CK_RV sim_hmac(sim_digest, const uint8_t *key, size_t key_bytes, const uint8_t *in, size_t length, uint8_t *out);

/* ---- tr31.c: TR-31 / X9.143, versions B (TDES key block protection key, 16 or 24 bytes) and D (AES) -------------------- */

/* `header`: 16 ASCII characters; the length field is filled in here, the rest is checked (version, usage, algorithm, mode,
 * exportability, no optional blocks). `pad`: the random padding, or NULL to draw it (a vector brings its own). */
CK_RV sim_tr31_wrap(const uint8_t *kbpk, size_t kbpk_bytes, const char header[16], const uint8_t *key, size_t key_bytes,
                    const uint8_t *pad, size_t pad_bytes, char *out, size_t *out_len);
/* Checks MAC and header before anything is released; `header` gets the 16 characters read. */
CK_RV sim_tr31_unwrap(const uint8_t *kbpk, size_t kbpk_bytes, const char *block, size_t length, char header[16], uint8_t *key, size_t *key_bytes);

/* ---- shamir.c: GF(256), polynomial 11B --------------------------------------------------------------------------------- */

/* Share i (1 … count) is 1 byte x = i, then `length` bytes. Shares lie one after the other: count × (length + 1) bytes. */
CK_RV sim_shamir_split(const uint8_t *secret, size_t length, unsigned threshold, unsigned count, uint8_t *shares);
/* Exactly `threshold` shares; double or zero x is CKR_ARGUMENTS_BAD. */
CK_RV sim_shamir_combine(const uint8_t *shares, size_t length, unsigned threshold, uint8_t *secret);

/* ---- rsa.c: private keys as RSAPrivateKey, public keys as RSAPublicKey, both DER (RFC 8017 A.1) ------------------------- */

CK_RV sim_rsa_generate(unsigned bits, const uint8_t *exponent, size_t exponent_bytes, uint8_t *private_der, size_t *private_len);
/* Big-endian components without leading zeros, for the attributes. Any pointer may be NULL. Order: n e d p q dp dq qinv. */
CK_RV sim_rsa_component(const uint8_t *private_der, size_t private_len, unsigned index, uint8_t *out, size_t *out_len);
CK_RV sim_rsa_public_from(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len, uint8_t *public_der, size_t *public_len);
/* PKCS#1 v1.5 over `data` = a digest with `digest` set, or (with_digest_info false) over data as it comes. */
CK_RV sim_rsa_sign(const uint8_t *private_der, size_t private_len, bool pss, bool with_digest_info, sim_digest, size_t salt_bytes,
                   const uint8_t *data, size_t data_len, uint8_t *signature, size_t *signature_len);
CK_RV sim_rsa_verify(const uint8_t *public_der, size_t public_len, bool pss, bool with_digest_info, sim_digest, size_t salt_bytes,
                     const uint8_t *data, size_t data_len, const uint8_t *signature, size_t signature_len);
/* OAEP (RFC 8017 7.1) with SHA-1 or SHA-256, MGF1 of the same hash, empty label; `oaep` false = PKCS#1 v1.5 encryption. */
CK_RV sim_rsa_encrypt(const uint8_t *public_der, size_t public_len, bool oaep, sim_digest, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len);
CK_RV sim_rsa_decrypt(const uint8_t *private_der, size_t private_len, bool oaep, sim_digest, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len);

/* ---- ec.c: P-256 and sm2p256v1; private = 32 bytes d, public = 65 bytes 04 ‖ X ‖ Y -------------------------------------- */

typedef enum { SIM_P256, SIM_SM2_CURVE } sim_curve;
CK_RV sim_ec_generate(sim_curve, uint8_t private_key[32], uint8_t public_key[65]);
CK_RV sim_ec_public(sim_curve, const uint8_t private_key[32], uint8_t public_key[65]);
bool sim_ec_point_valid(sim_curve, const uint8_t public_key[65]);
/* ECDSA over a digest (leftmost 256 bits); signature r ‖ s, 64 bytes. */
CK_RV sim_ecdsa_sign(const uint8_t private_key[32], const uint8_t *digest, size_t digest_len, uint8_t signature[64]);
CK_RV sim_ecdsa_verify(const uint8_t public_key[65], const uint8_t *digest, size_t digest_len, const uint8_t signature[64]);

/* ---- sm2.c: GB/T 32918, GM/T 0003, GM/T 0009 ----------------------------------------------------------------------------- */

/* Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ P). id_len 0 is a real empty ID; callers put the default "1234567812345678" themselves. */
CK_RV sim_sm2_z(const uint8_t public_key[65], const uint8_t *id, size_t id_len, uint8_t z[32]);
/* Over e = SM3(Z ‖ M), made by the caller; r ‖ s. `k`: 32 bytes for a vector, else NULL. */
CK_RV sim_sm2_sign(const uint8_t private_key[32], const uint8_t e[32], const uint8_t *k, uint8_t signature[64]);
CK_RV sim_sm2_verify(const uint8_t public_key[65], const uint8_t e[32], const uint8_t signature[64]);
/* r ‖ s ⇄ SM2Signature (GM/T 0009 7.3), at most 72 bytes. */
CK_RV sim_sm2_signature_to_der(const uint8_t signature[64], uint8_t *der, size_t *der_len);
CK_RV sim_sm2_signature_from_der(const uint8_t *der, size_t der_len, uint8_t signature[64]);

/* C1 with its leading 04; SIM_SM2_DER = SM2Cipher (GM/T 0009 7.2). */
typedef enum { SIM_C1C3C2, SIM_C1C2C3, SIM_SM2_DER } sim_sm2_form;
CK_RV sim_sm2_encrypt(const uint8_t public_key[65], sim_sm2_form, const uint8_t *in, size_t length, const uint8_t *k, uint8_t *out, size_t *out_len);
CK_RV sim_sm2_decrypt(const uint8_t private_key[32], sim_sm2_form, const uint8_t *in, size_t length, uint8_t *out, size_t *out_len);

/* ---- gm_envelope.c: an SM2 private key under the receiver's signing key --------------------------------------------------- */

/* SM2EnvelopedKey (GB/T 35276 7.4): SM4 key drawn here, SM2-encrypted (SM2Cipher) to the receiver, d under SM4-ECB (32 bytes). */
CK_RV sim_sm2_enveloped_key(const uint8_t receiver_public[65], const uint8_t private_key[32], uint8_t *der, size_t *der_len);
CK_RV sim_sm2_enveloped_key_open(const uint8_t receiver_private[32], const uint8_t *der, size_t der_len, uint8_t private_key[32], uint8_t public_key[65]);
/* The GM/T 0018 structures: ECCCipher{x64 y64 M32 L4 C[L]} and the digital envelope for a key pair
 * {ulAsymmAlgID ulSymmAlgID ECCCipher ECCrefPublicKey cbEncryptedPrivKey[64]} as laid out in the header of the standard,
 * numbers little-endian as the C structure has them on the machines in the field; the layout is written in the README. */
CK_RV sim_gm0018_envelope(const uint8_t receiver_public[65], const uint8_t private_key[32], uint8_t *out, size_t *out_len);
CK_RV sim_gm0018_envelope_open(const uint8_t receiver_private[32], const uint8_t *in, size_t length, uint8_t private_key[32], uint8_t public_key[65]);
/* PKCS#8 PrivateKeyInfo of an EC or SM2 key (RFC 5958, RFC 5915) and back; `curve` is read from it. */
CK_RV sim_ec_pkcs8(sim_curve, const uint8_t private_key[32], uint8_t *der, size_t *der_len);
CK_RV sim_ec_pkcs8_open(const uint8_t *der, size_t der_len, sim_curve *curve, uint8_t private_key[32]);
CK_RV sim_rsa_pkcs8(const uint8_t *private_der, size_t private_len, uint8_t *der, size_t *der_len);
CK_RV sim_rsa_pkcs8_open(const uint8_t *der, size_t der_len, uint8_t *private_der, size_t *private_len);

#endif
