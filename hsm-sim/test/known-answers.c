/* The arithmetic against published values, function by function. */
#include "client.h"

#include "crypto.h"

static const char K[] = "5775204D69616F6A756E404726444311";

static void block_ciphers(void) {
  static const struct {
    const char *what;
    sim_cipher cipher;
    const char *key, *in, *out;
  } ecb[] = {
      {"3DES, FMCOS external authentication", SIM_DES3, "11223344556677881122334455667788", "0102030405060708", "178F59F8578E0D3F"},
      {"3DES two keys, check value of the PBOC example root", SIM_DES3, "0123456789ABCDEFFEDCBA9876543210", "0000000000000000", "08D7B4FB629D0885"},
      {"AES-128, FIPS 197 C.1", SIM_AES, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "69C4E0D86A7B0430D8CDB78070B4C55A"},
      {"AES-256, FIPS 197 C.3", SIM_AES, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF", "8EA2B7CA516745BFEAFC49904B496089"},
      {"SM4, GB/T 32907 A.1", SIM_SM4, "0123456789ABCDEFFEDCBA9876543210", "0123456789ABCDEFFEDCBA9876543210", "681EDF34D206965E86B3E94F536E4246"},
      {"DES, FIPS 81 example key", SIM_DES, "0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815"},
  };
  for (size_t i = 0; i < sizeof ecb / sizeof *ecb; i++) {
    uint8_t key[32], in[16], out[16];
    const size_t key_len = unhex(ecb[i].key, key), length = unhex(ecb[i].in, in);
    sim_ecb(ecb[i].cipher, key, key_len, true, in, length, out);
    same(ecb[i].what, out, length, ecb[i].out);
    sim_ecb(ecb[i].cipher, key, key_len, false, out, length, out);
    same("  and back", out, length, ecb[i].in);
  }
  uint8_t key[16], iv[16] = {0}, mac[16], data[128] = "CHENHAO-PC|BFEBFBFF000306C3~9BP0PD2CN7016366I0043|20240111|20250101|8191|0";
  size_t length = strlen((char *)data);
  unhex(K, key);
  data[length] = 0x80;
  sim_retail_mac(key, iv, data, (length + 8) / 8 * 8, mac);
  same("retail MAC, FMCOS note", mac, 8, "4089819D3D991CC7");
  unhex("2B7E151628AED2A6ABF7158809CF4F3C", key);
  length = unhex("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411", data);
  sim_cmac(SIM_AES, key, 16, data, length, mac);
  same("AES CMAC, RFC 4493 example 3", mac, 16, "DFA66747DE9AE63030CA32611497C827");
  sim_cmac(SIM_AES, key, 16, data, 0, mac);
  same("AES CMAC of nothing, RFC 4493 example 1", mac, 16, "BB1D6929E95937287FA37D129B756746");
  unhex("0123456789ABCDEFFEDCBA9876543210", key);
  memset(data, 0, 16);
  sim_cmac(SIM_SM4, key, 16, data, 16, mac);
  same("SM4 CMAC of a zero block, computed with OpenSSL", mac, 5, "909F5E6ED1");
  uint8_t kek[24], wrapped[40];
  size_t wrapped_len = sizeof wrapped;
  unhex("000102030405060708090A0B0C0D0E0F", kek);
  unhex("00112233445566778899AABBCCDDEEFF", data);
  sim_aes_wrap(kek, 16, true, false, data, 16, wrapped, &wrapped_len);
  same("AES key wrap, RFC 3394 4.1", wrapped, wrapped_len, "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5");
  unhex("5840DF6E29B02AF1AB493B705BF16EA1AE8338F4DCC176A8", kek);
  length = unhex("C37B7E6492584340BED12207808941155068F738", data);
  wrapped_len = sizeof wrapped;
  sim_aes_wrap(kek, 24, true, true, data, length, wrapped, &wrapped_len);
  same("AES key wrap with padding, RFC 5649 6", wrapped, wrapped_len, "138BDEAA9B8FA7FC61F97742E72248EE5AE6AE5360D1AE6A5F54F373FA543B6A");
  wrapped[3] ^= 1;
  length = sizeof data;
  expect("  refuses a flipped bit", sim_aes_wrap(kek, 24, false, true, wrapped, wrapped_len, data, &length), CKR_WRAPPED_KEY_INVALID);
  uint8_t padded[32], clear[32];
  size_t padded_len = sizeof padded, clear_len = sizeof clear;
  memset(iv, 7, sizeof iv);
  sim_cbc_pad(SIM_SM4, key, 16, true, iv, (const uint8_t *)"sixteen bytes ok", 16, padded, &padded_len);
  expect("CBC with padding opens", sim_cbc_pad(SIM_SM4, key, 16, false, iv, padded, padded_len, clear, &clear_len), CKR_OK);
  check(clear_len == 16 && memcmp(clear, "sixteen bytes ok", 16) == 0, "  and gives the text back");
  padded[31] ^= 1;
  clear_len = sizeof clear;
  expect("  refuses a damaged padding", sim_cbc_pad(SIM_SM4, key, 16, false, iv, padded, padded_len, clear, &clear_len), CKR_ENCRYPTED_DATA_INVALID);
}

static void digests(void) {
  uint8_t out[64];
  sim_hash(SIM_SM3, (const uint8_t *)"abc", 3, out);
  same("SM3, GB/T 32905 A.1", out, 32, "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0");
  sim_hash(SIM_SHA256, (const uint8_t *)"abc", 3, out);
  same("SHA-256, FIPS 180-4", out, 32, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
  sim_hmac(SIM_SHA256, (const uint8_t *)"Jefe", 4, (const uint8_t *)"what do ya want for nothing?", 28, out);
  same("HMAC-SHA-256, RFC 4231 4.3", out, 32, "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843");
  uint8_t key[32];
  for (int i = 0; i < 32; i++) key[i] = (uint8_t)(i + 1);
  sim_hmac(SIM_SM3, key, 32, (const uint8_t *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopqabcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 112, out);
  same("HMAC-SM3, GM/T 0042 example 1", out, 32, "CA05E144ED05D1857840D1F318A4A8669E559FC8391F414485BFDF7BB408963A");
}

static void tr31(void) {
  uint8_t kbpk[32], key[64], pad[32];
  char block[256], header[16];
  size_t length = sizeof block, key_len = sizeof key;
  unhex("88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6", kbpk);
  unhex("3F419E1CB7079442AA37474C2EFBF8B8", key);
  const size_t pad_len = unhex("1C2965473CE206BB855B01533782", pad);
  sim_tr31_wrap(kbpk, 32, "D0000P0AE00E0000", key, 16, pad, pad_len, block, &length);
  const char *d = "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34";
  check(length == strlen(d) && memcmp(block, d, length) == 0, "TR-31 version D, TR-31:2018 A.7.4");
  expect("  opens", sim_tr31_unwrap(kbpk, 32, d, strlen(d), header, key, &key_len), CKR_OK);
  same("  to the key", key, key_len, "3F419E1CB7079442AA37474C2EFBF8B8");
  for (size_t at = 0; at < 16; at++) {
    char changed[160];
    strcpy(changed, d);
    changed[at] = changed[at] == '0' ? '1' : changed[at] == 'E' ? 'N' : changed[at] == 'P' ? 'B' : '0';
    key_len = sizeof key;
    check(sim_tr31_unwrap(kbpk, 32, changed, strlen(d), header, key, &key_len) != CKR_OK, "  refuses a header changed at %zu", at);
  }
  unhex("DD7515F2BFC17F85CE48F3CA25CB21F6", kbpk);
  const char *b = "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E";
  key_len = sizeof key;
  expect("TR-31 version B, TR-31:2018 A.7.2, opens", sim_tr31_unwrap(kbpk, 16, b, strlen(b), header, key, &key_len), CKR_OK);
  same("  to the key", key, key_len, "3F419E1CB7079442AA37474C2EFBF8B8");
}

static void shamir(void) {
  uint8_t secret[32], shares[5 * 33], again[32], picked[3 * 33];
  sim_random(secret, sizeof secret);
  expect("Shamir 3 of 5 splits", sim_shamir_split(secret, 32, 3, 5, shares), CKR_OK);
  int good = 0;
  for (int a = 0; a < 5; a++)
    for (int b = a + 1; b < 5; b++)
      for (int c = b + 1; c < 5; c++) {
        const int of[3] = {c, a, b};
        for (int i = 0; i < 3; i++) memcpy(picked + i * 33, shares + of[i] * 33, 33);
        good += sim_shamir_combine(picked, 32, 3, again) == CKR_OK && memcmp(secret, again, 32) == 0;
      }
  check(good == 10, "  every three of five combine (%d)", good);
  check(sim_shamir_combine(picked, 32, 2, again) == CKR_OK && memcmp(secret, again, 32) != 0, "  two of three do not");
  memcpy(picked + 33, picked, 33);
  expect("  the same share twice is refused", sim_shamir_combine(picked, 32, 3, again), CKR_ARGUMENTS_BAD);
}

static void sm2(void) {
  uint8_t d[32], p[65] = {4}, k[32], z[32], e[32], signature[64], input[64], out[256], clear[64];
  size_t out_len = sizeof out, clear_len = sizeof clear;
  unhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8", d);
  unhex("59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21", k);
  expect("SM2 public key", sim_ec_public(SIM_SM2_CURVE, d, p), CKR_OK);
  same("  GB/T 32918.5", p + 1, 64, "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13");
  sim_sm2_z(p, (const uint8_t *)"1234567812345678", 16, z);
  same("  Z", z, 32, "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3");
  memcpy(input, z, 32);
  memcpy(input + 32, "message digest", 14);
  sim_hash(SIM_SM3, input, 46, e);
  same("  e", e, 32, "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640");
  sim_sm2_sign(d, e, k, signature);
  same("  r s", signature, 64, "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA");
  expect("  verifies", sim_sm2_verify(p, e, signature), CKR_OK);
  sim_sm2_signature_to_der(signature, out, &out_len);
  check(out_len == 72 && memcmp(out, "\x30\x46\x02\x21\x00\xF5\xA0", 7) == 0, "  as DER, 72 bytes");
  expect("  DER and back", sim_sm2_signature_from_der(out, out_len, clear), CKR_OK);
  e[0] ^= 1;
  expect("  another message fails", sim_sm2_verify(p, e, signature), CKR_SIGNATURE_INVALID);
  out_len = sizeof out;
  sim_sm2_encrypt(p, SIM_C1C3C2, (const uint8_t *)"encryption standard", 19, k, out, &out_len);
  same("SM2 encryption, C1 C3 C2 (computed independently)", out, out_len,
       "0404EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
       "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD876621886CA989CA9C7D58087307CA93092D651EFA");
  for (int form = 0; form < 3; form++) {
    out_len = sizeof out;
    clear_len = sizeof clear;
    sim_sm2_encrypt(p, (sim_sm2_form)form, (const uint8_t *)"encryption standard", 19, NULL, out, &out_len);
    expect("  decrypts", sim_sm2_decrypt(d, (sim_sm2_form)form, out, out_len, clear, &clear_len), CKR_OK);
    check(clear_len == 19 && memcmp(clear, "encryption standard", 19) == 0, "  form %d gives the text back", form);
    out[out_len - 1] ^= 1;
    clear_len = sizeof clear;
    expect("  a flipped bit is refused", sim_sm2_decrypt(d, (sim_sm2_form)form, out, out_len, clear, &clear_len), CKR_ENCRYPTED_DATA_INVALID);
  }
  uint8_t other[32], other_public[65], envelope[512], opened[32], opened_public[65];
  sim_ec_generate(SIM_SM2_CURVE, other, other_public);
  size_t length = sizeof envelope;
  expect("SM2EnvelopedKey is made", sim_sm2_enveloped_key(p, other, envelope, &length), CKR_OK);
  expect("  and opened", sim_sm2_enveloped_key_open(d, envelope, length, opened, opened_public), CKR_OK);
  check(memcmp(opened, other, 32) == 0 && memcmp(opened_public, other_public, 65) == 0, "  to the same pair");
  envelope[length - 1] ^= 1;
  expect("  a flipped bit is refused", sim_sm2_enveloped_key_open(d, envelope, length, opened, opened_public), CKR_WRAPPED_KEY_INVALID);
  length = sizeof envelope;
  sim_gm0018_envelope(p, other, envelope, &length);
  expect("GM/T 0018 envelope is opened", sim_gm0018_envelope_open(d, envelope, length, opened, opened_public), CKR_OK);
  check(memcmp(opened, other, 32) == 0, "  to the same key");
  sim_curve curve;
  for (int i = 0; i < 2; i++) {
    sim_ec_generate((sim_curve)i, other, other_public);
    length = sizeof envelope;
    sim_ec_pkcs8((sim_curve)i, other, envelope, &length);
    check(sim_ec_pkcs8_open(envelope, length, &curve, opened) == CKR_OK && curve == (sim_curve)i && memcmp(opened, other, 32) == 0, "PKCS#8 of an EC key and back");
  }
}

static void rsa_and_ecdsa(void) {
  static const uint8_t f4[] = {1, 0, 1};
  uint8_t der[3072], n[512], e[8], public_der[600], out[512], clear[512], digest[32], signature[64], d[32], p[65];
  size_t der_len = sizeof der, n_len = sizeof n, e_len = sizeof e, public_len = sizeof public_der, out_len = sizeof out, clear_len = sizeof clear;
  expect("RSA-2048 is made", sim_rsa_generate(2048, f4, 3, der, &der_len), CKR_OK);
  sim_rsa_component(der, der_len, 0, n, &n_len);
  sim_rsa_component(der, der_len, 1, e, &e_len);
  sim_rsa_public_from(n, n_len, e, e_len, public_der, &public_len);
  sim_hash(SIM_SHA256, (const uint8_t *)"abc", 3, digest);
  for (int pss = 0; pss < 2; pss++) {
    out_len = sizeof out;
    sim_rsa_sign(der, der_len, pss, true, SIM_SHA256, 32, digest, 32, out, &out_len);
    expect(pss ? "  PSS verifies" : "  PKCS#1 verifies", sim_rsa_verify(public_der, public_len, pss, true, SIM_SHA256, 32, digest, 32, out, out_len), CKR_OK);
    digest[0] ^= 1;
    expect("  another digest fails", sim_rsa_verify(public_der, public_len, pss, true, SIM_SHA256, 32, digest, 32, out, out_len), CKR_SIGNATURE_INVALID);
    digest[0] ^= 1;
  }
  for (int sha = SIM_SHA1; sha <= SIM_SHA256; sha++) {
    out_len = sizeof out;
    clear_len = sizeof clear;
    sim_rsa_encrypt(public_der, public_len, true, (sim_digest)sha, (const uint8_t *)"sixteen bytes ok", 16, out, &out_len);
    check(sim_rsa_decrypt(der, der_len, true, (sim_digest)sha, out, out_len, clear, &clear_len) == CKR_OK && clear_len == 16 && memcmp(clear, "sixteen bytes ok", 16) == 0, "  OAEP and back, hash %d", sha);
    clear_len = sizeof clear;
    check(sim_rsa_decrypt(der, der_len, true, (sim_digest)(1 - sha), out, out_len, clear, &clear_len) == CKR_ENCRYPTED_DATA_INVALID, "  not with the other hash");
  }
  sim_ec_generate(SIM_P256, d, p);
  sim_ecdsa_sign(d, digest, 32, signature);
  expect("ECDSA verifies", sim_ecdsa_verify(p, digest, 32, signature), CKR_OK);
  signature[10] ^= 1;
  expect("  a flipped bit fails", sim_ecdsa_verify(p, digest, 32, signature), CKR_SIGNATURE_INVALID);
}

int main(void) {
  block_ciphers();
  digests();
  tr31();
  shamir();
  sm2();
  rsa_and_ecdsa();
  return closing_line();
}
