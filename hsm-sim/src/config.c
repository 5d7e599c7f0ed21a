/* The configuration file: `key = value` lines, # for comments. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum { LINE_MOST = 2048 };

static const char *const PERSONALITY_NAMES[PERSONALITIES] = {"hufu", "sansec", "tass", "ep11", "common"};

typedef bool (*setter)(sim_config *, const char *value);

static bool text(char *out, size_t room, const char *value) {
  if (strlen(value) >= room) return false;
  strcpy(out, value);
  return true;
}
static bool number(unsigned *out, const char *value, unsigned least, unsigned most) {
  char *end = NULL;
  const unsigned long read = strtoul(value, &end, 10);
  if (!isdigit((unsigned char)*value) || *end != 0 || read < least || read > most) return false;
  *out = (unsigned)read;
  return true;
}

static bool set_label(sim_config *c, const char *v) { return text(c->label, sizeof c->label, v); }
static bool set_serial(sim_config *c, const char *v) { return text(c->serial, sizeof c->serial, v); }
static bool set_dir(sim_config *c, const char *v) { return text(c->dir, sizeof c->dir - 32, v); }
static bool set_control(sim_config *c, const char *v) { return text(c->control, sizeof c->control, v); }
static bool set_pin_tries(sim_config *c, const char *v) { return number(&c->pin_tries, v, 1, 255); }
static bool set_sessions_most(sim_config *c, const char *v) { return number(&c->sessions_most, v, 1, 100000); }
static bool set_objects_most(sim_config *c, const char *v) { return number(&c->objects_most, v, 1, 10000000); }
static bool set_start_ms(sim_config *c, const char *v) { return number(&c->start_ms, v, 0, 600000); }
static bool set_one_at_a_time(sim_config *c, const char *v) {
  c->one_at_a_time = strcmp(v, "yes") == 0;
  return c->one_at_a_time || strcmp(v, "no") == 0;
}
static bool set_firmware(sim_config *c, const char *v) {
  unsigned major, minor;
  char rest;
  if (sscanf(v, "%3u.%3u%c", &major, &minor, &rest) != 2 || major > 255 || minor > 255) return false;
  c->firmware = (CK_VERSION){(CK_BYTE)major, (CK_BYTE)minor};
  return true;
}
static bool set_personality(sim_config *c, const char *v) {
  for (int i = 0; i < PERSONALITIES; i++) {
    if (strcmp(v, PERSONALITY_NAMES[i]) != 0) continue;
    c->personality = (sim_personality)i;
    return true;
  }
  return false;
}
static bool set_seed(sim_config *c, const char *v) {
  const size_t length = strlen(v);
  if (length == 0 || length % 2 != 0 || length / 2 > sizeof c->seed) return false;
  for (size_t i = 0; i < length / 2; i++) {
    unsigned octet;
    if (!isxdigit((unsigned char)v[2 * i]) || sscanf(v + 2 * i, "%2x", &octet) != 1) return false;
    c->seed[i] = (uint8_t)octet;
  }
  c->seed_bytes = length / 2;
  return true;
}

static const struct {
  const char *key;
  setter set;
} KEYS[] = {
    {"label", set_label}, {"serial", set_serial}, {"firmware", set_firmware}, {"dir", set_dir}, {"personality", set_personality},
    {"pin_tries", set_pin_tries}, {"sessions_most", set_sessions_most}, {"objects_most", set_objects_most}, {"seed", set_seed},
    {"control", set_control}, {"serial_device", set_one_at_a_time}, {"start_ms", set_start_ms},
};

static char *trimmed(char *from) {
  while (isspace((unsigned char)*from)) from++;
  for (char *end = from + strlen(from); end > from && isspace((unsigned char)end[-1]);) *--end = 0;
  return from;
}

static bool take_line(sim_config *config, char *line) {
  line = trimmed(line);
  if (*line == 0 || *line == '#') return true;
  char *equals = strchr(line, '=');
  if (equals == NULL) return false;
  *equals = 0;
  const char *key = trimmed(line), *value = trimmed(equals + 1);
  for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
    if (strcmp(KEYS[i].key, key) == 0) return KEYS[i].set(config, value);
  return false;
}

CK_RV sim_config_read(sim_config *config, const char *reserved) {
  *config = (sim_config){.label = "hsm-sim", .serial = "HUFUSIM000000001", .firmware = {1, 0}, .pin_tries = 10, .sessions_most = 1024, .objects_most = 100000};
  const char *path = getenv("HUFU_SIM_CONF");
  if (reserved != NULL && strncmp(reserved, "conf=", 5) == 0) path = reserved + 5;
  if (path == NULL || *path == 0) return CKR_OK;
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    fprintf(stderr, "hsm-sim: 无法读取配置 / cannot read the configuration %s\n", path);
    return CKR_ARGUMENTS_BAD;
  }
  char line[LINE_MOST];
  CK_RV rv = CKR_OK;
  for (int at = 1; rv == CKR_OK && fgets(line, sizeof line, file) != NULL; at++) {
    if (take_line(config, line)) continue;
    fprintf(stderr, "hsm-sim: %s:%d: 配置行无效 / invalid line\n", path, at);
    rv = CKR_ARGUMENTS_BAD;
  }
  fclose(file);
  return rv;
}
