// executor.node: open(…) → the object of libs/hsm/src/agent/executor.ts, harden(…), login(…), and the structures that pkcs11js does not make.
#include <cstring>

#include "napi.hpp"
#include "pool.hpp"

namespace hufu {

namespace {

struct Executor {
  Executor(const std::string &path, Numbers profileNumbers) : module(path), numbers(profileNumbers) {}
  Module module;
  Numbers numbers;
  std::unique_ptr<Pool> pool;
  napi_threadsafe_function settle = nullptr;
  size_t pending = 0;  // promises; JavaScript thread only
};

struct Waiting {
  Executor *executor;
  napi_deferred deferred;
  std::unique_ptr<Job> job;
  // nullptr: a CKR is the answer, also that of a failure.
  napi_value (*result)(const Js &js, Job &job);
};

napi_value failureOf(const Js &js, const Failure &failure) {
  napi_value error;
  js.check(napi_create_error(js.env(), nullptr, js.fromText(failure.call + " failed"), &error), "error");
  js.set(error, "ckr", js.fromNumber(static_cast<double>(failure.rv)));
  js.set(error, "call", js.fromText(failure.call));
  js.set(error, "item", js.fromNumber(failure.item));
  return error;
}

// On a thread of the pool. When the environment is going down nobody waits any more.
void jobDone(Job *job) {
  auto *waiting = static_cast<Waiting *>(job->owner);
  if (napi_call_threadsafe_function(waiting->executor->settle, waiting, napi_tsfn_blocking) != napi_ok) delete waiting;
}

// On the JavaScript thread.
void settle(napi_env env, napi_value, void *, void *data) {
  const std::unique_ptr<Waiting> waiting(static_cast<Waiting *>(data));
  if (env == nullptr) return;
  const Js js(env);
  Executor &executor = *waiting->executor;
  if (--executor.pending == 0) napi_unref_threadsafe_function(env, executor.settle);
  try {
    const auto &failure = waiting->job->failure;
    if (waiting->result == nullptr) napi_resolve_deferred(env, waiting->deferred, js.fromNumber(failure ? static_cast<double>(failure->rv) : 0));
    else if (failure) napi_reject_deferred(env, waiting->deferred, failureOf(js, *failure));
    else napi_resolve_deferred(env, waiting->deferred, waiting->result(js, *waiting->job));
  } catch (const Misuse &misuse) {
    napi_value error, text;
    napi_create_string_utf8(env, misuse.text.data(), misuse.text.size(), &text);
    napi_create_error(env, nullptr, text, &error);
    napi_reject_deferred(env, waiting->deferred, error);
  }
}

napi_value submit(const Js &js, Executor &executor, std::unique_ptr<Job> job, napi_value (*result)(const Js &, Job &)) {
  napi_value promise;
  auto waiting = std::make_unique<Waiting>();
  js.check(napi_create_promise(js.env(), &waiting->deferred, &promise), "promise");
  waiting->executor = &executor;
  waiting->result = result;
  waiting->job = std::move(job);
  Job *queued = waiting->job.get();
  queued->owner = waiting.release();
  // Node stays alive while somebody waits.
  if (executor.pending++ == 0) napi_ref_threadsafe_function(js.env(), executor.settle);
  executor.pool->submit(queued);
  return promise;
}

Executor &executorOf(Call &call) { return *static_cast<Executor *>(call.data); }

napi_value rejected(const Js &js, const Failure &failure) {
  napi_deferred deferred;
  napi_value promise;
  js.check(napi_create_promise(js.env(), &deferred, &promise), "promise");
  js.check(napi_reject_deferred(js.env(), deferred, failureOf(js, failure)), "promise");
  return promise;
}

// run(batch, handles, algorithms, online)
napi_value run(Call &call) {
  const Js &js = call.js;
  Executor &executor = executorOf(call);
  const auto handles = js.bytes(call.arguments[1], "handles"), algorithms = js.bytes(call.arguments[2], "algorithms");
  if (handles.size() != 8 * algorithms.size()) throw Misuse{"one algorithm per handle"};
  std::vector<BatchKey> keys(algorithms.size());
  for (size_t i = 0; i < keys.size(); i++) {
    uint64_t handle;
    memcpy(&handle, &handles[8 * i], sizeof handle);
    keys[i] = {handle, algorithms[i]};
  }
  try {
    std::unique_ptr<Job> job(BatchJob::read(executor.numbers, js.bytes(call.arguments[0], "batch"), std::move(keys), js.boolean(call.arguments[3], "online")));
    return submit(js, executor, std::move(job), [](const Js &made, Job &done) { return made.fromBytes(static_cast<BatchJob &>(done).answers()); });
  } catch (const CkError &error) {
    return rejected(js, {error.rv, error.call, 0});
  }
}

napi_value signaturesOf(const Js &js, Job &job) {
  const auto &signatures = static_cast<SignJob &>(job).signatures();
  napi_value list;
  js.check(napi_create_array_with_length(js.env(), signatures.size(), &list), "array");
  for (uint32_t i = 0; i < signatures.size(); i++) js.check(napi_set_element(js.env(), list, i, js.fromBytes(signatures[i])), "array");
  return list;
}

// sign(items, online)
napi_value sign(Call &call) {
  const Js &js = call.js;
  std::vector<SignItem> items(js.length(call.arguments[0]));
  if (items.empty()) throw Misuse{"no items"};
  for (uint32_t i = 0; i < items.size(); i++) {
    const napi_value item = js.at(call.arguments[0], i);
    const napi_value parameter = js.get(item, "parameter");
    items[i] = {js.bigint(item, "handle"), js.unsignedNumber(item, "mechanism"), js.isUndefined(parameter) ? std::vector<uint8_t>() : js.bytes(parameter, "parameter"),
                js.bytes(js.get(item, "data"), "data"), static_cast<uint32_t>(js.unsignedNumber(item, "signatureBytesMost"))};
  }
  return submit(js, executorOf(call), std::make_unique<SignJob>(std::move(items), js.boolean(call.arguments[1], "online")), signaturesOf);
}

napi_value probe(Call &call) { return submit(call.js, executorOf(call), std::make_unique<ProbeJob>(), nullptr); }

napi_value oldestCall(Call &call) {
  const Js &js = call.js;
  const OldestCall oldest = executorOf(call).pool->oldestCall();
  const napi_value out = js.object();
  js.set(out, "ms", js.fromNumber(static_cast<double>(oldest.ageNs) / 1e6));
  js.set(out, "running", js.fromBoolean(oldest.running));
  return out;
}

napi_value counts(Call &call) {
  const Js &js = call.js;
  const Pool &pool = *executorOf(call).pool;
  const napi_value out = js.object(), errors = js.object();
  for (const auto &[rv, times] : pool.counts().errors()) js.set(errors, std::to_string(rv).c_str(), js.fromNumber(static_cast<double>(times)));
  js.set(out, "calls", js.fromNumber(static_cast<double>(pool.counts().calls())));
  js.set(out, "sessions", js.fromNumber(static_cast<double>(pool.sessions())));
  js.set(out, "busy", js.fromNumber(static_cast<double>(pool.busy())));
  js.set(out, "errors", errors);
  return out;
}

napi_value close(Call &call) {
  executorOf(call).pool->close();
  return nullptr;
}

Numbers numbersOf(const Js &js, napi_value options) {
  Numbers numbers{};
  const napi_value list = js.get(options, "algorithms");
  if (js.length(list) != ALGORITHMS) throw Misuse{"algorithms"};
  for (uint32_t i = 0; i < ALGORITHMS; i++) {
    const napi_value each = js.at(list, i);
    numbers.algorithms[i] = {js.unsignedNumber(each, "keyType"), js.unsignedNumber(each, "encryptData"), js.unsignedNumber(each, "ecb"),
                             js.unsignedNumber(each, "cbc"),     js.unsignedNumber(each, "blockBytes"),  js.unsignedNumber(each, "valueLength")};
    const size_t block = numbers.algorithms[i].blockBytes;
    if (block != 8 && block != BLOCK_MOST) throw Misuse{"blockBytes"};
  }
  numbers.xorHalves = js.unsignedNumber(options, "xorHalves");
  numbers.checkValueAttribute = js.boolean(js.get(options, "checkValueAttribute"), "checkValueAttribute");
  return numbers;
}

// open({modulePath, slot, sessions, algorithms, xorHalves, checkValueAttribute}). The executor is never freed: one per
// process, and its threads may be inside the module when the process ends.
napi_value open(Call &call) {
  const Js &js = call.js;
  const napi_value options = call.arguments[0];
  std::unique_ptr<Executor> made;
  try {
    made = std::make_unique<Executor>(js.text(options, "modulePath"), numbersOf(js, options));
    const size_t sessions = js.unsignedNumber(options, "sessions");
    if (sessions == 0 || sessions > 64) throw Misuse{"sessions"};
    made->pool = std::make_unique<Pool>(made->module, js.unsignedNumber(options, "slot"), sessions, jobDone);
  } catch (const std::string &text) {
    throw Misuse{text};
  } catch (const CkError &error) {
    napi_throw(js.env(), failureOf(js, {error.rv, error.call, 0}));
    return nullptr;
  }
  Executor *executor = made.release();
  js.check(napi_create_threadsafe_function(js.env(), nullptr, nullptr, js.fromText("hufu executor"), 0, 1, nullptr, nullptr, nullptr, settle, &executor->settle), "threadsafe function");
  napi_unref_threadsafe_function(js.env(), executor->settle);
  const napi_property_descriptor methods[] = {
      {"run", nullptr, guarded<run>, nullptr, nullptr, nullptr, napi_enumerable, executor},
      {"sign", nullptr, guarded<sign>, nullptr, nullptr, nullptr, napi_enumerable, executor},
      {"probe", nullptr, guarded<probe>, nullptr, nullptr, nullptr, napi_enumerable, executor},
      {"oldestCall", nullptr, guarded<oldestCall>, nullptr, nullptr, nullptr, napi_enumerable, executor},
      {"counts", nullptr, guarded<counts>, nullptr, nullptr, nullptr, napi_enumerable, executor},
      {"close", nullptr, guarded<close>, nullptr, nullptr, nullptr, napi_enumerable, executor},
  };
  const napi_value out = js.object();
  js.check(napi_define_properties(js.env(), out, std::size(methods), methods), "methods");
  return out;
}

}  // namespace

}  // namespace hufu

NAPI_MODULE_INIT() {
  using namespace hufu;
  const napi_property_descriptor functions[] = {
      {"open", nullptr, guarded<open>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"harden", nullptr, guarded<harden>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"login", nullptr, guarded<login>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"stringData", nullptr, guarded<stringData>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"attributeArray", nullptr, guarded<attributeArray>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, std::size(functions), functions);
  return exports;
}
