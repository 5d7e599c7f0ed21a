// A PKCS#11 module that this process has already loaded, initialised and logged in to, and one session on it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "cryptoki.h"

namespace hufu {

// A PKCS#11 call that failed. rv CKR_OK: the call succeeded, its answer has the wrong length.
struct CkError {
  CK_RV rv;
  const char *call;
};

class Module {
 public:
  // Throws std::string (text for the operator) when the module has no function list.
  explicit Module(const std::string &path);
  CK_FUNCTION_LIST *operator->() const { return functions_; }

 private:
  CK_FUNCTION_LIST *functions_ = nullptr;
};

// What the executor has asked and been told, over all sessions.
class Counts {
 public:
  void made() { calls_.fetch_add(1, std::memory_order_relaxed); }
  void failed(CK_RV rv);
  uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }
  std::map<CK_RV, uint64_t> errors() const;

 private:
  std::atomic<uint64_t> calls_{0};
  mutable std::mutex mutex_;
  std::map<CK_RV, uint64_t> errors_;
};

int64_t monotonicNs();

// One session, used by one thread. The watchdog reads from another when the call that runs now has begun.
class Session {
 public:
  Session(const Module &module, CK_SLOT_ID slot, Counts &counts) : module_(module), slot_(slot), counts_(counts) {}

  // Throws CkError; CKR_USER_NOT_LOGGED_IN when the login is gone, which a new session does not bring back.
  void open();
  void close();
  CK_SESSION_HANDLE handle() const { return handle_; }
  CK_SLOT_ID slot() const { return slot_; }
  int64_t callBegunNs() const { return begun_.load(std::memory_order_relaxed); }

  // function(session, arguments…); throws CkError unless it returns CKR_OK.
  template <typename Function, typename... Arguments>
  void call(const char *name, Function function, Arguments... arguments) {
    const CK_RV rv = watched(function, handle_, arguments...);
    if (rv != CKR_OK) {
      counts_.failed(rv);
      throw CkError{rv, name};
    }
  }

  void destroy(CK_OBJECT_HANDLE object) noexcept;
  const Module &module() const { return module_; }

 private:
  template <typename Function, typename... Arguments>
  CK_RV watched(Function function, Arguments... arguments) {
    begun_.store(monotonicNs(), std::memory_order_relaxed);
    const CK_RV rv = function(arguments...);
    begun_.store(0, std::memory_order_relaxed);
    counts_.made();
    return rv;
  }

  const Module &module_;
  const CK_SLOT_ID slot_;
  Counts &counts_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
  std::atomic<int64_t> begun_{0};
};

// session.call with the function of the module that bears the name.
#define HUFU_CALL(session, name, ...) (session).call(#name, (session).module()->name __VA_OPT__(, ) __VA_ARGS__)

}  // namespace hufu
