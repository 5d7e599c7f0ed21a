/*
 * Known answers of hsm-sim's asymmetric arithmetic, called directly (no PKCS#11 in between).
 * "Computed independently" = by a big-integer program over the formulas of the standard named, with fixed k, seed and salt.
 */
#include "client.h"
#include "crypto.h"

/* GB/T 32918.5 annex A: key, message "message digest", ID 1234567812345678. */
static const char D[] = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8";
static const char P[] =
    "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
static const char K[] = "59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21";
static const char E[] = "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640";
static const char SIGNATURE[] =
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA";
static const char SIGNATURE_DER[] =
    "3046022100F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "022100B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA";
/* Z of that key: GB/T 32918.5 for the default ID; the others computed independently. */
static const struct {
  const char *id, *z;
} Z[] = {
    {"1234567812345678", "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3"},
    {"ALICE123@YAHOO.COM", "26DB4BC1839BD22E97E1DAB667EC5E0A730D5E16521398B4435C576A93AFD7ED"},
    {"", "F2A1724ED3D6767E22FCD19BFB33CD8AF34F59AD7FDC8747CCE6ACACD414F1F9"},
};

/* GB/T 32918.5 annex C: "encryption standard", the same k, in the three forms of GM/T 0009. */
#define C1 "0404EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
#define C2 "21886CA989CA9C7D58087307CA93092D651EFA"
#define C3 "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
static const struct {
  const char *name;
  sim_sm2_form form;
  const char *cipher;
} CIPHERS[] = {
    {"C1C3C2", SIM_C1C3C2, C1 C3 C2},
    {"C1C2C3", SIM_C1C2C3, C1 C2 C3},
    {"SM2Cipher", SIM_SM2_DER,
     "307C022004EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73022100E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63"
     "094D99283AFF767E124DF00420" C3 "0413" C2},
};

/* Envelopes to the key above, computed independently: SM4 key 0123456789ABCDEFFEDCBA9876543210, k as above. The second writes
 * the arc of SM4 without a mode and pads d to 64 bytes on the left, as some senders do (GB/T 35276 leaves it open). */
static const char ENVELOPED_D[] =
    "1649AB77A00637BD5E2EFE283FBF353534AA7F7CB89463F208DDBC2920BB0DA0";
static const char ENVELOPED_POINT[] =
    "04191BFF8148006EEA72D857CB974DB9F4903B3CA3655D8D597AD4663F5044DCB1E2F7888AF1FCD8C653A8059CD2F379855389F71A7709E2C1EE1E91"
    "4C855EF119";
static const char SM2_ENVELOPED_KEY[] =
    "3081F0300C06082A811CCF5501680105003079022004EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73022100E858F9D8"
    "1E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF004204423B448D18B4A1A86B0E264E928007803243A5A8D9D0B0E8953BFE4E928"
    "ADCF041045C54ABC791125FBC9BAE9ECC8A6555903420004191BFF8148006EEA72D857CB974DB9F4903B3CA3655D8D597AD4663F5044DCB1E2F7888A"
    "F1FCD8C653A8059CD2F379855389F71A7709E2C1EE1E914C855EF119032100CE5202F4479613961ABFC25B1D97F2CECD067609654AB394786B4D9E62"
    "944AEE";
static const char SM2_ENVELOPED_KEY_64[] =
    "3082010D300906072A811CCF5501683079022004EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73022100E858F9D81E54"
    "30A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF004204423B448D18B4A1A86B0E264E928007803243A5A8D9D0B0E8953BFE4E928ADCF"
    "041045C54ABC791125FBC9BAE9ECC8A6555903420004191BFF8148006EEA72D857CB974DB9F4903B3CA3655D8D597AD4663F5044DCB1E2F7888AF1FC"
    "D8C653A8059CD2F379855389F71A7709E2C1EE1E914C855EF1190341002677F46B09C122CC975533105BD4A22A2677F46B09C122CC975533105BD4A2"
    "2ACE5202F4479613961ABFC25B1D97F2CECD067609654AB394786B4D9E62944AEE";
static const char GM0018_ENVELOPE[] =
    "0008020001040000000000000000000000000000000000000000000000000000000000000000000004EBFC718E8D1798620432268E77FEB6415E2EDE"
    "0E073C0F4F640ECD2E149A730000000000000000000000000000000000000000000000000000000000000000E858F9D81E5430A57B36DAAB8F950A3C"
    "64E6EE6A63094D99283AFF767E124DF04423B448D18B4A1A86B0E264E928007803243A5A8D9D0B0E8953BFE4E928ADCF1000000045C54ABC791125FB"
    "C9BAE9ECC8A65559000100000000000000000000000000000000000000000000000000000000000000000000191BFF8148006EEA72D857CB974DB9F4"
    "903B3CA3655D8D597AD4663F5044DCB10000000000000000000000000000000000000000000000000000000000000000E2F7888AF1FCD8C653A8059C"
    "D2F379855389F71A7709E2C1EE1E914C855EF1190000000000000000000000000000000000000000000000000000000000000000CE5202F447961396"
    "1ABFC25B1D97F2CECD067609654AB394786B4D9E62944AEE";

/* RFC 6979 A.2.5: P-256, SHA-256, message "sample". */
static const char P256_D[] = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
static const char P256_POINT[] =
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
static const char P256_SIGNATURE[] =
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";

/* A 1024-bit test key; signatures over "message digest" and the OAEP ciphertext of 00112233445566778899AABBCCDDEEFF, computed
 * independently after RFC 8017 8.2.1, 8.1.1 (salt 00 … 1F) and 7.1.1 (seed 00 … 1F), SHA-256 and MGF1 of it. */
static const char RSA_PRIVATE[] =
    "3082025C02010002818100B677709EB270D744421981400C7C675D076CAF8370A2FC5901E751D3FB6D66C6312434AD7CB15C27238CF5C53D5F290684"
    "A883BB834104469C8EFEC899A75DAD3FC868BCF9DD4D0F7D74C6C55DEB20C57BB4D867B3A3641792135B4882506B713D870E1A2E1B0DD14F345BD6E7"
    "BA233AA77AF97A782E21E7378451C6C565480F020301000102818050BADFB517361DC831869F4CFB393F72458AACCCF6D4E5D96BA230EE1D5BF610D2"
    "4536995B860D43B3D2F61A6260EC01DA47C4A0FE1D920ABBD1F8A0407B70522B21CBDFDEB244F973FD65C4ABC09863C348E0DAA5C3CA54ADC91ACB3F"
    "80CAF123C0E4B9421A08CC641DF1A7A184EF4D396A2E306EC6EFC474F689E288C7D921024100E7D773FE145D1901700D0D8CE0771FDA5C20E1A1908B"
    "8877497B9779B096594BC56932644931BA24517D462494743A9069B712D71D199DED96DA54A15DFBAEA5024100C97ADEE7FB0F3B9D63686A0F9DEE94"
    "D9C95523103D97E8F89B1BD6B2CB43880BFBAEE4C47D5F9B733E1C090A3263BE32721B8E89F4A2E24EB20C480140C1B1A30240764839E97B42342BC3"
    "9B253AA69AA029ABAF2AEE5EEC91672A9A5FA1BA323AC4A9A70E0A943D469698ECAD08A4A4D7EC2DC3355D827F3B4FA81323F2601CB3F102405183CF"
    "B9857EC53CC9224E7EE103CCDF4C3090CE1A4D62A96A7FD9DE5E9484EF6C357742F402816F1FBAD201791F97ACEB33B0F8A9AC58E943E9EA1BEFAA2E"
    "07024100A854700C0573E2E85EFA18E74986F335F8A68CEB48587FD12FCDA0FEB6AB84EE7680502036013F1CADFD8E956FD430414201B4DE5F630884"
    "AF61BA72255E6D7F";
static const char RSA_PKCS1_SIGNATURE[] =
    "673EBD7D2C876E254F7E52892AE1AFD689524771F13706E78698FBE3CEF0282E243827DDC7589691A9E589C9366AC81F99064D47E06EE39511FF8AC3"
    "AA06F20A24290ED5995D02AE1B5E85AFB730F077F42708F920B6FEBBCF9AC5641843F6B4F9F98B7FE39C49CB198423B5640BDFB8B9AE5BD590060030"
    "876DAB131E119ADA";
static const char RSA_OAEP_CIPHER[] =
    "B126C9506F039C1A84CAA774183CEBA3671EA49B85763D67374CC52C00E5EFDE5531F930CF2E65E0BCF924EF018171B109608997CAD02763E65443AC"
    "8A42123B1658D3EEBCB97FD339647E802F9CB7DC63A9D6869230F3704EDEA691F99C9B97E36157EE90C31708F98760838044D37BAEE53BC4F903187F"
    "17F7544392A75A05";
static const char RSA_PSS_SIGNATURE[] =
    "6D1D0B07B8F46DF0D3FEEDE00C1C617A2A550AA3A2936B955FE036BA207DFC551D17B9DD035E0A5B232964FFF4AC8E026F28A2660C01DF27925D714B"
    "F2F69370996823E4E21CF7A93C967E01EC1CF644937AA9CE317C592B75E0062CCAD0E562FAE339AEAD2AF11815DF1EA5C14F4321E2443B221BC3D925"
    "4043749D15DF9840";
static const char RSA_N[] =
    "B677709EB270D744421981400C7C675D076CAF8370A2FC5901E751D3FB6D66C6312434AD7CB15C27238CF5C53D5F290684A883BB834104469C8EFEC8"
    "99A75DAD3FC868BCF9DD4D0F7D74C6C55DEB20C57BB4D867B3A3641792135B4882506B713D870E1A2E1B0DD14F345BD6E7BA233AA77AF97A782E21E7"
    "378451C6C565480F";

enum { ROOM = 4096 };

static bool bytes_of(const char *hex, uint8_t *out, size_t length) { return unhex(hex, out) == length; }

static void sm2_signatures(void) {
  uint8_t d[32], p[65], k[32], e[32], z[32], signature[64], again[64], der[80];
  size_t der_len = sizeof der;
  check(bytes_of(D, d, 32) && bytes_of(K, k, 32) && bytes_of(E, e, 32), "vector");
  expect("SM2 public key", sim_ec_public(SIM_SM2_CURVE, d, p), CKR_OK);
  same("SM2 public key", p, 65, P);
  for (size_t i = 0; i < sizeof Z / sizeof *Z; i++) {
    expect("Z", sim_sm2_z(p, (const uint8_t *)Z[i].id, strlen(Z[i].id), z), CKR_OK);
    same("Z", z, 32, Z[i].z);
  }
  uint8_t input[46];
  sim_sm2_z(p, (const uint8_t *)Z[0].id, 16, input);
  memcpy(input + 32, "message digest", 14);
  expect("e", sim_hash(SIM_SM3, input, sizeof input, z), CKR_OK);
  same("e", z, 32, E);
  expect("SM2 sign", sim_sm2_sign(d, e, k, signature), CKR_OK);
  same("SM2 sign", signature, 64, SIGNATURE);
  expect("SM2 verify", sim_sm2_verify(p, e, signature), CKR_OK);
  expect("SM2 signature to DER", sim_sm2_signature_to_der(signature, der, &der_len), CKR_OK);
  same("SM2 signature to DER", der, der_len, SIGNATURE_DER);
  expect("SM2 signature from DER", sim_sm2_signature_from_der(der, der_len, again), CKR_OK);
  same("SM2 signature from DER", again, 64, SIGNATURE);
  expect("DER cut short", sim_sm2_signature_from_der(der, der_len - 1, again), CKR_SIGNATURE_INVALID);
  der_len = 70;
  expect("room for DER", sim_sm2_signature_to_der(signature, der, &der_len), CKR_BUFFER_TOO_SMALL);
  check(der_len == 72, "room for DER is said");
  for (size_t at = 0; at < 64; at += 9) { /* 0 … 63: r and s */
    memcpy(again, signature, 64);
    again[at] ^= 1;
    expect("SM2 verify of a changed signature", sim_sm2_verify(p, e, again), CKR_SIGNATURE_INVALID);
  }
  e[31] ^= 1;
  expect("SM2 verify of another digest", sim_sm2_verify(p, e, signature), CKR_SIGNATURE_INVALID);
  memset(again, 0, 64);
  expect("SM2 verify of zero r and s", sim_sm2_verify(p, e, again), CKR_SIGNATURE_INVALID);
  memset(again, 0xFF, 64);
  expect("SM2 verify of r and s over n", sim_sm2_verify(p, e, again), CKR_SIGNATURE_INVALID);
}

static void sm2_encryption(void) {
  static const char clear[] = "encryption standard";
  uint8_t d[32], p[65], k[32], cipher[ROOM], out[ROOM];
  bytes_of(D, d, 32), bytes_of(P, p, 65), bytes_of(K, k, 32);
  for (size_t i = 0; i < sizeof CIPHERS / sizeof *CIPHERS; i++) {
    size_t cipher_len = sizeof cipher, out_len = sizeof out;
    expect(CIPHERS[i].name, sim_sm2_encrypt(p, CIPHERS[i].form, (const uint8_t *)clear, sizeof clear - 1, k, cipher, &cipher_len), CKR_OK);
    same(CIPHERS[i].name, cipher, cipher_len, CIPHERS[i].cipher);
    expect(CIPHERS[i].name, sim_sm2_decrypt(d, CIPHERS[i].form, cipher, cipher_len, out, &out_len), CKR_OK);
    check(out_len == sizeof clear - 1 && memcmp(out, clear, out_len) == 0, "%s", CIPHERS[i].name);
    cipher[cipher_len - 1] ^= 1;
    out_len = sizeof out;
    expect("changed SM2 ciphertext", sim_sm2_decrypt(d, CIPHERS[i].form, cipher, cipher_len, out, &out_len), CKR_ENCRYPTED_DATA_INVALID);
    /* with a k of its own, lengths around a block of the KDF */
    for (size_t length = 31; length <= 33; length++) {
      cipher_len = sizeof cipher, out_len = sizeof out;
      expect("SM2 encrypt", sim_sm2_encrypt(p, CIPHERS[i].form, p, length, NULL, cipher, &cipher_len), CKR_OK);
      expect("SM2 decrypt", sim_sm2_decrypt(d, CIPHERS[i].form, cipher, cipher_len, out, &out_len), CKR_OK);
      check(out_len == length && memcmp(out, p, length) == 0, "SM2 round trip");
    }
    cipher_len = 20;
    expect("room for SM2 ciphertext", sim_sm2_encrypt(p, CIPHERS[i].form, p, 8, NULL, cipher, &cipher_len), CKR_BUFFER_TOO_SMALL);
  }
  uint8_t off_curve[65];
  size_t cipher_len = sizeof cipher;
  memcpy(off_curve, p, 65);
  off_curve[64] ^= 1;
  check(sim_ec_point_valid(SIM_SM2_CURVE, p), "a point of the curve");
  check(!sim_ec_point_valid(SIM_P256, p), "not of the other curve");
  check(!sim_ec_point_valid(SIM_SM2_CURVE, off_curve), "off the curve");
  expect("encrypt to no point", sim_sm2_encrypt(off_curve, SIM_C1C3C2, p, 8, NULL, cipher, &cipher_len), CKR_KEY_TYPE_INCONSISTENT);
  expect("encrypt nothing", sim_sm2_encrypt(p, SIM_C1C3C2, p, 0, NULL, cipher, &cipher_len), CKR_DATA_LEN_RANGE);
}

typedef CK_RV (*sealer)(const uint8_t *, const uint8_t *, uint8_t *, size_t *);
typedef CK_RV (*opener)(const uint8_t *, const uint8_t *, size_t, uint8_t *, uint8_t *);
static const struct {
  const char *name, *vector;
  sealer seal;
  opener open;
} ENVELOPES[] = {
    {"SM2EnvelopedKey", SM2_ENVELOPED_KEY, sim_sm2_enveloped_key, sim_sm2_enveloped_key_open},
    {"SM2EnvelopedKey of 64 bytes", SM2_ENVELOPED_KEY_64, sim_sm2_enveloped_key, sim_sm2_enveloped_key_open},
    {"GM/T 0018 envelope", GM0018_ENVELOPE, sim_gm0018_envelope, sim_gm0018_envelope_open},
};

static void envelopes(void) {
  uint8_t d[32], p[65], carried[32], vector[1024], room[1024], got[32], point[65];
  bytes_of(D, d, 32), bytes_of(P, p, 65), bytes_of(ENVELOPED_D, carried, 32);
  for (size_t i = 0; i < sizeof ENVELOPES / sizeof *ENVELOPES; i++) {
    const char *name = ENVELOPES[i].name;
    const size_t length = unhex(ENVELOPES[i].vector, vector);
    size_t room_len = sizeof room;
    expect(name, ENVELOPES[i].open(d, vector, length, got, point), CKR_OK);
    same(name, got, 32, ENVELOPED_D);
    same(name, point, 65, ENVELOPED_POINT);
    expect(name, ENVELOPES[i].seal(p, carried, room, &room_len), CKR_OK);
    memset(got, 0, sizeof got);
    expect(name, ENVELOPES[i].open(d, room, room_len, got, point), CKR_OK);
    same(name, got, 32, ENVELOPED_D);
    expect("envelope for another", ENVELOPES[i].open(carried, vector, length, got, point), CKR_WRAPPED_KEY_INVALID);
    expect("envelope cut short", ENVELOPES[i].open(d, vector, length - 1, got, point), CKR_WRAPPED_KEY_INVALID);
    unsigned accepted = 0;
    for (size_t at = 0; at < length; at += 7) {
      vector[at] ^= 0x40;
      accepted += ENVELOPES[i].open(d, vector, length, got, point) == CKR_OK && memcmp(got, carried, 32) != 0;
      vector[at] ^= 0x40;
    }
    check(accepted == 0, "no changed envelope gives another key");
  }
  size_t room_len = sizeof room;
  const uint8_t prefix[4] = {0x00, 0x08, 0x02, 0x00}; /* SGD_SM2_3, little-endian */
  expect("GM/T 0018 envelope", sim_gm0018_envelope(p, carried, room, &room_len), CKR_OK);
  check(room_len == 8 + (64 + 64 + 32 + 4 + 16) + (4 + 64 + 64) + 64, "length of the GM/T 0018 envelope");
  check(memcmp(room, prefix, 4) == 0, "begin of the GM/T 0018 envelope");
}

static void pkcs8(void) {
  static const struct {
    sim_curve curve;
    const char *d;
  } keys[] = {{SIM_P256, P256_D}, {SIM_SM2_CURVE, D}};
  uint8_t d[32], der[2048], got[2048];
  for (int i = 0; i < 2; i++) {
    size_t der_len = sizeof der;
    sim_curve curve = SIM_P256;
    bytes_of(keys[i].d, d, 32);
    expect("EC PKCS#8", sim_ec_pkcs8(keys[i].curve, d, der, &der_len), CKR_OK);
    expect("EC PKCS#8", sim_ec_pkcs8_open(der, der_len, &curve, got), CKR_OK);
    check(curve == keys[i].curve, "curve in the PKCS#8");
    same("EC PKCS#8", got, 32, keys[i].d);
    expect("EC PKCS#8 cut short", sim_ec_pkcs8_open(der, der_len - 1, &curve, got), CKR_WRAPPED_KEY_INVALID);
  }
  uint8_t key[1024];
  const size_t key_len = unhex(RSA_PRIVATE, key);
  size_t der_len = sizeof der, got_len = sizeof got;
  expect("RSA PKCS#8", sim_rsa_pkcs8(key, key_len, der, &der_len), CKR_OK);
  expect("RSA PKCS#8", sim_rsa_pkcs8_open(der, der_len, got, &got_len), CKR_OK);
  same("RSA PKCS#8", got, got_len, RSA_PRIVATE);
}

static void ecdsa(void) {
  uint8_t d[32], point[65], digest[64], signature[64];
  bytes_of(P256_D, d, 32);
  expect("P-256 public key", sim_ec_public(SIM_P256, d, point), CKR_OK);
  same("P-256 public key", point, 65, P256_POINT);
  expect("SHA-256", sim_hash(SIM_SHA256, (const uint8_t *)"sample", 6, digest), CKR_OK);
  bytes_of(P256_SIGNATURE, signature, 64);
  expect("ECDSA verify", sim_ecdsa_verify(point, digest, 32, signature), CKR_OK);
  signature[63] ^= 1;
  expect("ECDSA verify of a changed signature", sim_ecdsa_verify(point, digest, 32, signature), CKR_SIGNATURE_INVALID);
  expect("ECDSA sign", sim_ecdsa_sign(d, digest, 32, signature), CKR_OK);
  expect("ECDSA verify", sim_ecdsa_verify(point, digest, 32, signature), CKR_OK);
  expect("ECDSA verify of another digest", sim_ecdsa_verify(point, digest, 31, signature), CKR_SIGNATURE_INVALID);
  sim_hash(SIM_SHA512, (const uint8_t *)"sample", 6, digest);
  expect("ECDSA sign, SHA-512", sim_ecdsa_sign(d, digest, 64, signature), CKR_OK);
  expect("ECDSA verify, leftmost 256 bits", sim_ecdsa_verify(point, digest, 32, signature), CKR_OK);
  memset(d, 0xFF, 32);
  expect("d over n", sim_ec_public(SIM_P256, d, point), CKR_ARGUMENTS_BAD);
  memset(d, 0, 32);
  expect("d = 0", sim_ec_public(SIM_P256, d, point), CKR_ARGUMENTS_BAD);
}

static void rsa(void) {
  uint8_t key[1024], n[512], public_der[600], digest[32], room[ROOM], sealed[ROOM], out[ROOM];
  const size_t key_len = unhex(RSA_PRIVATE, key);
  size_t n_len = sizeof n, public_len = sizeof public_der, e_len = 8;
  uint8_t e[8];
  expect("n", sim_rsa_component(key, key_len, 0, n, &n_len), CKR_OK);
  same("n", n, n_len, RSA_N);
  expect("e", sim_rsa_component(key, key_len, 1, e, &e_len), CKR_OK);
  same("e", e, e_len, "010001");
  expect("RSAPublicKey", sim_rsa_public_from(n, n_len, e, e_len, public_der, &public_len), CKR_OK);
  sim_hash(SIM_SHA256, (const uint8_t *)"message digest", 14, digest);

  size_t length = sizeof room;
  expect("RSASSA-PKCS1-v1_5", sim_rsa_sign(key, key_len, false, true, SIM_SHA256, 0, digest, 32, room, &length), CKR_OK);
  same("RSASSA-PKCS1-v1_5", room, length, RSA_PKCS1_SIGNATURE);
  expect("RSASSA-PKCS1-v1_5", sim_rsa_verify(public_der, public_len, false, true, SIM_SHA256, 0, digest, 32, room, length), CKR_OK);
  room[40] ^= 1;
  expect("changed signature", sim_rsa_verify(public_der, public_len, false, true, SIM_SHA256, 0, digest, 32, room, length), CKR_SIGNATURE_INVALID);
  expect("short signature", sim_rsa_verify(public_der, public_len, false, true, SIM_SHA256, 0, digest, 32, room, length - 1), CKR_SIGNATURE_LEN_RANGE);
  expect("wrong digest length", sim_rsa_sign(key, key_len, false, true, SIM_SHA256, 0, digest, 20, room, &length), CKR_DATA_LEN_RANGE);

  unhex(RSA_PSS_SIGNATURE, room);
  expect("RSASSA-PSS vector", sim_rsa_verify(public_der, public_len, true, true, SIM_SHA256, 32, digest, 32, room, 128), CKR_OK);
  expect("RSASSA-PSS vector, other salt length", sim_rsa_verify(public_der, public_len, true, true, SIM_SHA256, 20, digest, 32, room, 128), CKR_SIGNATURE_INVALID);
  length = sizeof room;
  expect("RSASSA-PSS", sim_rsa_sign(key, key_len, true, true, SIM_SHA256, 32, digest, 32, room, &length), CKR_OK);
  expect("RSASSA-PSS", sim_rsa_verify(public_der, public_len, true, true, SIM_SHA256, 32, digest, 32, room, length), CKR_OK);

  size_t out_len = sizeof out;
  unhex(RSA_OAEP_CIPHER, sealed);
  expect("RSAES-OAEP vector", sim_rsa_decrypt(key, key_len, true, SIM_SHA256, sealed, 128, out, &out_len), CKR_OK);
  same("RSAES-OAEP vector", out, out_len, "00112233445566778899AABBCCDDEEFF");
  out_len = sizeof out;
  expect("RSAES-OAEP with the wrong hash", sim_rsa_decrypt(key, key_len, true, SIM_SHA1, sealed, 128, out, &out_len), CKR_ENCRYPTED_DATA_INVALID);
  static const struct {
    bool oaep;
    sim_digest digest;
    size_t most;
  } paddings[] = {{true, SIM_SHA1, 86}, {true, SIM_SHA256, 62}, {false, SIM_SHA1, 117}};
  for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++) {
    length = sizeof sealed, out_len = sizeof out;
    expect("RSA encrypt", sim_rsa_encrypt(public_der, public_len, paddings[i].oaep, paddings[i].digest, n, paddings[i].most, sealed, &length), CKR_OK);
    expect("RSA decrypt", sim_rsa_decrypt(key, key_len, paddings[i].oaep, paddings[i].digest, sealed, length, out, &out_len), CKR_OK);
    check(out_len == paddings[i].most && memcmp(out, n, out_len) == 0, "RSA round trip");
    expect("RSA too long", sim_rsa_encrypt(public_der, public_len, paddings[i].oaep, paddings[i].digest, n, paddings[i].most + 1, sealed, &length), CKR_DATA_LEN_RANGE);
  }

  static const uint8_t f4[3] = {1, 0, 1};
  length = sizeof room;
  expect("RSA generate", sim_rsa_generate(1024, f4, 3, room, &length), CKR_OK);
  n_len = sizeof n;
  expect("n of the new key", sim_rsa_component(room, length, 0, n, &n_len), CKR_OK);
  check(n_len == 128 && (n[0] & 0x80), "1024 bits");
  expect("RSA of 512 bits", sim_rsa_generate(512, f4, 3, room, &length), CKR_KEY_SIZE_RANGE);
}

/* The same seed gives the same keys and nonces, inside libcrypto too. */
static void seeded(void) {
  uint8_t first[3][64], second[3][64], d[32], point[65], digest[32] = {1}, der[2048];
  for (int round = 0; round < 2; round++) {
    uint8_t(*into)[64] = round == 0 ? first : second;
    static const uint8_t f4[3] = {1, 0, 1};
    size_t der_len = sizeof der, part = 64;
    sim_random_seed((const uint8_t *)"seed", 4);
    sim_ec_generate(SIM_SM2_CURVE, d, point);
    memcpy(into[0], d, 32), memcpy(into[0] + 32, point + 1, 32);
    sim_sm2_sign(d, digest, NULL, into[1]);
    sim_rsa_generate(1024, f4, 3, der, &der_len);
    memset(into[2], 0, 64);
    sim_rsa_component(der, der_len, 3, into[2], &part);
  }
  sim_random_seed(NULL, 0);
  check(memcmp(first[0], second[0], 64) == 0, "seeded SM2 key pair");
  check(memcmp(first[1], second[1], 64) == 0, "seeded SM2 signature");
  check(memcmp(first[2], second[2], 64) == 0, "seeded RSA prime");
  sim_sm2_sign(d, digest, NULL, second[1]);
  check(memcmp(first[1], second[1], 64) != 0, "without a seed another nonce");
}

int main(void) {
  sm2_signatures();
  sm2_encryption();
  envelopes();
  pkcs8();
  ecdsa();
  rsa();
  seeded();
  return closing_line();
}
