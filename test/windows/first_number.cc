// An addon whose thunks lose every xmm register, as binutils' may: what it exports as `number` was
// the argument of the first call that takes a double. `thunks`: how many functions were resolved by
// one.
#include <windows.h>
// After windows.h, whose types it uses.
#include <delayimp.h>
#include <node_api.h>

extern "C" PfnDliHook __pfnDliNotifyHook2;

namespace {

PfnDliHook answer_host;
uint32_t thunks;

FARPROC WINAPI lose_registers(unsigned notification, PDelayLoadInfo info) {
  const FARPROC answer = answer_host(notification, info);
  if (notification == dliNotePreGetProcAddress) {
    ++thunks;
    asm volatile(
        "pcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm1, %%xmm1\n\tpcmpeqd %%xmm2, %%xmm2\n\t"
        "pcmpeqd %%xmm3, %%xmm3\n\tpcmpeqd %%xmm4, %%xmm4\n\tpcmpeqd %%xmm5, %%xmm5"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5");
  }
  return answer;
}

}  // namespace

extern "C" __declspec(dllexport) napi_value
    napi_register_module_v1(napi_env env, napi_value exports) {
  answer_host = __pfnDliNotifyHook2;
  __pfnDliNotifyHook2 = lose_registers;
  napi_value object, number, count;
  napi_create_object(env, &object);
  napi_create_double(env, 42.5, &number);
  napi_set_named_property(env, exports, "number", number);
  napi_create_uint32(env, thunks, &count);
  napi_set_named_property(env, exports, "thunks", count);
  return exports;
}
