/*
 * The numbers of hsm-sim's own personality. Vendor-defined as PKCS#11 wants them: CKM_VENDOR_DEFINED | 'H' 'U' | index.
 * Other personalities (personality.c) map their vendors' published numbers to these.
 */
#ifndef HSM_SIM_NUMBERS_H
#define HSM_SIM_NUMBERS_H

#define HUFU_BASE 0x80485500UL

/* Key types. SM2 keys carry CKA_EC_PARAMS (the curve's OID), CKA_EC_POINT (DER OCTET STRING of 04‖X‖Y), CKA_VALUE (d). */
#define CKK_HUFU_SM2 (HUFU_BASE + 0x01)
#define CKK_HUFU_SM4 (HUFU_BASE + 0x02)

#define CKM_HUFU_SM2_KEY_PAIR_GEN (HUFU_BASE + 0x01)
/* Sign/verify a message: SM3(Z ‖ M). Parameter: the ID's bytes; none = "1234567812345678". Signature r ‖ s. */
#define CKM_HUFU_SM2_SM3 (HUFU_BASE + 0x02)
/* Sign/verify the 32 bytes e. */
#define CKM_HUFU_SM2_RAW (HUFU_BASE + 0x03)
/* Encrypt, decrypt, wrap and unwrap a secret key. Parameter: CK_ULONG form (sim_sm2_form); none = C1C3C2. */
#define CKM_HUFU_SM2_ENCRYPT (HUFU_BASE + 0x04)

#define CKM_HUFU_SM3 (HUFU_BASE + 0x10)
#define CKM_HUFU_SM3_HMAC (HUFU_BASE + 0x11)
/* Derive: SM3(base value), truncated to CKA_VALUE_LEN, as CKM_SHA256_KEY_DERIVATION does. */
#define CKM_HUFU_SM3_KEY_DERIVATION (HUFU_BASE + 0x12)

#define CKM_HUFU_SM4_KEY_GEN (HUFU_BASE + 0x20)
#define CKM_HUFU_SM4_ECB (HUFU_BASE + 0x21)     /* also wrap/unwrap (whole blocks); an SM2 private key as raw 32 bytes d */
#define CKM_HUFU_SM4_CBC (HUFU_BASE + 0x22)     /* parameter IV; also wrap/unwrap */
#define CKM_HUFU_SM4_CBC_PAD (HUFU_BASE + 0x23) /* wraps private keys as PKCS#8 */
#define CKM_HUFU_SM4_CBC_MAC (HUFU_BASE + 0x24) /* sign: parameter IV or none (zeros); whole blocks; 16 bytes out */
#define CKM_HUFU_SM4_CMAC (HUFU_BASE + 0x25)
#define CKM_HUFU_SM4_ECB_ENCRYPT_DATA (HUFU_BASE + 0x26) /* parameter CK_KEY_DERIVATION_STRING_DATA */

/* The *_ECB_ENCRYPT_DATA derivations with the data itself as the parameter, for hosts that cannot pass pointers. */
#define CKM_HUFU_DES3_ECB_ENCRYPT_DATA_FLAT (HUFU_BASE + 0x30)
#define CKM_HUFU_AES_ECB_ENCRYPT_DATA_FLAT (HUFU_BASE + 0x31)
#define CKM_HUFU_SM4_ECB_ENCRYPT_DATA_FLAT (HUFU_BASE + 0x32)

/* Derive: left half XOR right half of a 16-byte DES2 or generic key, as CKK_DES (8 bytes), or as CKK_DES2 with those 8 bytes
 * twice (single DES through 3DES): the TAC key of PBOC 2.0. */
#define CKM_HUFU_XOR_HALVES (HUFU_BASE + 0x40)
/* Sign: ISO/IEC 9797-1 MAC algorithm 3 with a CKK_DES2 key. Parameter IV (8) or none; whole blocks; 8 bytes out. */
#define CKM_HUFU_RETAIL_MAC (HUFU_BASE + 0x41)

/* Wrap/unwrap of a secret key as a TR-31 key block. Parameter: the 16 ASCII characters of the header (wrap), none (unwrap). */
#define CKM_HUFU_TR31 (HUFU_BASE + 0x50)

/* Wrap: the key object split; parameter {CK_BYTE threshold, CK_BYTE count}; the shares of sim_shamir_split come back in one
 * piece, encrypted with AES-KEY-WRAP-PAD each under the wrapping key: count × (2-byte length ‖ bytes). Unwrap: threshold
 * such pieces make the key again. No share is ever in clear outside. */
#define CKM_HUFU_SHAMIR (HUFU_BASE + 0x60)

/* Wrap/unwrap of an SM2 private key to an SM2 public key. */
#define CKM_HUFU_SM2_ENVELOPED_KEY (HUFU_BASE + 0x71) /* GB/T 35276 */
#define CKM_HUFU_GM0018_ENVELOPE (HUFU_BASE + 0x72)   /* GM/T 0018 */

#endif
