/* Every mechanism through the PKCS#11 interface to a known answer, or round and back where it draws at random. */
#include "client.h"

static const char ROOT[] = "0123456789ABCDEFFEDCBA9876543210", CONTROL[] = "404142434445464748494A4B4C4D4E4F";
static uint8_t buffer[4096];
static CK_ULONG length;
static attributes t;
static CK_OBJECT_HANDLE key, other, child;

static void data_of(const char *factor, uint8_t out[16]) {
  unhex(factor, out);
  for (int i = 0; i < 8; i++) out[8 + i] = (uint8_t)~out[i];
}

static void check_value(const char *what, CK_OBJECT_HANDLE object, const char *hex) {
  uint8_t value[3];
  kcv(object, value);
  same(what, value, 3, hex);
}

/* root → region "110000sx" → card, by the PBOC rule; pointer and flat form. */
static void diversification(void) {
  static const struct {
    const char *name;
    CK_KEY_TYPE type;
    CK_MECHANISM_TYPE pointer, flat;
    const char *root, *region, *card;
  } rows[] = {
      {"DES3_ECB_ENCRYPT_DATA", CKK_DES2, CKM_DES3_ECB_ENCRYPT_DATA, CKM_HUFU_DES3_ECB_ENCRYPT_DATA_FLAT, "08D7B4", "B60822", "8133F7"},
      {"SM4_ECB_ENCRYPT_DATA", CKK_HUFU_SM4, CKM_HUFU_SM4_ECB_ENCRYPT_DATA, CKM_HUFU_SM4_ECB_ENCRYPT_DATA_FLAT, "2677F4", "F28A06", "AC3A4A"},
      {"AES_ECB_ENCRYPT_DATA", CKK_AES, CKM_AES_ECB_ENCRYPT_DATA, CKM_HUFU_AES_ECB_ENCRYPT_DATA_FLAT, "FDE4FB", "F48D74", "375EBE"},
  };
  uint8_t region[16], card[16];
  data_of("3131303030307378", region);
  data_of("1100000000000001", card);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *hex = rows[i].type == CKK_AES ? "00112233445566778899AABBCCDDEEFF" : ROOT;
    key = import(rows[i].type, hex, "k");
    check_value(rows[i].name, key, rows[i].root);
    secret_template(&t, rows[i].type, "k", rows[i].type == CKK_AES ? 16 : 0);
    expect("  region", derive_data(rows[i].pointer, key, region, 16, &t, &other), CKR_OK);
    check_value("  region check value", other, rows[i].region);
    expect("  card, flat form", derive_raw(rows[i].flat, card, 16, other, &t, &child), CKR_OK);
    check_value("  card check value", child, rows[i].card);
  }
  CK_DES_CBC_ENCRYPT_DATA_PARAMS des = {{0}, region, 8};
  CK_AES_CBC_ENCRYPT_DATA_PARAMS aes = {{0}, region, 16};
  key = import(CKK_DES2, ROOT, "k");
  secret_template(&t, CKK_GENERIC_SECRET, "k", 8);
  expect("DES3_CBC_ENCRYPT_DATA, one block", derive_raw(CKM_DES3_CBC_ENCRYPT_DATA, &des, sizeof des, key, &t, &child), CKR_OK);
  key = import(CKK_AES, "00112233445566778899AABBCCDDEEFF", "k");
  secret_template(&t, CKK_AES, "k", 16);
  expect("AES_CBC_ENCRYPT_DATA, one block", derive_raw(CKM_AES_CBC_ENCRYPT_DATA, &aes, sizeof aes, key, &t, &child), CKR_OK);
  check_value("  equals the ECB form", child, "F48D74");
}

/* A WRITE KEY of PBOC cards: concatenations and one wrap. */
static void write_key(void) {
  uint8_t head[9], pad[7] = {0x80};
  unhex("18010100080F040F33", head);
  key = import(CKK_GENERIC_SECRET, "517AA2A10BFD480D7ADD0F5407612958", "kx");
  secret_template(&t, CKK_GENERIC_SECRET, "kx", 25);
  expect("CONCATENATE_DATA_AND_BASE", derive_data(CKM_CONCATENATE_DATA_AND_BASE, key, head, 9, &t, &child), CKR_OK);
  secret_template(&t, CKK_GENERIC_SECRET, "x", 32);
  expect("CONCATENATE_BASE_AND_DATA", derive_data(CKM_CONCATENATE_BASE_AND_DATA, child, pad, 7, &t, &other), CKR_OK);
  length = sizeof buffer;
  expect("DES3_ECB wrap", wrap(CKM_DES3_ECB, NULL, 0, import(CKK_DES2, CONTROL, "w"), other, buffer, &length), CKR_OK);
  same("  the cipher of the card", buffer, length, "378C1416E470961D6235ED60EBCBA8D32A9585B0B8DA28B9481E25CD171F84F8");
  uint8_t apdu[48] = {0x84, 0xD4, 0x01, 0x00, 0x24}, iv[8] = {0x5A, 0x5B, 0x5C, 0x5D}, mac[8];
  memcpy(apdu + 5, buffer, 32);
  apdu[37] = 0x80;
  length = 8;
  expect("RETAIL_MAC", sign(CKM_HUFU_RETAIL_MAC, iv, 8, import(CKK_DES2, CONTROL, "s"), apdu, 40, mac, &length), CKR_OK);
  same("  the MAC of the card", mac, 4, "F52E369A");
}

/* TAC: DTK_L ⊕ DTK_R as single DES. */
static void tac(void) {
  uint8_t data[32], iv[8] = {0}, out[32];
  unhex("00001388061100000001230000000520210915143000800000000000000000", data);
  memset(data + 22, 0, 2);
  data[22] = 0x80;
  key = import(CKK_DES2, "A14BE59604A133949F3B3C6F74A400BE", "k");
  secret_template(&t, CKK_DES2, "e", 0);
  expect("XOR_HALVES as DES2", derive_raw(CKM_HUFU_XOR_HALVES, NULL, 0, key, &t, &child), CKR_OK);
  length = sizeof out;
  expect("  CBC with it", encrypt(CKM_DES3_CBC, iv, 8, child, data, 24, out, &length), CKR_OK);
  same("  the TAC", out + 16, 4, "94C11A9F");
  secret_template(&t, CKK_DES, "e", 0);
  expect("XOR_HALVES as DES", derive_raw(CKM_HUFU_XOR_HALVES, NULL, 0, key, &t, &child), CKR_OK);
  length = sizeof out;
  expect("DES_CBC", encrypt(CKM_DES_CBC, iv, 8, child, data, 24, out, &length), CKR_OK);
  same("  the same TAC", out + 16, 4, "94C11A9F");
}

static void other_derivations(void) {
  uint8_t data[16];
  memset(data, 0xFF, 16);
  CK_ULONG bit = 0;
  key = import(CKK_GENERIC_SECRET, ROOT, "kx");
  secret_template(&t, CKK_AES, "e", 16);
  expect("XOR_BASE_AND_DATA", derive_data(CKM_XOR_BASE_AND_DATA, key, data, 16, &t, &child), CKR_OK);
  const CK_OBJECT_HANDLE wanted = import(CKK_AES, "FEDCBA98765432100123456789ABCDEF", "e");
  uint8_t a[3], b[3];
  kcv(child, a);
  kcv(wanted, b);
  check(memcmp(a, b, 3) == 0, "  base XOR data");
  secret_template(&t, CKK_DES, "e", 0);
  expect("EXTRACT_KEY_FROM_KEY, left half", derive_raw(CKM_EXTRACT_KEY_FROM_KEY, &bit, sizeof bit, key, &t, &child), CKR_OK);
  uint8_t block[8];
  unhex("4E6F772069732074", block);
  length = sizeof buffer;
  expect("DES_ECB", encrypt(CKM_DES_ECB, NULL, 0, child, block, 8, buffer, &length), CKR_OK);
  same("  with the left half, FIPS 81", buffer, 8, "3FA40E8A984D4815");
  other = import(CKK_GENERIC_SECRET, CONTROL, "kx");
  secret_template(&t, CKK_GENERIC_SECRET, "kx", 32);
  expect("CONCATENATE_BASE_AND_KEY", derive_raw(CKM_CONCATENATE_BASE_AND_KEY, &other, sizeof other, key, &t, &child), CKR_OK);
  static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    const char *digest; /* of ROOT ‖ CONTROL, first 16 bytes */
  } hashes[] = {
      {"SHA256_KEY_DERIVATION", CKM_SHA256_KEY_DERIVATION, NULL}, {"SM3_KEY_DERIVATION", CKM_HUFU_SM3_KEY_DERIVATION, NULL},
      {"SHA1_KEY_DERIVATION", CKM_SHA1_KEY_DERIVATION, NULL},     {"SHA512_KEY_DERIVATION", CKM_SHA512_KEY_DERIVATION, NULL},
  };
  static const CK_MECHANISM_TYPE digests[] = {CKM_SHA256, CKM_HUFU_SM3, CKM_SHA_1, CKM_SHA512};
  uint8_t both[32], digest[64];
  unhex(ROOT, both);
  unhex(CONTROL, both + 16);
  for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
    CK_OBJECT_HANDLE hashed;
    secret_template(&t, CKK_AES, "e", 16);
    expect(hashes[i].name, derive_raw(hashes[i].type, NULL, 0, child, &t, &hashed), CKR_OK);
    CK_MECHANISM mechanism = {digests[i], NULL, 0};
    length = sizeof digest;
    p11->C_DigestInit(session, &mechanism);
    p11->C_Digest(session, both, 32, digest, &length);
    char hex[33];
    for (int n = 0; n < 16; n++) sprintf(hex + 2 * n, "%02X", digest[n]);
    kcv(hashed, a);
    kcv(import(CKK_AES, hex, "e"), b);
    check(memcmp(a, b, 3) == 0, "  is the digest of both keys");
  }
}

static void ciphers(void) {
  static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_KEY_TYPE key_type;
    const char *key, *in, *out;
    CK_ULONG iv;
  } rows[] = {
      {"DES3_ECB", CKM_DES3_ECB, CKK_DES2, "11223344556677881122334455667788", "0102030405060708", "178F59F8578E0D3F", 0},
      {"DES3_CBC, zero IV", CKM_DES3_CBC, CKK_DES2, "11223344556677881122334455667788", "0102030405060708", "178F59F8578E0D3F", 8},
      {"DES3_CBC_PAD", CKM_DES3_CBC_PAD, CKK_DES3, "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123", "5468652071756663", NULL, 8},
      {"DES_CBC_PAD", CKM_DES_CBC_PAD, CKK_DES, "0123456789ABCDEF", "5468652071756663", NULL, 8},
      {"AES_ECB", CKM_AES_ECB, CKK_AES, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "69C4E0D86A7B0430D8CDB78070B4C55A", 0},
      {"AES_CBC, zero IV", CKM_AES_CBC, CKK_AES, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "69C4E0D86A7B0430D8CDB78070B4C55A", 16},
      {"AES_CBC_PAD", CKM_AES_CBC_PAD, CKK_AES, "000102030405060708090A0B0C0D0E0F", "0011", NULL, 16},
      {"SM4_ECB", CKM_HUFU_SM4_ECB, CKK_HUFU_SM4, ROOT, "0123456789ABCDEFFEDCBA9876543210", "681EDF34D206965E86B3E94F536E4246", 0},
      {"SM4_CBC, zero IV", CKM_HUFU_SM4_CBC, CKK_HUFU_SM4, ROOT, "0123456789ABCDEFFEDCBA9876543210", "681EDF34D206965E86B3E94F536E4246", 16},
      {"SM4_CBC_PAD", CKM_HUFU_SM4_CBC_PAD, CKK_HUFU_SM4, ROOT, "001122", NULL, 16},
  };
  static uint8_t iv[16];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint8_t in[64], out[64], back[64];
    CK_ULONG out_len = sizeof out, back_len = sizeof back;
    const size_t n = unhex(rows[i].in, in);
    CK_MECHANISM mechanism = {rows[i].type, rows[i].iv ? iv : NULL, rows[i].iv};
    key = import(rows[i].key_type, rows[i].key, "ed");
    expect(rows[i].name, encrypt(rows[i].type, mechanism.pParameter, rows[i].iv, key, in, n, out, &out_len), CKR_OK);
    if (rows[i].out != NULL) same("  known answer", out, out_len, rows[i].out);
    p11->C_DecryptInit(session, &mechanism, key);
    expect("  decrypts", p11->C_Decrypt(session, out, out_len, back, &back_len), CKR_OK);
    check(back_len == n && memcmp(back, in, n) == 0, "  to the same");
  }
}

static void macs(void) {
  static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_KEY_TYPE key_type;
    const char *key, *in, *mac;
  } rows[] = {
      {"AES_CMAC, RFC 4493 example 2", CKM_AES_CMAC, CKK_AES, "2B7E151628AED2A6ABF7158809CF4F3C", "6BC1BEE22E409F96E93D7E117393172A", "070A16B46B4D4144F79BDD9DD04A287C"},
      {"SM4_CMAC", CKM_HUFU_SM4_CMAC, CKK_HUFU_SM4, ROOT, "00000000000000000000000000000000", "909F5E6ED1"},
      {"SM4_CBC_MAC of one block", CKM_HUFU_SM4_CBC_MAC, CKK_HUFU_SM4, ROOT, "0123456789ABCDEFFEDCBA9876543210", "681EDF34D206965E86B3E94F536E4246"},
      {"DES3_MAC of one block", CKM_DES3_MAC, CKK_DES2, "11223344556677881122334455667788", "0102030405060708", "178F59F8"},
      {"AES_MAC of one block", CKM_AES_MAC, CKK_AES, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "69C4E0D86A7B0430"},
      {"DES3_CMAC, SP 800-38B D.5.1", CKM_DES3_CMAC, CKK_DES3, "4CF15134A2850DD58A3D10BA80570D38", "", "BD2EBF9A3BA00361"},
      {"SHA256_HMAC, RFC 4231 4.3", CKM_SHA256_HMAC, CKK_GENERIC_SECRET, "4A656665", "7768617420646F2079612077616E7420666F72206E6F7468696E673F", "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"},
      {"SHA_1_HMAC, RFC 2202", CKM_SHA_1_HMAC, CKK_GENERIC_SECRET, "4A656665", "7768617420646F2079612077616E7420666F72206E6F7468696E673F", "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79"},
      {"SHA384_HMAC, RFC 4231 4.3", CKM_SHA384_HMAC, CKK_GENERIC_SECRET, "4A656665", "7768617420646F2079612077616E7420666F72206E6F7468696E673F", "AF45D2E376484031617F78D2B58A6B1B9C7EF464F5A01B47E42EC3736322445E8E2240CA5E69E2C78B3239ECFAB21649"},
      {"SHA512_HMAC, RFC 4231 4.3", CKM_SHA512_HMAC, CKK_GENERIC_SECRET, "4A656665", "7768617420646F2079612077616E7420666F72206E6F7468696E673F", "164B7A7BFCF819E2E395FBE73B56E0A387BD64222E831FD610270CD7EA2505549758BF75C05A994A6D034F65F8F0E6FDCAEAB1A34D4A6B4B636E070A38BCE737"},
      {"SM3_HMAC, GM/T 0042", CKM_HUFU_SM3_HMAC, CKK_GENERIC_SECRET, "0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20",
       "61626364626364656364656664656667656667686667686967686A6968696A6B696A6B6C6A6B6C6D6B6C6D6E6C6D6E6F6D6E6F706E6F7071", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint8_t in[128], mac[64];
    const size_t n = unhex(rows[i].in, in);
    CK_MECHANISM mechanism = {rows[i].type, NULL, 0};
    if (rows[i].key_type == CKK_DES3) key = import(CKK_DES2, rows[i].key, "sv");
    else key = import(rows[i].key_type, rows[i].key, "sv");
    length = sizeof mac;
    if (!expect(rows[i].name, sign(rows[i].type, NULL, 0, key, in, n, mac, &length), CKR_OK)) continue;
    if (rows[i].mac != NULL) {
      uint8_t wanted[64];
      const size_t shown = unhex(rows[i].mac, wanted);
      same("  known answer", mac, shown, rows[i].mac);
    }
    p11->C_VerifyInit(session, &mechanism, key);
    expect("  verifies", p11->C_Verify(session, in, n, mac, length), CKR_OK);
    mac[0] ^= 1;
    p11->C_VerifyInit(session, &mechanism, key);
    expect("  a wrong one does not", p11->C_Verify(session, in, n, mac, length), CKR_SIGNATURE_INVALID);
  }
}

static void digests(void) {
  static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    const char *out;
  } rows[] = {
      {"SM3", CKM_HUFU_SM3, "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"},
      {"SHA256", CKM_SHA256, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"},
      {"SHA_1", CKM_SHA_1, "A9993E364706816ABA3E25717850C26C9CD0D89D"},
      {"SHA384", CKM_SHA384, "CB00753F45A35E8BB5A03D699AC65007272C32AB0EDED1631A8B605A43FF5BED8086072BA1E7CC2358BAECA134C825A7"},
      {"SHA512", CKM_SHA512, "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    CK_MECHANISM mechanism = {rows[i].type, NULL, 0};
    length = sizeof buffer;
    p11->C_DigestInit(session, &mechanism);
    p11->C_DigestUpdate(session, (CK_BYTE *)"ab", 2);
    p11->C_DigestUpdate(session, (CK_BYTE *)"c", 1);
    p11->C_DigestFinal(session, buffer, &length);
    same(rows[i].name, buffer, length, rows[i].out);
  }
}

static CK_OBJECT_HANDLE public_half, private_half;

static CK_RV make_pair(CK_MECHANISM_TYPE type, const char *curve, CK_ATTRIBUTE_TYPE public_use, CK_ATTRIBUTE_TYPE private_use, bool extractable) {
  attributes p = {.count = 0}, s = {.count = 0};
  static uint8_t oid[16];
  CK_MECHANISM mechanism = {type, NULL, 0};
  if (curve != NULL) put_bytes(&p, CKA_EC_PARAMS, oid, unhex(curve, oid));
  else if (type == CKM_RSA_PKCS_KEY_PAIR_GEN) put_number(&p, CKA_MODULUS_BITS, 2048);
  put_flag(&p, public_use, true);
  put_flag(&s, private_use, true);
  put_flag(&s, CKA_EXTRACTABLE, extractable);
  return p11->C_GenerateKeyPair(session, &mechanism, p.list, p.count, s.list, s.count, &public_half, &private_half);
}

static void sign_both(const char *name, CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_len, CK_ULONG data_len) {
  uint8_t data[64];
  CK_MECHANISM mechanism = {type, parameter, parameter_len};
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
  length = sizeof buffer;
  if (!expect(name, sign(type, parameter, parameter_len, private_half, data, data_len, buffer, &length), CKR_OK)) return;
  p11->C_VerifyInit(session, &mechanism, public_half);
  expect("  verifies", p11->C_Verify(session, data, data_len, buffer, length), CKR_OK);
  data[3] ^= 1;
  p11->C_VerifyInit(session, &mechanism, public_half);
  expect("  other data does not", p11->C_Verify(session, data, data_len, buffer, length), CKR_SIGNATURE_INVALID);
}

static void signatures(void) {
  CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
  expect("RSA_PKCS_KEY_PAIR_GEN", make_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, CKA_VERIFY, CKA_SIGN, false), CKR_OK);
  sign_both("RSA_PKCS", CKM_RSA_PKCS, NULL, 0, 51);
  sign_both("SHA1_RSA_PKCS", CKM_SHA1_RSA_PKCS, NULL, 0, 40);
  sign_both("SHA256_RSA_PKCS", CKM_SHA256_RSA_PKCS, NULL, 0, 40);
  sign_both("SHA384_RSA_PKCS", CKM_SHA384_RSA_PKCS, NULL, 0, 40);
  sign_both("SHA512_RSA_PKCS", CKM_SHA512_RSA_PKCS, NULL, 0, 40);
  sign_both("RSA_PKCS_PSS", CKM_RSA_PKCS_PSS, &pss, sizeof pss, 32);
  sign_both("SHA256_RSA_PKCS_PSS", CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss, 40);
  expect("EC_KEY_PAIR_GEN", make_pair(CKM_EC_KEY_PAIR_GEN, "06082A8648CE3D030107", CKA_VERIFY, CKA_SIGN, false), CKR_OK);
  sign_both("ECDSA", CKM_ECDSA, NULL, 0, 32);
  sign_both("ECDSA_SHA256", CKM_ECDSA_SHA256, NULL, 0, 50);
  expect("SM2_KEY_PAIR_GEN", make_pair(CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, CKA_VERIFY, CKA_SIGN, false), CKR_OK);
  sign_both("SM2_SM3", CKM_HUFU_SM2_SM3, NULL, 0, 50);
  sign_both("SM2_SM3, other ID", CKM_HUFU_SM2_SM3, "ALICE123@YAHOO.COM", 18, 50);
  sign_both("SM2_RAW", CKM_HUFU_SM2_RAW, NULL, 0, 32);
  /* The published signature, by an imported public key. */
  attributes p = {.count = 0};
  uint8_t point[67], signature[64];
  put_number(&p, CKA_CLASS, CKO_PUBLIC_KEY);
  put_number(&p, CKA_KEY_TYPE, CKK_HUFU_SM2);
  put_flag(&p, CKA_VERIFY, true);
  put_bytes(&p, CKA_EC_POINT, point, unhex("04410409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13", point));
  expect("  a public key from outside", p11->C_CreateObject(session, p.list, p.count, &public_half), CKR_OK);
  unhex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA", signature);
  for (int with_id = 0; with_id < 2; with_id++) {
    CK_MECHANISM mechanism = {CKM_HUFU_SM2_SM3, with_id ? "1234567812345679" : NULL, with_id ? 16 : 0};
    p11->C_VerifyInit(session, &mechanism, public_half);
    expect(with_id ? "  and fails under another ID" : "  GB/T 32918.5 verifies with the default ID", p11->C_Verify(session, (CK_BYTE *)"message digest", 14, signature, 64), with_id ? CKR_SIGNATURE_INVALID : CKR_OK);
  }
}

static void crypt_both(const char *name, CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_len) {
  uint8_t back[64];
  CK_ULONG back_len = sizeof back;
  CK_MECHANISM mechanism = {type, parameter, parameter_len};
  length = sizeof buffer;
  if (!expect(name, encrypt(type, parameter, parameter_len, public_half, (const uint8_t *)"sixteen bytes ok", 16, buffer, &length), CKR_OK)) return;
  p11->C_DecryptInit(session, &mechanism, private_half);
  expect("  decrypts", p11->C_Decrypt(session, buffer, length, back, &back_len), CKR_OK);
  check(back_len == 16 && memcmp(back, "sixteen bytes ok", 16) == 0, "  to the same");
}

/* A key leaves under `wrapping` and comes back under `unwrapping`: same check value. */
static void there_and_back(const char *name, CK_MECHANISM_TYPE type, void *parameter, CK_ULONG parameter_len, bool parameter_back, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE unwrapping) {
  uint8_t a[3], b[3];
  const CK_OBJECT_HANDLE travels = import(CKK_DES2, ROOT, "kx");
  length = sizeof buffer;
  if (!expect(name, wrap(type, parameter, parameter_len, wrapping, travels, buffer, &length), CKR_OK)) return;
  secret_template(&t, CKK_DES2, "k", 0);
  if (!expect("  unwraps", unwrap(type, parameter_back ? parameter : NULL, parameter_back ? parameter_len : 0, unwrapping, buffer, length, &t, &child), CKR_OK)) return;
  kcv(travels, a);
  kcv(child, b);
  check(memcmp(a, b, 3) == 0, "  to the same key");
}

static void transport(void) {
  CK_RSA_PKCS_OAEP_PARAMS oaep1 = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0}, oaep256 = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
  CK_ULONG form;
  static uint8_t iv[16] = {9, 8, 7};
  CK_BYTE two_of_three[2] = {2, 3};
  expect("RSA pair that encrypts", make_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, CKA_ENCRYPT, CKA_DECRYPT, false), CKR_OK);
  crypt_both("RSA_PKCS encryption", CKM_RSA_PKCS, NULL, 0);
  crypt_both("RSA_PKCS_OAEP, SHA-1", CKM_RSA_PKCS_OAEP, &oaep1, sizeof oaep1);
  crypt_both("RSA_PKCS_OAEP, SHA-256", CKM_RSA_PKCS_OAEP, &oaep256, sizeof oaep256);
  expect("RSA pair that wraps", make_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, CKA_WRAP, CKA_UNWRAP, false), CKR_OK);
  there_and_back("RSA_PKCS wrap", CKM_RSA_PKCS, NULL, 0, true, public_half, private_half);
  there_and_back("RSA_PKCS_OAEP wrap, SHA-256", CKM_RSA_PKCS_OAEP, &oaep256, sizeof oaep256, true, public_half, private_half);
  expect("SM2 pair that encrypts", make_pair(CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, CKA_ENCRYPT, CKA_DECRYPT, false), CKR_OK);
  for (form = 0; form < 3; form++) crypt_both("SM2_ENCRYPT", CKM_HUFU_SM2_ENCRYPT, &form, sizeof form);
  expect("SM2 pair that wraps", make_pair(CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, CKA_WRAP, CKA_UNWRAP, false), CKR_OK);
  for (form = 0; form < 3; form++) there_and_back("SM2_ENCRYPT wrap", CKM_HUFU_SM2_ENCRYPT, &form, sizeof form, true, public_half, private_half);

  /* An SM2 private key in the two GM envelopes: signs afterwards as before. */
  const CK_OBJECT_HANDLE receiver = public_half, receiver_private = private_half;
  static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
  } envelopes[] = {{"SM2_ENVELOPED_KEY", CKM_HUFU_SM2_ENVELOPED_KEY}, {"GM0018_ENVELOPE", CKM_HUFU_GM0018_ENVELOPE}};
  for (size_t i = 0; i < 2; i++) {
    make_pair(CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, CKA_VERIFY, CKA_SIGN, true);
    length = sizeof buffer;
    expect(envelopes[i].name, wrap(envelopes[i].type, NULL, 0, receiver, private_half, buffer, &length), CKR_OK);
    attributes s = {.count = 0};
    put_number(&s, CKA_CLASS, CKO_PRIVATE_KEY);
    put_number(&s, CKA_KEY_TYPE, CKK_HUFU_SM2);
    put_flag(&s, CKA_SIGN, true);
    expect("  opens", unwrap(envelopes[i].type, NULL, 0, receiver_private, buffer, length, &s, &private_half), CKR_OK);
    sign_both("  signs for its public half", CKM_HUFU_SM2_SM3, NULL, 0, 40);
  }
  const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_KEY_TYPE kek_type;
    const char *kek;
    CK_ULONG iv;
  } keks[] = {
      {"DES3_ECB wrap", CKM_DES3_ECB, CKK_DES2, CONTROL, 0}, {"DES3_CBC wrap", CKM_DES3_CBC, CKK_DES2, CONTROL, 8}, {"DES3_CBC_PAD wrap", CKM_DES3_CBC_PAD, CKK_DES2, CONTROL, 8},
      {"AES_ECB wrap", CKM_AES_ECB, CKK_AES, CONTROL, 0}, {"AES_CBC wrap", CKM_AES_CBC, CKK_AES, CONTROL, 16}, {"AES_CBC_PAD wrap", CKM_AES_CBC_PAD, CKK_AES, CONTROL, 16},
      {"SM4_ECB wrap", CKM_HUFU_SM4_ECB, CKK_HUFU_SM4, CONTROL, 0}, {"SM4_CBC wrap", CKM_HUFU_SM4_CBC, CKK_HUFU_SM4, CONTROL, 16}, {"SM4_CBC_PAD wrap", CKM_HUFU_SM4_CBC_PAD, CKK_HUFU_SM4, CONTROL, 16},
      {"AES_KEY_WRAP", CKM_AES_KEY_WRAP, CKK_AES, CONTROL, 0}, {"AES_KEY_WRAP_PAD", CKM_AES_KEY_WRAP_PAD, CKK_AES, CONTROL, 0},
  };
  for (size_t i = 0; i < sizeof keks / sizeof *keks; i++)
    there_and_back(keks[i].name, keks[i].type, keks[i].iv ? iv : NULL, keks[i].iv, true, import(keks[i].kek_type, keks[i].kek, "w"), import(keks[i].kek_type, keks[i].kek, "u"));
  /* SM2 private keys: raw d under SM4, PKCS#8 under SM4 with padding. */
  for (int padded = 0; padded < 2; padded++) {
    make_pair(CKM_HUFU_SM2_KEY_PAIR_GEN, NULL, CKA_VERIFY, CKA_SIGN, true);
    const CK_MECHANISM_TYPE type = padded ? CKM_HUFU_SM4_CBC_PAD : CKM_HUFU_SM4_ECB;
    length = sizeof buffer;
    expect(padded ? "SM2 private key as PKCS#8" : "SM2 private key as 32 bytes", wrap(type, padded ? iv : NULL, padded ? 16 : 0, import(CKK_HUFU_SM4, CONTROL, "w"), private_half, buffer, &length), CKR_OK);
    check(padded ? length > 100 : length == 32, "  %lu bytes", length);
    attributes s = {.count = 0};
    put_number(&s, CKA_CLASS, CKO_PRIVATE_KEY);
    put_number(&s, CKA_KEY_TYPE, CKK_HUFU_SM2);
    put_flag(&s, CKA_SIGN, true);
    expect("  unwraps", unwrap(type, padded ? iv : NULL, padded ? 16 : 0, import(CKK_HUFU_SM4, CONTROL, "u"), buffer, length, &s, &private_half), CKR_OK);
    sign_both("  signs for its public half", CKM_HUFU_SM2_SM3, NULL, 0, 40);
  }
  there_and_back("TR31 version D", CKM_HUFU_TR31, "D0000D0TE00E0000", 16, false, import(CKK_AES, CONTROL, "w"), import(CKK_AES, CONTROL, "u"));
  there_and_back("TR31 version B", CKM_HUFU_TR31, "B0000D0TE00E0000", 16, false, import(CKK_DES2, CONTROL, "w"), import(CKK_DES2, CONTROL, "u"));
  buffer[9] ^= 1;
  secret_template(&t, CKK_DES2, "k", 0);
  expect("  a tampered header is refused", unwrap(CKM_HUFU_TR31, NULL, 0, import(CKK_DES2, CONTROL, "u"), buffer, length, &t, &child), CKR_WRAPPED_KEY_INVALID);
  there_and_back("SHAMIR 2 of 3, all three", CKM_HUFU_SHAMIR, two_of_three, 2, false, import(CKK_AES, CONTROL, "w"), import(CKK_AES, CONTROL, "u"));
  const CK_ULONG piece = 2 + ((CK_ULONG)buffer[0] << 8 | buffer[1]);
  expect("  two of them", unwrap(CKM_HUFU_SHAMIR, NULL, 0, import(CKK_AES, CONTROL, "u"), buffer + piece, 2 * piece, &t, &child), CKR_OK);
  check_value("  make the key again", child, "08D7B4");
}

static void generation(void) {
  static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_KEY_TYPE key_type;
    CK_ULONG length;
  } rows[] = {
      {"DES_KEY_GEN", CKM_DES_KEY_GEN, CKK_DES, 0}, {"DES2_KEY_GEN", CKM_DES2_KEY_GEN, CKK_DES2, 0}, {"DES3_KEY_GEN", CKM_DES3_KEY_GEN, CKK_DES3, 0}, {"AES_KEY_GEN", CKM_AES_KEY_GEN, CKK_AES, 32},
      {"SM4_KEY_GEN", CKM_HUFU_SM4_KEY_GEN, CKK_HUFU_SM4, 0}, {"GENERIC_SECRET_KEY_GEN", CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, 24},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    CK_MECHANISM mechanism = {rows[i].type, NULL, 0};
    CK_BBOOL always = 0, never = 0;
    CK_ATTRIBUTE get[2] = {{CKA_ALWAYS_SENSITIVE, &always, 1}, {CKA_NEVER_EXTRACTABLE, &never, 1}};
    secret_template(&t, rows[i].key_type, "k", rows[i].length);
    expect(rows[i].name, p11->C_GenerateKey(session, &mechanism, t.list, t.count, &key), CKR_OK);
    p11->C_GetAttributeValue(session, key, get, 2);
    check(always && never, "  always sensitive, never extractable");
  }
}

/* Nothing stands in the device's list that was not asked for here or is a variant of it. */
static void complete(void) {
  CK_MECHANISM_TYPE list[256];
  CK_ULONG count = 256;
  p11->C_GetMechanismList(0, list, &count);
  check(count == 75, "the list has %lu mechanisms", count);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  load(argv[1]);
  if (start(NULL) != CKR_OK) return 2;
  ready_token();
  diversification();
  write_key();
  tac();
  other_derivations();
  ciphers();
  macs();
  digests();
  signatures();
  transport();
  generation();
  complete();
  return closing_line();
}
