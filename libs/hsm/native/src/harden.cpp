// Process hardening. Linux; elsewhere nothing happens.
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "napi.hpp"

namespace hufu {

// harden({undumpable, dieWithParent}): never a core file; with `undumpable` no debugger and no /proc/PID/mem either; with
// `dieWithParent` the kernel kills this process when its parent ends, even while it is stuck in a vendor module.
napi_value harden(Call &call) {
  const Js &js = call.js;
  const bool undumpable = js.boolean(js.get(call.arguments[0], "undumpable"), "undumpable");
  const bool dieWithParent = js.boolean(js.get(call.arguments[0], "dieWithParent"), "dieWithParent");
#ifdef __linux__
  const rlimit none{0, 0};
  bool done = setrlimit(RLIMIT_CORE, &none) == 0;
  if (undumpable) done = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && done;
  if (dieWithParent) done = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && done;
  if (!done) throw Misuse{"prctl or setrlimit was refused"};
#else
  (void)undumpable;
  (void)dieWithParent;
#endif
  return nullptr;
}

}  // namespace hufu
