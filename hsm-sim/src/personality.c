/*
 * Vendors give the GM algorithms numbers of their own. A personality maps the device's own numbers to a vendor's published
 * ones; what the vendor's header does not name is not offered. Standard mechanisms keep their numbers everywhere.
 * Sources: the vendor maps of XiPKI (Sansec, TASS), IBM's EP11 header, the header common to Chinese UKeys. None of them has
 * been tried against a device: they are hypotheses, and the profile files say so.
 */
#include "state.h"

#define V 0x80000000UL

typedef struct {
  CK_ULONG own, spoken;
} number;

static const number SANSEC_MECHANISMS[] = {
    {CKM_HUFU_SM2_KEY_PAIR_GEN, V + 0x8001}, {CKM_HUFU_SM2_SM3, V + 0x8100}, {CKM_HUFU_SM2_RAW, V + 0x8104},
    {CKM_HUFU_SM4_KEY_GEN, V + 0x107},       {CKM_HUFU_SM4_ECB, V + 0x108},  {CKM_HUFU_SM4_CBC, V + 0x109},
    {CKM_HUFU_SM4_CBC_PAD, V + 0xA102},      {0, 0},
};
static const number TASS_MECHANISMS[] = {
    {CKM_HUFU_SM2_KEY_PAIR_GEN, V + 0x8001}, {CKM_HUFU_SM2_SM3, V + 0x8100}, {CKM_HUFU_SM2_RAW, V + 0x8000},     {CKM_HUFU_SM4_KEY_GEN, V + 0x107},
    {CKM_HUFU_SM4_ECB, V + 0x108},           {CKM_HUFU_SM4_CBC, V + 0x109},  {CKM_HUFU_SM4_CBC_PAD, V + 0x10C}, {CKM_HUFU_SM4_CBC_MAC, V + 0x10A},
    {0, 0},
};
static const number EP11_MECHANISMS[] = {
    {CKM_HUFU_SM4_KEY_GEN, V + 0x50001},          {CKM_HUFU_SM4_CBC, V + 0x50002},     {CKM_HUFU_SM4_CBC_PAD, V + 0x50003}, {CKM_HUFU_SM4_ECB, V + 0x50004}, {CKM_HUFU_SM4_CBC_MAC, V + 0x50007},
    {CKM_HUFU_SM4_ECB_ENCRYPT_DATA, V + 0x50009}, {CKM_HUFU_SM2_KEY_PAIR_GEN, V + 0x5000A}, {CKM_HUFU_SM2_RAW, V + 0x5000B},
    {CKM_HUFU_SM2_SM3, V + 0x5000C},              {CKM_HUFU_SM2_ENCRYPT, V + 0x5000D}, {CKM_HUFU_SM3, V + 0x5000E},     {0, 0},
};
static const number COMMON_MECHANISMS[] = {
    {CKM_HUFU_SM2_KEY_PAIR_GEN, V + 0x1}, {CKM_HUFU_SM2_RAW, V + 0x2},      {CKM_HUFU_SM4_KEY_GEN, V + 0x40}, {CKM_HUFU_SM4_ECB, V + 0x41},
    {CKM_HUFU_SM4_CBC, V + 0x42},         {CKM_HUFU_SM4_CBC_PAD, V + 0x43}, {CKM_HUFU_SM4_CBC_MAC, V + 0x47}, {0, 0},
};

static const struct {
  const number *mechanisms; /* NULL = own numbers, everything offered */
  number key_types[2];
  sim_quirks quirks;
} PERSONALITY[PERSONALITIES] = {
    [PERSONALITY_HUFU] = {NULL, {{CKK_HUFU_SM2, CKK_HUFU_SM2}, {CKK_HUFU_SM4, CKK_HUFU_SM4}}, {false, false, 0}},
    [PERSONALITY_SANSEC] = {SANSEC_MECHANISMS, {{CKK_HUFU_SM2, V + 0x4}, {CKK_HUFU_SM4, V + 0x106}}, {false, true, 8192}},
    [PERSONALITY_TASS] = {TASS_MECHANISMS, {{CKK_HUFU_SM2, V + 0x4}, {CKK_HUFU_SM4, V + 0x2}}, {true, true, 8192}},
    [PERSONALITY_EP11] = {EP11_MECHANISMS, {{CKK_HUFU_SM2, V + 0x50002}, {CKK_HUFU_SM4, V + 0x50001}}, {false, false, 0}},
    [PERSONALITY_COMMON] = {COMMON_MECHANISMS, {{CKK_HUFU_SM2, V + 0x1}, {CKK_HUFU_SM4, V + 0x5}}, {false, false, 0}},
};

static bool own_number(CK_ULONG number) { return (number & ~0xFFUL) == HUFU_BASE; }

const sim_quirks *sim_personality_quirks(void) { return &PERSONALITY[sim_settings.personality].quirks; }

CK_MECHANISM_TYPE sim_mechanism_to_own(CK_MECHANISM_TYPE spoken) {
  const number *map = PERSONALITY[sim_settings.personality].mechanisms;
  for (; map != NULL && map->own != 0; map++)
    if (map->spoken == spoken) return map->own;
  return spoken;
}

bool sim_mechanism_spoken(CK_MECHANISM_TYPE own, CK_MECHANISM_TYPE *spoken) {
  const number *map = PERSONALITY[sim_settings.personality].mechanisms;
  *spoken = own;
  if (map == NULL || !own_number(own)) return true;
  for (; map->own != 0; map++) {
    if (map->own != own) continue;
    *spoken = map->spoken;
    return true;
  }
  return false;
}

CK_KEY_TYPE sim_key_type_to_own(CK_KEY_TYPE spoken) {
  for (int i = 0; i < 2; i++)
    if (PERSONALITY[sim_settings.personality].key_types[i].spoken == spoken) return PERSONALITY[sim_settings.personality].key_types[i].own;
  return spoken;
}

CK_KEY_TYPE sim_key_type_spoken(CK_KEY_TYPE own) {
  for (int i = 0; i < 2; i++)
    if (PERSONALITY[sim_settings.personality].key_types[i].own == own) return PERSONALITY[sim_settings.personality].key_types[i].spoken;
  return own;
}
