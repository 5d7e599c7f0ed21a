/*
 * The part of PKCS#11 v2.40 (OASIS, "Cryptographic Token Interface Base Specification" and "Current Mechanisms") that
 * hsm-sim implements and the executor of the HSM agents calls: types with the Unix ABI (no packing), numbers, functions.
 */
#ifndef HUFU_CRYPTOKI_H
#define HUFU_CRYPTOKI_H

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned char CK_BYTE, CK_CHAR, CK_UTF8CHAR, CK_BBOOL;
typedef unsigned long CK_ULONG, CK_RV, CK_FLAGS, CK_SLOT_ID, CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_OBJECT_CLASS;
typedef unsigned long CK_KEY_TYPE, CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_USER_TYPE, CK_STATE, CK_NOTIFICATION;
typedef void *CK_VOID_PTR;

#define CK_TRUE 1
#define CK_FALSE 0
#define CK_INVALID_HANDLE 0UL
#define CK_UNAVAILABLE_INFORMATION (~0UL)
#define CK_EFFECTIVELY_INFINITE 0UL

typedef struct { CK_BYTE major, minor; } CK_VERSION;
typedef struct {
  CK_VERSION cryptokiVersion;
  CK_UTF8CHAR manufacturerID[32];
  CK_FLAGS flags;
  CK_UTF8CHAR libraryDescription[32];
  CK_VERSION libraryVersion;
} CK_INFO;
typedef struct {
  CK_UTF8CHAR slotDescription[64];
  CK_UTF8CHAR manufacturerID[32];
  CK_FLAGS flags;
  CK_VERSION hardwareVersion, firmwareVersion;
} CK_SLOT_INFO;
typedef struct {
  CK_UTF8CHAR label[32], manufacturerID[32], model[16];
  CK_CHAR serialNumber[16];
  CK_FLAGS flags;
  CK_ULONG ulMaxSessionCount, ulSessionCount, ulMaxRwSessionCount, ulRwSessionCount, ulMaxPinLen, ulMinPinLen;
  CK_ULONG ulTotalPublicMemory, ulFreePublicMemory, ulTotalPrivateMemory, ulFreePrivateMemory;
  CK_VERSION hardwareVersion, firmwareVersion;
  CK_CHAR utcTime[16];
} CK_TOKEN_INFO;
typedef struct {
  CK_SLOT_ID slotID;
  CK_STATE state;
  CK_FLAGS flags;
  CK_ULONG ulDeviceError;
} CK_SESSION_INFO;
typedef struct {
  CK_ATTRIBUTE_TYPE type;
  void *pValue;
  CK_ULONG ulValueLen;
} CK_ATTRIBUTE;
typedef struct {
  CK_MECHANISM_TYPE mechanism;
  void *pParameter;
  CK_ULONG ulParameterLen;
} CK_MECHANISM;
typedef struct {
  CK_ULONG ulMinKeySize, ulMaxKeySize;
  CK_FLAGS flags;
} CK_MECHANISM_INFO;
typedef struct { CK_BYTE year[4], month[2], day[2]; } CK_DATE;

typedef CK_RV (*CK_NOTIFY)(CK_SESSION_HANDLE, CK_NOTIFICATION, void *);
typedef CK_RV (*CK_CREATEMUTEX)(void **);
typedef CK_RV (*CK_DESTROYMUTEX)(void *);
typedef CK_RV (*CK_LOCKMUTEX)(void *);
typedef CK_RV (*CK_UNLOCKMUTEX)(void *);
typedef struct {
  CK_CREATEMUTEX CreateMutex;
  CK_DESTROYMUTEX DestroyMutex;
  CK_LOCKMUTEX LockMutex;
  CK_UNLOCKMUTEX UnlockMutex;
  CK_FLAGS flags;
  void *pReserved;
} CK_C_INITIALIZE_ARGS;

typedef struct {
  CK_BYTE *pData;
  CK_ULONG ulLen;
} CK_KEY_DERIVATION_STRING_DATA;
typedef struct {
  CK_BYTE iv[8];
  CK_BYTE *pData;
  CK_ULONG length;
} CK_DES_CBC_ENCRYPT_DATA_PARAMS;
typedef struct {
  CK_BYTE iv[16];
  CK_BYTE *pData;
  CK_ULONG length;
} CK_AES_CBC_ENCRYPT_DATA_PARAMS;
typedef struct {
  CK_MECHANISM_TYPE hashAlg;
  CK_ULONG mgf, source;
  void *pSourceData;
  CK_ULONG ulSourceDataLen;
} CK_RSA_PKCS_OAEP_PARAMS;
typedef struct {
  CK_MECHANISM_TYPE hashAlg;
  CK_ULONG mgf, sLen;
} CK_RSA_PKCS_PSS_PARAMS;

/* Users, states, flags */
#define CKU_SO 0UL
#define CKU_USER 1UL
#define CKU_CONTEXT_SPECIFIC 2UL
#define CKS_RO_PUBLIC_SESSION 0UL
#define CKS_RO_USER_FUNCTIONS 1UL
#define CKS_RW_PUBLIC_SESSION 2UL
#define CKS_RW_USER_FUNCTIONS 3UL
#define CKS_RW_SO_FUNCTIONS 4UL
#define CKF_LIBRARY_CANT_CREATE_OS_THREADS 0x1UL
#define CKF_OS_LOCKING_OK 0x2UL
#define CKF_TOKEN_PRESENT 0x1UL
#define CKF_REMOVABLE_DEVICE 0x2UL
#define CKF_HW_SLOT 0x4UL
#define CKF_RNG 0x1UL
#define CKF_WRITE_PROTECTED 0x2UL
#define CKF_LOGIN_REQUIRED 0x4UL
#define CKF_USER_PIN_INITIALIZED 0x8UL
#define CKF_RESTORE_KEY_NOT_NEEDED 0x20UL
#define CKF_CLOCK_ON_TOKEN 0x40UL
#define CKF_DUAL_CRYPTO_OPERATIONS 0x200UL
#define CKF_TOKEN_INITIALIZED 0x400UL
#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL
#define CKF_USER_PIN_LOCKED 0x40000UL
#define CKF_USER_PIN_TO_BE_CHANGED 0x80000UL
#define CKF_SO_PIN_COUNT_LOW 0x100000UL
#define CKF_SO_PIN_FINAL_TRY 0x200000UL
#define CKF_SO_PIN_LOCKED 0x400000UL
#define CKF_ERROR_STATE 0x1000000UL
#define CKF_RW_SESSION 0x2UL
#define CKF_SERIAL_SESSION 0x4UL
#define CKF_HW 0x1UL
#define CKF_ENCRYPT 0x100UL
#define CKF_DECRYPT 0x200UL
#define CKF_DIGEST 0x400UL
#define CKF_SIGN 0x800UL
#define CKF_SIGN_RECOVER 0x1000UL
#define CKF_VERIFY 0x2000UL
#define CKF_VERIFY_RECOVER 0x4000UL
#define CKF_GENERATE 0x8000UL
#define CKF_GENERATE_KEY_PAIR 0x10000UL
#define CKF_WRAP 0x20000UL
#define CKF_UNWRAP 0x40000UL
#define CKF_DERIVE 0x80000UL
#define CKF_EC_F_P 0x100000UL
#define CKF_EC_NAMEDCURVE 0x800000UL
#define CKF_EC_UNCOMPRESS 0x1000000UL

/* Object classes, key types */
#define CKO_DATA 0UL
#define CKO_CERTIFICATE 1UL
#define CKO_PUBLIC_KEY 2UL
#define CKO_PRIVATE_KEY 3UL
#define CKO_SECRET_KEY 4UL
#define CKO_VENDOR_DEFINED 0x80000000UL
#define CKK_RSA 0x00UL
#define CKK_EC 0x03UL
#define CKK_GENERIC_SECRET 0x10UL
#define CKK_DES 0x13UL
#define CKK_DES2 0x14UL
#define CKK_DES3 0x15UL
#define CKK_AES 0x1FUL
#define CKK_SHA256_HMAC 0x2BUL
#define CKK_VENDOR_DEFINED 0x80000000UL

/* Attributes */
#define CKF_ARRAY_ATTRIBUTE 0x40000000UL
#define CKA_CLASS 0x000UL
#define CKA_TOKEN 0x001UL
#define CKA_PRIVATE 0x002UL
#define CKA_LABEL 0x003UL
#define CKA_APPLICATION 0x010UL
#define CKA_VALUE 0x011UL
#define CKA_OBJECT_ID 0x012UL
#define CKA_CERTIFICATE_TYPE 0x080UL
#define CKA_ISSUER 0x081UL
#define CKA_SERIAL_NUMBER 0x082UL
#define CKA_TRUSTED 0x086UL
#define CKA_CHECK_VALUE 0x090UL
#define CKA_KEY_TYPE 0x100UL
#define CKA_SUBJECT 0x101UL
#define CKA_ID 0x102UL
#define CKA_SENSITIVE 0x103UL
#define CKA_ENCRYPT 0x104UL
#define CKA_DECRYPT 0x105UL
#define CKA_WRAP 0x106UL
#define CKA_UNWRAP 0x107UL
#define CKA_SIGN 0x108UL
#define CKA_SIGN_RECOVER 0x109UL
#define CKA_VERIFY 0x10AUL
#define CKA_VERIFY_RECOVER 0x10BUL
#define CKA_DERIVE 0x10CUL
#define CKA_START_DATE 0x110UL
#define CKA_END_DATE 0x111UL
#define CKA_MODULUS 0x120UL
#define CKA_MODULUS_BITS 0x121UL
#define CKA_PUBLIC_EXPONENT 0x122UL
#define CKA_PRIVATE_EXPONENT 0x123UL
#define CKA_PRIME_1 0x124UL
#define CKA_PRIME_2 0x125UL
#define CKA_EXPONENT_1 0x126UL
#define CKA_EXPONENT_2 0x127UL
#define CKA_COEFFICIENT 0x128UL
#define CKA_PUBLIC_KEY_INFO 0x129UL
#define CKA_VALUE_BITS 0x160UL
#define CKA_VALUE_LEN 0x161UL
#define CKA_EXTRACTABLE 0x162UL
#define CKA_LOCAL 0x163UL
#define CKA_NEVER_EXTRACTABLE 0x164UL
#define CKA_ALWAYS_SENSITIVE 0x165UL
#define CKA_KEY_GEN_MECHANISM 0x166UL
#define CKA_MODIFIABLE 0x170UL
#define CKA_COPYABLE 0x171UL
#define CKA_DESTROYABLE 0x172UL
#define CKA_EC_PARAMS 0x180UL
#define CKA_EC_POINT 0x181UL
#define CKA_ALWAYS_AUTHENTICATE 0x202UL
#define CKA_WRAP_WITH_TRUSTED 0x210UL
#define CKA_WRAP_TEMPLATE (CKF_ARRAY_ATTRIBUTE | 0x211UL)
#define CKA_UNWRAP_TEMPLATE (CKF_ARRAY_ATTRIBUTE | 0x212UL)
#define CKA_DERIVE_TEMPLATE (CKF_ARRAY_ATTRIBUTE | 0x213UL)
#define CKA_ALLOWED_MECHANISMS (CKF_ARRAY_ATTRIBUTE | 0x600UL)
#define CKA_VENDOR_DEFINED 0x80000000UL

/* Mechanisms */
#define CKM_RSA_PKCS_KEY_PAIR_GEN 0x0000UL
#define CKM_RSA_PKCS 0x0001UL
#define CKM_RSA_X_509 0x0003UL
#define CKM_SHA1_RSA_PKCS 0x0006UL
#define CKM_RSA_PKCS_OAEP 0x0009UL
#define CKM_RSA_PKCS_PSS 0x000DUL
#define CKM_SHA256_RSA_PKCS 0x0040UL
#define CKM_SHA384_RSA_PKCS 0x0041UL
#define CKM_SHA512_RSA_PKCS 0x0042UL
#define CKM_SHA256_RSA_PKCS_PSS 0x0043UL
#define CKM_DES_KEY_GEN 0x0120UL
#define CKM_DES_ECB 0x0121UL
#define CKM_DES_CBC 0x0122UL
#define CKM_DES_CBC_PAD 0x0125UL
#define CKM_DES2_KEY_GEN 0x0130UL
#define CKM_DES3_KEY_GEN 0x0131UL
#define CKM_DES3_ECB 0x0132UL
#define CKM_DES3_CBC 0x0133UL
#define CKM_DES3_MAC 0x0134UL
#define CKM_DES3_MAC_GENERAL 0x0135UL
#define CKM_DES3_CBC_PAD 0x0136UL
#define CKM_DES3_CMAC_GENERAL 0x0137UL
#define CKM_DES3_CMAC 0x0138UL
#define CKM_SHA_1 0x0220UL
#define CKM_SHA_1_HMAC 0x0221UL
#define CKM_SHA256 0x0250UL
#define CKM_SHA256_HMAC 0x0251UL
#define CKM_SHA384 0x0260UL
#define CKM_SHA384_HMAC 0x0261UL
#define CKM_SHA512 0x0270UL
#define CKM_SHA512_HMAC 0x0271UL
#define CKM_GENERIC_SECRET_KEY_GEN 0x0350UL
#define CKM_CONCATENATE_BASE_AND_KEY 0x0360UL
#define CKM_CONCATENATE_BASE_AND_DATA 0x0362UL
#define CKM_CONCATENATE_DATA_AND_BASE 0x0363UL
#define CKM_XOR_BASE_AND_DATA 0x0364UL
#define CKM_EXTRACT_KEY_FROM_KEY 0x0365UL
#define CKM_SHA1_KEY_DERIVATION 0x0392UL
#define CKM_SHA256_KEY_DERIVATION 0x0393UL
#define CKM_SHA384_KEY_DERIVATION 0x0394UL
#define CKM_SHA512_KEY_DERIVATION 0x0395UL
#define CKM_EC_KEY_PAIR_GEN 0x1040UL
#define CKM_ECDSA 0x1041UL
#define CKM_ECDSA_SHA1 0x1042UL
#define CKM_ECDSA_SHA256 0x1044UL
#define CKM_ECDSA_SHA384 0x1045UL
#define CKM_ECDSA_SHA512 0x1046UL
#define CKM_AES_KEY_GEN 0x1080UL
#define CKM_AES_ECB 0x1081UL
#define CKM_AES_CBC 0x1082UL
#define CKM_AES_MAC 0x1083UL
#define CKM_AES_CBC_PAD 0x1085UL
#define CKM_AES_CMAC_GENERAL 0x1089UL
#define CKM_AES_CMAC 0x108AUL
#define CKM_DES_ECB_ENCRYPT_DATA 0x1100UL
#define CKM_DES_CBC_ENCRYPT_DATA 0x1101UL
#define CKM_DES3_ECB_ENCRYPT_DATA 0x1102UL
#define CKM_DES3_CBC_ENCRYPT_DATA 0x1103UL
#define CKM_AES_ECB_ENCRYPT_DATA 0x1104UL
#define CKM_AES_CBC_ENCRYPT_DATA 0x1105UL
#define CKM_AES_KEY_WRAP 0x2109UL
#define CKM_AES_KEY_WRAP_PAD 0x210AUL
#define CKM_VENDOR_DEFINED 0x80000000UL

#define CKG_MGF1_SHA1 1UL
#define CKG_MGF1_SHA256 2UL
#define CKG_MGF1_SHA384 3UL
#define CKG_MGF1_SHA512 4UL
#define CKZ_DATA_SPECIFIED 1UL

/* Return values: name and number, so that faults and messages can speak in names. */
#define CK_RETURN_VALUES(X)                                                                                               \
  X(CKR_OK, 0x000) X(CKR_CANCEL, 0x001) X(CKR_HOST_MEMORY, 0x002) X(CKR_SLOT_ID_INVALID, 0x003)                           \
  X(CKR_GENERAL_ERROR, 0x005) X(CKR_FUNCTION_FAILED, 0x006) X(CKR_ARGUMENTS_BAD, 0x007) X(CKR_NO_EVENT, 0x008)            \
  X(CKR_NEED_TO_CREATE_THREADS, 0x009) X(CKR_CANT_LOCK, 0x00A) X(CKR_ATTRIBUTE_READ_ONLY, 0x010)                          \
  X(CKR_ATTRIBUTE_SENSITIVE, 0x011) X(CKR_ATTRIBUTE_TYPE_INVALID, 0x012) X(CKR_ATTRIBUTE_VALUE_INVALID, 0x013)            \
  X(CKR_ACTION_PROHIBITED, 0x01B) X(CKR_DATA_INVALID, 0x020) X(CKR_DATA_LEN_RANGE, 0x021) X(CKR_DEVICE_ERROR, 0x030)      \
  X(CKR_DEVICE_MEMORY, 0x031) X(CKR_DEVICE_REMOVED, 0x032) X(CKR_ENCRYPTED_DATA_INVALID, 0x040)                           \
  X(CKR_ENCRYPTED_DATA_LEN_RANGE, 0x041) X(CKR_FUNCTION_CANCELED, 0x050) X(CKR_FUNCTION_NOT_PARALLEL, 0x051)              \
  X(CKR_FUNCTION_NOT_SUPPORTED, 0x054) X(CKR_KEY_HANDLE_INVALID, 0x060) X(CKR_KEY_SIZE_RANGE, 0x062)                      \
  X(CKR_KEY_TYPE_INCONSISTENT, 0x063) X(CKR_KEY_NOT_NEEDED, 0x064) X(CKR_KEY_CHANGED, 0x065) X(CKR_KEY_NEEDED, 0x066)     \
  X(CKR_KEY_INDIGESTIBLE, 0x067) X(CKR_KEY_FUNCTION_NOT_PERMITTED, 0x068) X(CKR_KEY_NOT_WRAPPABLE, 0x069)                 \
  X(CKR_KEY_UNEXTRACTABLE, 0x06A) X(CKR_MECHANISM_INVALID, 0x070) X(CKR_MECHANISM_PARAM_INVALID, 0x071)                   \
  X(CKR_OBJECT_HANDLE_INVALID, 0x082) X(CKR_OPERATION_ACTIVE, 0x090) X(CKR_OPERATION_NOT_INITIALIZED, 0x091)              \
  X(CKR_PIN_INCORRECT, 0x0A0) X(CKR_PIN_INVALID, 0x0A1) X(CKR_PIN_LEN_RANGE, 0x0A2) X(CKR_PIN_EXPIRED, 0x0A3)             \
  X(CKR_PIN_LOCKED, 0x0A4) X(CKR_SESSION_CLOSED, 0x0B0) X(CKR_SESSION_COUNT, 0x0B1) X(CKR_SESSION_HANDLE_INVALID, 0x0B3)  \
  X(CKR_SESSION_PARALLEL_NOT_SUPPORTED, 0x0B4) X(CKR_SESSION_READ_ONLY, 0x0B5) X(CKR_SESSION_EXISTS, 0x0B6)               \
  X(CKR_SESSION_READ_ONLY_EXISTS, 0x0B7) X(CKR_SESSION_READ_WRITE_SO_EXISTS, 0x0B8) X(CKR_SIGNATURE_INVALID, 0x0C0)       \
  X(CKR_SIGNATURE_LEN_RANGE, 0x0C1) X(CKR_TEMPLATE_INCOMPLETE, 0x0D0) X(CKR_TEMPLATE_INCONSISTENT, 0x0D1)                 \
  X(CKR_TOKEN_NOT_PRESENT, 0x0E0) X(CKR_TOKEN_NOT_RECOGNIZED, 0x0E1) X(CKR_TOKEN_WRITE_PROTECTED, 0x0E2)                  \
  X(CKR_UNWRAPPING_KEY_HANDLE_INVALID, 0x0F0) X(CKR_UNWRAPPING_KEY_SIZE_RANGE, 0x0F1)                                     \
  X(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, 0x0F2) X(CKR_USER_ALREADY_LOGGED_IN, 0x100) X(CKR_USER_NOT_LOGGED_IN, 0x101)    \
  X(CKR_USER_PIN_NOT_INITIALIZED, 0x102) X(CKR_USER_TYPE_INVALID, 0x103) X(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, 0x104)     \
  X(CKR_USER_TOO_MANY_TYPES, 0x105) X(CKR_WRAPPED_KEY_INVALID, 0x110) X(CKR_WRAPPED_KEY_LEN_RANGE, 0x112)                 \
  X(CKR_WRAPPING_KEY_HANDLE_INVALID, 0x113) X(CKR_WRAPPING_KEY_SIZE_RANGE, 0x114)                                         \
  X(CKR_WRAPPING_KEY_TYPE_INCONSISTENT, 0x115) X(CKR_RANDOM_SEED_NOT_SUPPORTED, 0x120) X(CKR_RANDOM_NO_RNG, 0x121)        \
  X(CKR_DOMAIN_PARAMS_INVALID, 0x130) X(CKR_CURVE_NOT_SUPPORTED, 0x140) X(CKR_BUFFER_TOO_SMALL, 0x150)                    \
  X(CKR_SAVED_STATE_INVALID, 0x160) X(CKR_INFORMATION_SENSITIVE, 0x170) X(CKR_STATE_UNSAVEABLE, 0x180)                    \
  X(CKR_CRYPTOKI_NOT_INITIALIZED, 0x190) X(CKR_CRYPTOKI_ALREADY_INITIALIZED, 0x191) X(CKR_MUTEX_BAD, 0x1A0)               \
  X(CKR_MUTEX_NOT_LOCKED, 0x1A1) X(CKR_FUNCTION_REJECTED, 0x200)
#define CK_RETURN_VALUE_ENUM(name, number) name = number,
enum ck_return_value { CK_RETURN_VALUES(CK_RETURN_VALUE_ENUM) CKR_VENDOR_FIRST = 0x7FFFFFFF };
#define CKR_VENDOR_DEFINED 0x80000000UL

/* Functions, in the order of CK_FUNCTION_LIST. */
#define CK_FUNCTIONS(X)                                                                                                    \
  X(C_Initialize, (void *pInitArgs))                                                                                       \
  X(C_Finalize, (void *pReserved))                                                                                         \
  X(C_GetInfo, (CK_INFO * pInfo))                                                                                          \
  X(C_GetFunctionList, (struct CK_FUNCTION_LIST * *ppFunctionList))                                                        \
  X(C_GetSlotList, (CK_BBOOL tokenPresent, CK_SLOT_ID * pSlotList, CK_ULONG * pulCount))                                   \
  X(C_GetSlotInfo, (CK_SLOT_ID slotID, CK_SLOT_INFO * pInfo))                                                              \
  X(C_GetTokenInfo, (CK_SLOT_ID slotID, CK_TOKEN_INFO * pInfo))                                                            \
  X(C_GetMechanismList, (CK_SLOT_ID slotID, CK_MECHANISM_TYPE * pMechanismList, CK_ULONG * pulCount))                      \
  X(C_GetMechanismInfo, (CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO * pInfo))                            \
  X(C_InitToken, (CK_SLOT_ID slotID, CK_UTF8CHAR * pPin, CK_ULONG ulPinLen, CK_UTF8CHAR * pLabel))                         \
  X(C_InitPIN, (CK_SESSION_HANDLE hSession, CK_UTF8CHAR * pPin, CK_ULONG ulPinLen))                                        \
  X(C_SetPIN, (CK_SESSION_HANDLE hSession, CK_UTF8CHAR * pOldPin, CK_ULONG ulOldLen, CK_UTF8CHAR * pNewPin, CK_ULONG ulNewLen)) \
  X(C_OpenSession, (CK_SLOT_ID slotID, CK_FLAGS flags, void *pApplication, CK_NOTIFY Notify, CK_SESSION_HANDLE * phSession)) \
  X(C_CloseSession, (CK_SESSION_HANDLE hSession))                                                                          \
  X(C_CloseAllSessions, (CK_SLOT_ID slotID))                                                                               \
  X(C_GetSessionInfo, (CK_SESSION_HANDLE hSession, CK_SESSION_INFO * pInfo))                                               \
  X(C_GetOperationState, (CK_SESSION_HANDLE hSession, CK_BYTE * pOperationState, CK_ULONG * pulOperationStateLen))         \
  X(C_SetOperationState, (CK_SESSION_HANDLE hSession, CK_BYTE * pOperationState, CK_ULONG ulOperationStateLen, CK_OBJECT_HANDLE hEncryptionKey, CK_OBJECT_HANDLE hAuthenticationKey)) \
  X(C_Login, (CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR * pPin, CK_ULONG ulPinLen))                   \
  X(C_Logout, (CK_SESSION_HANDLE hSession))                                                                                \
  X(C_CreateObject, (CK_SESSION_HANDLE hSession, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE * phObject)) \
  X(C_CopyObject, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE * phNewObject)) \
  X(C_DestroyObject, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject))                                               \
  X(C_GetObjectSize, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ULONG * pulSize))                           \
  X(C_GetAttributeValue, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount)) \
  X(C_SetAttributeValue, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount)) \
  X(C_FindObjectsInit, (CK_SESSION_HANDLE hSession, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount))                           \
  X(C_FindObjects, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE * phObject, CK_ULONG ulMaxObjectCount, CK_ULONG * pulObjectCount)) \
  X(C_FindObjectsFinal, (CK_SESSION_HANDLE hSession))                                                                      \
  X(C_EncryptInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hKey))                         \
  X(C_Encrypt, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))        \
  X(C_EncryptUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))  \
  X(C_EncryptFinal, (CK_SESSION_HANDLE hSession, CK_BYTE * pOut, CK_ULONG * pulOutLen))                                    \
  X(C_DecryptInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hKey))                         \
  X(C_Decrypt, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))        \
  X(C_DecryptUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))  \
  X(C_DecryptFinal, (CK_SESSION_HANDLE hSession, CK_BYTE * pOut, CK_ULONG * pulOutLen))                                    \
  X(C_DigestInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism))                                                 \
  X(C_Digest, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))         \
  X(C_DigestUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pPart, CK_ULONG ulPartLen))                                     \
  X(C_DigestKey, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hKey))                                                      \
  X(C_DigestFinal, (CK_SESSION_HANDLE hSession, CK_BYTE * pOut, CK_ULONG * pulOutLen))                                     \
  X(C_SignInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hKey))                            \
  X(C_Sign, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))           \
  X(C_SignUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pPart, CK_ULONG ulPartLen))                                       \
  X(C_SignFinal, (CK_SESSION_HANDLE hSession, CK_BYTE * pOut, CK_ULONG * pulOutLen))                                       \
  X(C_SignRecoverInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hKey))                     \
  X(C_SignRecover, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))    \
  X(C_VerifyInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hKey))                          \
  X(C_Verify, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pSignature, CK_ULONG ulSignatureLen)) \
  X(C_VerifyUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pPart, CK_ULONG ulPartLen))                                     \
  X(C_VerifyFinal, (CK_SESSION_HANDLE hSession, CK_BYTE * pSignature, CK_ULONG ulSignatureLen))                            \
  X(C_VerifyRecoverInit, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hKey))                   \
  X(C_VerifyRecover, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen))  \
  X(C_DigestEncryptUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen)) \
  X(C_DecryptDigestUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen)) \
  X(C_SignEncryptUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen)) \
  X(C_DecryptVerifyUpdate, (CK_SESSION_HANDLE hSession, CK_BYTE * pIn, CK_ULONG ulInLen, CK_BYTE * pOut, CK_ULONG * pulOutLen)) \
  X(C_GenerateKey, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE * phKey)) \
  X(C_GenerateKeyPair, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_ATTRIBUTE * pPublicTemplate, CK_ULONG ulPublicCount, CK_ATTRIBUTE * pPrivateTemplate, CK_ULONG ulPrivateCount, CK_OBJECT_HANDLE * phPublicKey, CK_OBJECT_HANDLE * phPrivateKey)) \
  X(C_WrapKey, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hWrappingKey, CK_OBJECT_HANDLE hKey, CK_BYTE * pWrappedKey, CK_ULONG * pulWrappedKeyLen)) \
  X(C_UnwrapKey, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hUnwrappingKey, CK_BYTE * pWrappedKey, CK_ULONG ulWrappedKeyLen, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE * phKey)) \
  X(C_DeriveKey, (CK_SESSION_HANDLE hSession, CK_MECHANISM * pMechanism, CK_OBJECT_HANDLE hBaseKey, CK_ATTRIBUTE * pTemplate, CK_ULONG ulCount, CK_OBJECT_HANDLE * phKey)) \
  X(C_SeedRandom, (CK_SESSION_HANDLE hSession, CK_BYTE * pSeed, CK_ULONG ulSeedLen))                                       \
  X(C_GenerateRandom, (CK_SESSION_HANDLE hSession, CK_BYTE * pRandom, CK_ULONG ulRandomLen))                               \
  X(C_GetFunctionStatus, (CK_SESSION_HANDLE hSession))                                                                     \
  X(C_CancelFunction, (CK_SESSION_HANDLE hSession))                                                                        \
  X(C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID * pSlot, void *pReserved))

struct CK_FUNCTION_LIST;
#define CK_FUNCTION_DECLARATION(name, arguments) CK_RV name arguments;
CK_FUNCTIONS(CK_FUNCTION_DECLARATION)

#define CK_FUNCTION_POINTER(name, arguments) CK_RV(*name) arguments;
typedef struct CK_FUNCTION_LIST {
  CK_VERSION version;
  CK_FUNCTIONS(CK_FUNCTION_POINTER)
} CK_FUNCTION_LIST;

#ifdef __cplusplus
}
#endif

#endif
