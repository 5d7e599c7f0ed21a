#include "module.hpp"

#include <dlfcn.h>
#include <time.h>

namespace hufu {

int64_t monotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// dlopen of a file that is loaded returns the same module, with the state that C_Initialize and C_Login left in it. The
// handle is never given back: threads may still be inside when the process ends.
Module::Module(const std::string &path) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::string(dlerror());
  using GetFunctionList = CK_RV (*)(CK_FUNCTION_LIST **);
  auto get = reinterpret_cast<GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr || get(&functions_) != CKR_OK || functions_ == nullptr) throw path + ": no C_GetFunctionList";
}

void Counts::failed(CK_RV rv) {
  const std::lock_guard lock(mutex_);
  errors_[rv]++;
}

std::map<CK_RV, uint64_t> Counts::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

void Session::open() {
  CK_SESSION_HANDLE opened = CK_INVALID_HANDLE;
  // Read-write: some modules refuse even session objects in a read-only session.
  CK_RV rv = watched(module_->C_OpenSession, slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, static_cast<void *>(nullptr), static_cast<CK_NOTIFY>(nullptr), &opened);
  if (rv != CKR_OK) {
    counts_.failed(rv);
    throw CkError{rv, "C_OpenSession"};
  }
  handle_ = opened;
  CK_SESSION_INFO info{};
  HUFU_CALL(*this, C_GetSessionInfo, &info);
  if (info.state != CKS_RW_USER_FUNCTIONS) {
    counts_.failed(CKR_USER_NOT_LOGGED_IN);
    throw CkError{CKR_USER_NOT_LOGGED_IN, "C_OpenSession"};
  }
}

void Session::close() {
  if (handle_ != CK_INVALID_HANDLE) watched(module_->C_CloseSession, handle_);
  handle_ = CK_INVALID_HANDLE;
}

// A destroy that fails has lost its session, and the session its objects; the first error is the one that counts.
void Session::destroy(CK_OBJECT_HANDLE object) noexcept {
  const CK_RV rv = watched(module_->C_DestroyObject, handle_, object);
  if (rv != CKR_OK) counts_.failed(rv);
}

}  // namespace hufu
