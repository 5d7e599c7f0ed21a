/*
 * Faults on command while the module runs. The control file is mapped: 4096 bytes, a generation (64 bits, little-endian) at 0, lines
 * of text from 64 on. A call looks at the generation with one load; when it changed, the lines are read again and the counts begin
 * anew. Line: FUNCTION ACTION [ACTION …] [nth=N | every=N | first=N].
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

enum { CONTROL_BYTES = 4096, TEXT_AT = 64, RULES_MOST = 32, LOOK_EVERY_MS = 5 };

typedef struct {
  int function; /* -1 = every one */
  CK_RV rv;
  unsigned latency_ms, jitter_ms, nth, every, first;
  bool answers, hang, flip, remove, sessions_gone, tamper, done;
  _Atomic unsigned long calls;
} rule;

static const char *const FUNCTION_NAMES[FUNCTIONS] = {
#define FUNCTION_NAME(name, arguments) #name,
    CK_FUNCTIONS(FUNCTION_NAME)};
static const struct {
  const char *name;
  CK_RV rv;
} RETURN_VALUES[] = {
#define RETURN_VALUE(name, number) {#name, number},
    CK_RETURN_VALUES(RETURN_VALUE)};

static uint8_t *control;
static pthread_mutex_t rules_lock = PTHREAD_MUTEX_INITIALIZER, device = PTHREAD_MUTEX_INITIALIZER;
static rule rules[RULES_MOST];
static int rule_count;
static uint64_t rules_generation;

static uint64_t generation(void) { return __atomic_load_n((uint64_t *)(void *)control, __ATOMIC_ACQUIRE); }

void sim_faults_open(const char *path) {
  if (*path == 0) return;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  if (lseek(file, 0, SEEK_END) >= CONTROL_BYTES) {
    void *mapped = mmap(NULL, CONTROL_BYTES, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) control = mapped;
  }
  close(file);
  rules_generation = 0;
  rule_count = 0;
}

void sim_faults_close(void) {
  if (control != NULL) munmap(control, CONTROL_BYTES);
  control = NULL;
  rule_count = 0;
}

static CK_RV return_value(const char *name) {
  for (size_t i = 0; i < sizeof RETURN_VALUES / sizeof *RETURN_VALUES; i++)
    if (strcmp(RETURN_VALUES[i].name, name) == 0) return RETURN_VALUES[i].rv;
  return strtoul(name, NULL, 0);
}

static void take_word(rule *r, const char *word) {
  if (strncmp(word, "ckr=", 4) == 0) r->answers = true, r->rv = return_value(word + 4);
  else if (strncmp(word, "latency=", 8) == 0) r->latency_ms = (unsigned)atoi(word + 8);
  else if (strncmp(word, "jitter=", 7) == 0) r->jitter_ms = (unsigned)atoi(word + 7);
  else if (strncmp(word, "nth=", 4) == 0) r->nth = (unsigned)atoi(word + 4);
  else if (strncmp(word, "every=", 6) == 0) r->every = (unsigned)atoi(word + 6);
  else if (strncmp(word, "first=", 6) == 0) r->first = (unsigned)atoi(word + 6);
  else if (strcmp(word, "hang") == 0) r->hang = true;
  else if (strcmp(word, "flip") == 0) r->flip = true;
  else if (strcmp(word, "remove") == 0) r->remove = true;
  else if (strcmp(word, "sessions-gone") == 0) r->sessions_gone = true;
  else if (strcmp(word, "tamper") == 0) r->tamper = true;
  else fprintf(stderr, "hsm-sim: 未知故障动作 / unknown fault action %s\n", word);
}

static void take_line(char *line) {
  char *rest = NULL, *word = strtok_r(line, " \t", &rest);
  if (word == NULL || *word == '#' || rule_count == RULES_MOST) return;
  rule *r = &rules[rule_count];
  *r = (rule){.function = -2};
  if (strcmp(word, "*") == 0) r->function = -1;
  for (int i = 0; i < FUNCTIONS; i++)
    if (strcmp(FUNCTION_NAMES[i], word) == 0) r->function = i;
  if (r->function == -2) {
    fprintf(stderr, "hsm-sim: 未知函数 / unknown function %s\n", word);
    return;
  }
  while ((word = strtok_r(NULL, " \t", &rest)) != NULL) take_word(r, word);
  rule_count++;
}

/* Lock held. The text is read while its writer may be at it: a generation that changed meanwhile is read again next time. */
static void look(void) {
  const uint64_t now = generation();
  if (now == rules_generation) return;
  char text[CONTROL_BYTES - TEXT_AT + 1];
  memcpy(text, control + TEXT_AT, sizeof text - 1);
  text[sizeof text - 1] = 0;
  rule_count = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) take_line(line);
  rules_generation = now;
}

static bool meets(rule *r, enum sim_function function) {
  if (r->function >= 0 && r->function != (int)function) return false;
  const unsigned long call = ++r->calls;
  if (r->nth > 0) return call == r->nth;
  if (r->every > 0) return call % r->every == 0;
  return r->first == 0 || call <= r->first;
}

static void wait_ms(unsigned ms) {
  struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&pause, NULL);
}

/* What a removed device still answers: what needs no device. */
static bool without_device(enum sim_function function) {
  return function == FN_C_Initialize || function == FN_C_Finalize || function == FN_C_GetInfo || function == FN_C_GetFunctionList || function == FN_C_GetSlotList || function == FN_C_GetSlotInfo;
}

static void once(rule *r, void (*act)(void)) {
  if (r->done) return;
  r->done = true;
  pthread_mutex_unlock(&rules_lock);
  pthread_mutex_lock(&sim_lock);
  act();
  pthread_mutex_unlock(&sim_lock);
  pthread_mutex_lock(&rules_lock);
}

static void tamper(void) {
  sim_sessions_close_all();
  sim_token_tamper();
}

static void lose_sessions(void) {
  sim_sessions_close_all();
  sim_token_logout();
}

sim_fault sim_fault_next(enum sim_function function) {
  sim_fault fault = {CKR_OK, false};
  if (control == NULL || (generation() == rules_generation && rule_count == 0)) return fault;
  unsigned latency = 0;
  bool hang = false;
  pthread_mutex_lock(&rules_lock);
  look();
  bool removed = false;
  for (int i = 0; i < rule_count; i++) {
    rule *r = &rules[i];
    if (!meets(r, function)) continue;
    latency += r->latency_ms;
    if (r->jitter_ms > 0) {
      uint16_t draw; /* not from the seeded generator: a fault must not move a test's keys */
      draw = (uint16_t)(clock() ^ (long)r->calls * 40503);
      latency += draw % (r->jitter_ms + 1);
    }
    hang = hang || r->hang;
    fault.flip = fault.flip || r->flip;
    if (r->answers) fault.rv = r->rv;
    if (r->sessions_gone) once(r, lose_sessions);
    if (r->tamper) once(r, tamper);
    if (r->remove) {
      removed = true;
      once(r, lose_sessions);
      if (!without_device(function)) fault.rv = function == FN_C_GetTokenInfo || function == FN_C_OpenSession ? CKR_TOKEN_NOT_PRESENT : CKR_DEVICE_REMOVED;
    }
  }
  sim_the_token.present = !removed;
  const uint64_t seen = rules_generation;
  pthread_mutex_unlock(&rules_lock);
  if (latency > 0) wait_ms(latency);
  while (hang && generation() == seen) wait_ms(LOOK_EVERY_MS);
  return fault;
}

void sim_device_enter(void) {
  if (sim_settings.one_at_a_time) pthread_mutex_lock(&device);
}

void sim_device_leave(void) {
  if (sim_settings.one_at_a_time) pthread_mutex_unlock(&device);
}
