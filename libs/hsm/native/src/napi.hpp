// The few things of Node-API that the addon needs, with errors as C++ exceptions.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hufu {

// A mistake of the caller, thrown as a TypeError.
struct Misuse {
  std::string text;
};

class Js {
 public:
  explicit Js(napi_env env) : env_(env) {}
  napi_env env() const { return env_; }

  void check(napi_status status, const char *what) const {
    if (status != napi_ok) throw Misuse{what};
  }
  napi_value get(napi_value object, const char *name) const {
    napi_value value;
    check(napi_get_named_property(env_, object, name, &value), name);
    return value;
  }
  napi_value at(napi_value array, uint32_t index) const {
    napi_value value;
    check(napi_get_element(env_, array, index, &value), "an element");
    return value;
  }
  uint32_t length(napi_value array) const {
    uint32_t count;
    check(napi_get_array_length(env_, array, &count), "an array");
    return count;
  }
  double number(napi_value value, const char *what) const {
    double out;
    check(napi_get_value_double(env_, value, &out), what);
    return out;
  }
  uint64_t unsignedNumber(napi_value object, const char *name) const {
    const double out = number(get(object, name), name);
    if (!(out >= 0 && out <= 9007199254740991.0)) throw Misuse{name};
    return static_cast<uint64_t>(out);
  }
  uint64_t bigint(napi_value object, const char *name) const {
    uint64_t out;
    bool lossless;
    check(napi_get_value_bigint_uint64(env_, get(object, name), &out, &lossless), name);
    return out;
  }
  bool boolean(napi_value value, const char *what) const {
    bool out;
    check(napi_get_value_bool(env_, value, &out), what);
    return out;
  }
  std::string text(napi_value object, const char *name) const {
    const napi_value value = get(object, name);
    size_t length = 0;
    check(napi_get_value_string_utf8(env_, value, nullptr, 0, &length), name);
    std::string out(length, '\0');
    check(napi_get_value_string_utf8(env_, value, out.data(), length + 1, &length), name);
    return out;
  }
  // A copy of a Uint8Array or BigUint64Array: what was checked cannot change while threads work on it.
  std::vector<uint8_t> bytes(napi_value value, const char *what) const {
    napi_typedarray_type type;
    size_t count = 0;
    void *data = nullptr;
    check(napi_get_typedarray_info(env_, value, &type, &count, &data, nullptr, nullptr), what);
    if (type != napi_uint8_array && type != napi_biguint64_array) throw Misuse{what};
    const size_t size = count * (type == napi_uint8_array ? 1 : 8);
    const auto *from = static_cast<const uint8_t *>(data);
    return size == 0 ? std::vector<uint8_t>() : std::vector<uint8_t>(from, from + size);
  }
  bool isUndefined(napi_value value) const {
    napi_valuetype type;
    check(napi_typeof(env_, value, &type), "a value");
    return type == napi_undefined;
  }
  napi_value fromNumber(double value) const {
    napi_value out;
    check(napi_create_double(env_, value, &out), "number");
    return out;
  }
  napi_value fromBoolean(bool value) const {
    napi_value out;
    check(napi_get_boolean(env_, value, &out), "boolean");
    return out;
  }
  napi_value fromText(const std::string &value) const {
    napi_value out;
    check(napi_create_string_utf8(env_, value.data(), value.size(), &out), "string");
    return out;
  }
  napi_value fromBytes(const std::vector<uint8_t> &bytes) const {
    void *data;
    napi_value buffer, out;
    check(napi_create_arraybuffer(env_, bytes.size(), &data, &buffer), "ArrayBuffer");
    if (!bytes.empty()) std::copy(bytes.begin(), bytes.end(), static_cast<uint8_t *>(data));
    check(napi_create_typedarray(env_, napi_uint8_array, bytes.size(), buffer, 0, &out), "Uint8Array");
    return out;
  }
  napi_value object() const {
    napi_value out;
    check(napi_create_object(env_, &out), "object");
    return out;
  }
  void set(napi_value object, const char *name, napi_value value) const { check(napi_set_named_property(env_, object, name, value), name); }

 private:
  napi_env env_;
};

// Arguments of a call, at most four.
struct Call {
  Call(napi_env env, napi_callback_info info) : js(env) {
    size_t count = 4;
    js.check(napi_get_cb_info(env, info, &count, arguments, &self, &data), "arguments");
  }
  Js js;
  napi_value arguments[4] = {};
  napi_value self = nullptr;
  void *data = nullptr;
};

// Lets a C++ function be a JavaScript one: Misuse becomes a TypeError.
template <napi_value (*function)(Call &)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    Call call(env, info);
    return function(call);
  } catch (const Misuse &misuse) {
    napi_throw_type_error(env, nullptr, ("executor: " + misuse.text).c_str());
  } catch (const std::exception &error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

napi_value harden(Call &call);
napi_value login(Call &call);
napi_value stringData(Call &call);
napi_value attributeArray(Call &call);

}  // namespace hufu
