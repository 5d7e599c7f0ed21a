#include "operation.h"

#include <openssl/crypto.h>
#include <string.h>

static const CK_FLAGS KIND_FLAG[OPERATIONS] = {[OP_ENCRYPT] = CKF_ENCRYPT, [OP_DECRYPT] = CKF_DECRYPT, [OP_SIGN] = CKF_SIGN, [OP_VERIFY] = CKF_VERIFY, [OP_DIGEST] = CKF_DIGEST};
static const uint32_t KIND_USAGE[OPERATIONS] = {[OP_ENCRYPT] = F_ENCRYPT, [OP_DECRYPT] = F_DECRYPT, [OP_SIGN] = F_SIGN, [OP_VERIFY] = F_VERIFY};
static const char SM2_DEFAULT_ID[] = "1234567812345678";

bool sim_mechanism_takes(const sim_mechanism *mechanism, const sim_object *key) {
  if (mechanism->key_type == CK_UNAVAILABLE_INFORMATION) return key->class == CKO_SECRET_KEY;
  if (mechanism->key_type == CKK_DES3) return key->key_type == CKK_DES3 || key->key_type == CKK_DES2;
  if (mechanism->family == M_XOR_HALVES) return key->key_type == CKK_DES2 || key->key_type == CKK_GENERIC_SECRET;
  return mechanism->key_type == key->key_type;
}

bool sim_mechanism_allowed(const sim_object *key, CK_MECHANISM_TYPE spoken) {
  const sim_blob *list = &key->blobs[B_ALLOWED];
  for (size_t at = 0; at + sizeof spoken <= list->length; at += sizeof spoken)
    if (memcmp(list->bytes + at, &spoken, sizeof spoken) == 0) return true;
  return list->length == 0;
}

static bool digest_of(CK_MECHANISM_TYPE type, CK_ULONG *digest) {
  static const struct {
    CK_MECHANISM_TYPE type;
    CK_ULONG mgf, digest;
  } known[] = {{CKM_SHA_1, CKG_MGF1_SHA1, SIM_SHA1}, {CKM_SHA256, CKG_MGF1_SHA256, SIM_SHA256}, {CKM_SHA384, CKG_MGF1_SHA384, SIM_SHA384}, {CKM_SHA512, CKG_MGF1_SHA512, SIM_SHA512}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (known[i].type != type) continue;
    *digest = known[i].digest;
    return true;
  }
  return false;
}

CK_RV sim_oaep_digest(const CK_MECHANISM *mechanism, CK_ULONG *digest) {
  const CK_RSA_PKCS_OAEP_PARAMS *p = mechanism->pParameter;
  if (p == NULL || mechanism->ulParameterLen != sizeof *p || !digest_of(p->hashAlg, digest) || *digest > SIM_SHA256) return CKR_MECHANISM_PARAM_INVALID;
  const CK_ULONG mgf = *digest == SIM_SHA1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256;
  return p->mgf == mgf && p->ulSourceDataLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

CK_RV sim_sm2_form_of(const CK_MECHANISM *mechanism, CK_ULONG *form) {
  *form = SIM_C1C3C2;
  if (mechanism->ulParameterLen == 0) return CKR_OK;
  if (mechanism->ulParameterLen != sizeof *form || mechanism->pParameter == NULL) return CKR_MECHANISM_PARAM_INVALID;
  memcpy(form, mechanism->pParameter, sizeof *form);
  return *form <= SIM_SM2_DER ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

/* Length of the initial value: exactly one block, or none where the mechanism may go without. */
static CK_RV take_iv(sim_operation *operation, const CK_MECHANISM *mechanism, bool may_lack) {
  const size_t block = sim_block_bytes(operation->mechanism->cipher);
  if (mechanism->ulParameterLen == 0 && may_lack) return CKR_OK;
  if (mechanism->ulParameterLen != block || mechanism->pParameter == NULL) return CKR_MECHANISM_PARAM_INVALID;
  return sim_blob_set(&operation->parameter, mechanism->pParameter, block) ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV take_parameter(sim_operation *operation, const CK_MECHANISM *mechanism) {
  switch (operation->mechanism->family) {
    case M_CBC:
    case M_CBC_PAD: return take_iv(operation, mechanism, false);
    case M_CBC_MAC:
    case M_RETAIL_MAC: return take_iv(operation, mechanism, true);
    case M_RSA_OAEP: return sim_oaep_digest(mechanism, &operation->number);
    case M_SM2_ENCRYPT: return sim_sm2_form_of(mechanism, &operation->number);
    case M_SM2_SM3: {
      const bool own = mechanism->ulParameterLen > 0 && mechanism->pParameter != NULL;
      const void *id = own ? mechanism->pParameter : SM2_DEFAULT_ID;
      return sim_blob_set(&operation->parameter, id, own ? mechanism->ulParameterLen : sizeof SM2_DEFAULT_ID - 1) ? CKR_OK : CKR_HOST_MEMORY;
    }
    case M_RSA_PSS: {
      const CK_RSA_PKCS_PSS_PARAMS *p = mechanism->pParameter;
      CK_ULONG digest;
      if (p == NULL || mechanism->ulParameterLen != sizeof *p || !digest_of(p->hashAlg, &digest) || p->sLen > 64) return CKR_MECHANISM_PARAM_INVALID;
      if (operation->mechanism->digest >= 0 && (CK_ULONG)operation->mechanism->digest != digest) return CKR_MECHANISM_PARAM_INVALID;
      operation->number = digest << 16 | p->sLen;
      return CKR_OK;
    }
    default: return mechanism->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
  }
}

static CK_RV take_key(sim_operation *operation, const sim_object *key) {
  operation->key_type = key->key_type;
  bool good = true;
  if (key->class != CKO_PUBLIC_KEY) good = sim_blob_set(&operation->key, key->blobs[B_VALUE].bytes, key->blobs[B_VALUE].length);
  if (good && key->class != CKO_SECRET_KEY) {
    if (key->key_type == CKK_RSA) {
      uint8_t der[1100];
      size_t length = sizeof der;
      if (key->class == CKO_PUBLIC_KEY) {
        CK_RV rv = sim_rsa_public_from(key->blobs[B_MODULUS].bytes, key->blobs[B_MODULUS].length, key->blobs[B_EXPONENT].bytes, key->blobs[B_EXPONENT].length, der, &length);
        if (rv != CKR_OK) return rv;
        good = sim_blob_set(&operation->public_key, der, length);
      }
    } else good = sim_blob_set(&operation->public_key, key->blobs[B_POINT].bytes, key->blobs[B_POINT].length);
  }
  return good ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV sim_operation_begin(sim_operation *operation, sim_operation_kind kind, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle) {
  if (operation->mechanism != NULL) return CKR_OPERATION_ACTIVE;
  const sim_mechanism *found = mechanism == NULL ? NULL : sim_mechanism_find(mechanism->mechanism);
  if (found == NULL || !(found->flags & KIND_FLAG[kind])) return CKR_MECHANISM_INVALID;
  if (kind != OP_DIGEST) {
    const sim_object *key = sim_object_find(handle);
    if (key == NULL || key->class == CKO_DATA || key->class == CKO_CERTIFICATE) return CKR_KEY_HANDLE_INVALID;
    if (!sim_mechanism_takes(found, key)) return CKR_KEY_TYPE_INCONSISTENT;
    if (!(key->flags & KIND_USAGE[kind])) return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (!sim_mechanism_allowed(key, mechanism->mechanism)) return CKR_MECHANISM_INVALID;
    CK_RV rv = take_key(operation, key);
    if (rv != CKR_OK) return sim_operation_end(operation), rv;
  }
  operation->mechanism = found;
  CK_RV rv = mechanism == NULL ? CKR_ARGUMENTS_BAD : take_parameter(operation, mechanism);
  if (rv != CKR_OK) sim_operation_end(operation);
  return rv;
}

/* SM4's vendor mechanism gives a whole block over whole blocks; the standard CBC-MACs give half a block over zero-padded data. */
static bool whole_block_mac(const sim_mechanism *mechanism) { return mechanism->cipher == SIM_SM4; }

size_t sim_operation_room(const sim_operation *operation, sim_operation_kind kind, size_t in_length) {
  const sim_mechanism *m = operation->mechanism;
  const size_t block = sim_block_bytes(m->cipher);
  switch (m->family) {
    case M_CBC_PAD: return kind == OP_ENCRYPT ? in_length / block * block + block : in_length;
    case M_CBC_MAC: return whole_block_mac(m) ? block : block / 2;
    case M_CMAC: return block;
    case M_RETAIL_MAC: return 8;
    case M_DIGEST:
    case M_HMAC: return sim_digest_bytes((sim_digest)m->digest);
    case M_RSA_PKCS:
    case M_RSA_OAEP:
    case M_RSA_SIGN:
    case M_RSA_PSS: return 512;
    case M_ECDSA:
    case M_SM2_RAW:
    case M_SM2_SM3: return sim_personality_quirks()->sm2_der_signature && m->family != M_ECDSA ? 72 : 64;
    case M_SM2_ENCRYPT: return kind == OP_ENCRYPT ? in_length + 65 + 32 + 24 : in_length;
    default: return in_length;
  }
}

static CK_RV give(const uint8_t *result, size_t length, CK_BYTE *out, CK_ULONG *out_len) {
  const CK_RV rv = *out_len < length ? CKR_BUFFER_TOO_SMALL : CKR_OK;
  if (rv == CKR_OK) memcpy(out, result, length);
  *out_len = length;
  return rv;
}

static CK_RV cbc_mac(const sim_operation *operation, const CK_BYTE *in, size_t length, uint8_t *mac) {
  const sim_mechanism *m = operation->mechanism;
  const size_t block = sim_block_bytes(m->cipher), whole = length / block * block;
  uint8_t last[16] = {0}, chain[16] = {0};
  if (m->family == M_RETAIL_MAC) return sim_retail_mac(operation->key.bytes, operation->parameter.bytes, in, length, mac);
  if (whole_block_mac(m)) return sim_cbc_mac(m->cipher, operation->key.bytes, operation->key.length, operation->parameter.bytes, in, length, mac);
  if (length == 0) return CKR_DATA_LEN_RANGE;
  CK_RV rv = whole == 0 ? CKR_OK : sim_cbc_mac(m->cipher, operation->key.bytes, operation->key.length, operation->parameter.bytes, in, whole, chain);
  if (rv == CKR_OK && whole < length) {
    memcpy(last, in + whole, length - whole);
    rv = sim_cbc_mac(m->cipher, operation->key.bytes, operation->key.length, chain, last, block, chain);
  }
  memcpy(mac, chain, block);
  return rv;
}

/* Every MAC: `mac` has the whole of it, `length` says how much counts. */
static CK_RV make_mac(const sim_operation *operation, const CK_BYTE *in, size_t length, uint8_t mac[64], size_t *mac_length) {
  const sim_mechanism *m = operation->mechanism;
  *mac_length = sim_operation_room(operation, OP_SIGN, length);
  switch (m->family) {
    case M_HMAC: return sim_hmac((sim_digest)m->digest, operation->key.bytes, operation->key.length, in, length, mac);
    case M_CMAC: return sim_cmac(m->cipher, operation->key.bytes, operation->key.length, in, length, mac);
    default: return cbc_mac(operation, in, length, mac);
  }
}

/* What an asymmetric signature is made over: the digest of the data where the mechanism hashes, else the data. */
static CK_RV prepare(const sim_operation *operation, const CK_BYTE *in, size_t length, uint8_t room[64], const CK_BYTE **data, size_t *data_len) {
  const sim_mechanism *m = operation->mechanism;
  *data = in;
  *data_len = length;
  if (m->digest < 0) return CKR_OK;
  *data = room;
  *data_len = sim_digest_bytes((sim_digest)m->digest);
  if (m->family != M_SM2_SM3) return sim_hash((sim_digest)m->digest, in, length, room);
  uint8_t z[32], point[65], *joined = OPENSSL_malloc(32 + length);
  if (joined == NULL) return CKR_HOST_MEMORY;
  CK_RV rv = operation->public_key.length == 65 ? (memcpy(point, operation->public_key.bytes, 65), CKR_OK) : sim_ec_public(SIM_SM2_CURVE, operation->key.bytes, point);
  if (rv == CKR_OK) rv = sim_sm2_z(point, operation->parameter.bytes, operation->parameter.length, z);
  if (rv == CKR_OK) {
    memcpy(joined, z, 32);
    memcpy(joined + 32, in, length);
    rv = sim_hash(SIM_SM3, joined, 32 + length, room);
  }
  OPENSSL_free(joined);
  return rv;
}

static CK_RV sign(const sim_operation *operation, const CK_BYTE *in, size_t length, CK_BYTE *out, CK_ULONG *out_len) {
  const sim_mechanism *m = operation->mechanism;
  uint8_t digest[64], signature[512];
  const CK_BYTE *data;
  size_t data_len, signature_len = sizeof signature;
  CK_RV rv = prepare(operation, in, length, digest, &data, &data_len);
  if (rv != CKR_OK) return rv;
  switch (m->family) {
    case M_ECDSA:
      if (data_len > 64) return CKR_DATA_LEN_RANGE;
      rv = sim_ecdsa_sign(operation->key.bytes, data, data_len, signature);
      signature_len = 64;
      break;
    case M_SM2_RAW:
    case M_SM2_SM3:
      if (data_len != 32) return CKR_DATA_LEN_RANGE;
      rv = sim_sm2_sign(operation->key.bytes, data, NULL, signature);
      signature_len = 64;
      if (rv == CKR_OK && sim_personality_quirks()->sm2_der_signature) {
        uint8_t rs[64];
        memcpy(rs, signature, 64);
        signature_len = sizeof signature;
        rv = sim_sm2_signature_to_der(rs, signature, &signature_len);
      }
      break;
    case M_RSA_PSS:
      rv = sim_rsa_sign(operation->key.bytes, operation->key.length, true, true, (sim_digest)(operation->number >> 16), operation->number & 0xFFFF, data, data_len, signature, &signature_len);
      break;
    default:
      rv = sim_rsa_sign(operation->key.bytes, operation->key.length, false, m->family == M_RSA_SIGN, (sim_digest)(m->digest < 0 ? SIM_SHA1 : m->digest), 0, data, data_len, signature, &signature_len);
  }
  return rv == CKR_OK ? give(signature, signature_len, out, out_len) : rv;
}

static CK_RV verify(const sim_operation *operation, const CK_BYTE *in, size_t length, const CK_BYTE *signature, size_t signature_len) {
  const sim_mechanism *m = operation->mechanism;
  uint8_t digest[64], rs[64];
  const CK_BYTE *data;
  size_t data_len;
  CK_RV rv = prepare(operation, in, length, digest, &data, &data_len);
  if (rv != CKR_OK) return rv;
  switch (m->family) {
    case M_ECDSA: return signature_len != 64 ? CKR_SIGNATURE_LEN_RANGE : sim_ecdsa_verify(operation->public_key.bytes, data, data_len, signature);
    case M_SM2_RAW:
    case M_SM2_SM3:
      if (data_len != 32) return CKR_DATA_LEN_RANGE;
      if (sim_personality_quirks()->sm2_der_signature) rv = sim_sm2_signature_from_der(signature, signature_len, rs);
      else if (signature_len != 64) rv = CKR_SIGNATURE_LEN_RANGE;
      else memcpy(rs, signature, 64);
      return rv == CKR_OK ? sim_sm2_verify(operation->public_key.bytes, data, rs) : rv;
    case M_RSA_PSS:
      return sim_rsa_verify(operation->public_key.bytes, operation->public_key.length, true, true, (sim_digest)(operation->number >> 16), operation->number & 0xFFFF, data, data_len, signature, signature_len);
    default:
      return sim_rsa_verify(operation->public_key.bytes, operation->public_key.length, false, m->family == M_RSA_SIGN, (sim_digest)(m->digest < 0 ? SIM_SHA1 : m->digest), 0, data, data_len, signature, signature_len);
  }
}

static CK_RV crypt(const sim_operation *operation, bool encrypt, const CK_BYTE *in, size_t length, CK_BYTE *out, CK_ULONG *out_len) {
  const sim_mechanism *m = operation->mechanism;
  const sim_blob *key = &operation->key, *public_key = &operation->public_key;
  uint8_t iv[16];
  size_t room = *out_len;
  CK_RV rv;
  switch (m->family) {
    case M_ECB:
    case M_CBC:
      if (room < length) return *out_len = length, CKR_BUFFER_TOO_SMALL;
      room = length;
      if (m->family == M_CBC) memcpy(iv, operation->parameter.bytes, operation->parameter.length);
      rv = m->family == M_ECB ? sim_ecb(m->cipher, key->bytes, key->length, encrypt, in, length, out) : sim_cbc(m->cipher, key->bytes, key->length, encrypt, iv, in, length, out);
      if (rv == CKR_DATA_LEN_RANGE && !encrypt) rv = CKR_ENCRYPTED_DATA_LEN_RANGE;
      break;
    case M_CBC_PAD: rv = sim_cbc_pad(m->cipher, key->bytes, key->length, encrypt, operation->parameter.bytes, in, length, out, &room); break;
    case M_RSA_PKCS:
    case M_RSA_OAEP:
      rv = encrypt ? sim_rsa_encrypt(public_key->bytes, public_key->length, m->family == M_RSA_OAEP, (sim_digest)operation->number, in, length, out, &room)
                   : sim_rsa_decrypt(key->bytes, key->length, m->family == M_RSA_OAEP, (sim_digest)operation->number, in, length, out, &room);
      break;
    case M_SM2_ENCRYPT:
      rv = encrypt ? sim_sm2_encrypt(public_key->bytes, (sim_sm2_form)operation->number, in, length, NULL, out, &room)
                   : sim_sm2_decrypt(key->bytes, (sim_sm2_form)operation->number, in, length, out, &room);
      break;
    default: rv = CKR_MECHANISM_INVALID;
  }
  *out_len = room;
  return rv;
}

static bool is_mac(const sim_mechanism *m) { return m->family == M_HMAC || m->family == M_CMAC || m->family == M_CBC_MAC || m->family == M_RETAIL_MAC; }

CK_RV sim_operation_run(const sim_operation *operation, sim_operation_kind kind, const CK_BYTE *in, size_t length, CK_BYTE *out, CK_ULONG *out_len) {
  const sim_mechanism *m = operation->mechanism;
  const CK_ULONG frame = sim_personality_quirks()->frame_most;
  uint8_t result[64];
  size_t result_len;
  if (length > DATA_MOST || (frame > 0 && length > frame)) return CKR_DATA_LEN_RANGE;
  CK_RV rv;
  switch (kind) {
    case OP_DIGEST:
      rv = sim_hash((sim_digest)m->digest, in, length, result);
      return rv == CKR_OK ? give(result, sim_digest_bytes((sim_digest)m->digest), out, out_len) : rv;
    case OP_SIGN:
      if (!is_mac(m)) return sign(operation, in, length, out, out_len);
      rv = make_mac(operation, in, length, result, &result_len);
      return rv == CKR_OK ? give(result, result_len, out, out_len) : rv;
    case OP_VERIFY:
      if (!is_mac(m)) return verify(operation, in, length, out, *out_len);
      rv = make_mac(operation, in, length, result, &result_len);
      if (rv != CKR_OK) return rv;
      return *out_len != result_len ? CKR_SIGNATURE_LEN_RANGE : CRYPTO_memcmp(result, out, result_len) == 0 ? CKR_OK : CKR_SIGNATURE_INVALID;
    default: return crypt(operation, kind == OP_ENCRYPT, in, length, out, out_len);
  }
}
