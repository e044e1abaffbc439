// An addon for node.exe that makes its JavaScript thread a single-threaded apartment of COM, as a
// program's framework may do. The environment variable PATCHCORD_STA then has CoInitializeEx's
// result.
#include <objbase.h>
#include <windows.h>

#include <cstdio>

// Node-API's entry, without a use of Node-API: both are napi_env and napi_value, which are
// pointers.
extern "C" __declspec(dllexport) void* napi_register_module_v1(void*, void* exports) {
  char answer[16];
  std::snprintf(answer, sizeof(answer), "0x%08lX",
                static_cast<unsigned long>(CoInitializeEx(nullptr, COINIT_APARTMENTTHREADED)));
  SetEnvironmentVariableA("PATCHCORD_STA", answer);
  return exports;
}
