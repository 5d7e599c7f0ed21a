// login(…): C_Login with the PIN where it lies.
#include "module.hpp"
#include "napi.hpp"

namespace hufu {

// login({modulePath, session, user}, pin): CKU_SO when user is "officer", else CKU_USER, in this session of a module that pkcs11js has
// loaded. The PIN is read in the memory of
// its Uint8Array: no copy is made that nobody could wipe. Returns the CKR.
napi_value login(Call &call) {
  const Js &js = call.js;
  napi_typedarray_type type;
  size_t length = 0;
  void *pin = nullptr;
  js.check(napi_get_typedarray_info(js.env(), call.arguments[1], &type, &length, &pin, nullptr, nullptr), "pin");
  if (type != napi_uint8_array) throw Misuse{"pin"};
  const CK_SESSION_HANDLE session = js.bigint(call.arguments[0], "session");
  const CK_USER_TYPE user = js.text(call.arguments[0], "user") == "officer" ? CKU_SO : CKU_USER;
  try {
    const Module module(js.text(call.arguments[0], "modulePath"));
    return js.fromNumber(static_cast<double>(module->C_Login(session, user, static_cast<CK_UTF8CHAR *>(pin), length)));
  } catch (const std::string &text) {
    throw Misuse{text};
  }
}

}  // namespace hufu
