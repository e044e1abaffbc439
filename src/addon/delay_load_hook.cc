// Lets the addon load into a renamed executable (Electron, a packaged app): its import table says
// "node.exe", and without this hook the loader would look for a file of that name. MSVC builds get
// such a hook from node-gyp; this one is for mingw-w64's delay-load runtime.
#if defined(PATCHCORD_HOST_TABLE)

#include <windows.h>

#include <cstdlib>

// The table that scripts/clang-windows.mjs makes: each function of the host is a jump through it.
extern "C" {
extern FARPROC patchcord_host_functions[];
extern const char* const patchcord_host_names[];
// Called in place of a function that the host lacks.
[[noreturn]] void patchcord_missing_function() { std::abort(); }
}

namespace {

// Runs when the addon is loaded. A host built with a shared Node exports its functions from
// libnode.dll; other hosts export them themselves.
[[gnu::constructor(101)]] void find_host_functions() {
  HMODULE host = GetModuleHandleW(L"libnode.dll");
  if (host == nullptr) host = GetModuleHandleW(nullptr);
  for (size_t i = 0; patchcord_host_names[i] != nullptr; ++i) {
    const FARPROC found = GetProcAddress(host, patchcord_host_names[i]);
    if (found != nullptr) patchcord_host_functions[i] = found;
  }
}

}  // namespace

#elif defined(__MINGW32__)

#include <windows.h>
// After windows.h, because it uses its types.
#include <delayimp.h>
#include <string.h>

extern "C" IMAGE_DOS_HEADER __ImageBase;

namespace {

// binutils' thunks save the integer registers of a call that is not resolved yet, and no xmm
// register (its bug 29189): a double that the first napi_create_double() passes would be lost. So
// the first call of any function, which passes no double, resolves all functions, and no other
// thunk runs. A function that the host lacks stays with its thunk, which fails when it is called.
void resolve_all(const ImgDelayDescr& imports, HMODULE host) {
  auto* const image = reinterpret_cast<BYTE*>(&__ImageBase);
  const auto* const names = reinterpret_cast<const IMAGE_THUNK_DATA*>(image + imports.rvaINT);
  auto* const functions = reinterpret_cast<FARPROC*>(image + imports.rvaIAT);
  for (size_t i = 0; names[i].u1.AddressOfData != 0; ++i) {
    const auto* const name =
        reinterpret_cast<const IMAGE_IMPORT_BY_NAME*>(image + names[i].u1.AddressOfData);
    const FARPROC found = GetProcAddress(host, reinterpret_cast<LPCSTR>(name->Name));
    if (found != nullptr) functions[i] = found;
  }
}

// Runs on the thread that loads the addon, at its first call of a Node-API function. That call
// creates a function.
FARPROC WINAPI answer_host(unsigned notification, PDelayLoadInfo info) {
  if (notification != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) {
    return nullptr;
  }
  // A host built with a shared Node exports its functions from libnode.dll; other hosts export them
  // themselves.
  HMODULE host = GetModuleHandleW(L"libnode.dll");
  if (!host) host = GetModuleHandleW(nullptr);
  resolve_all(*info->pidd, host);
  return reinterpret_cast<FARPROC>(host);
}

}  // namespace

// The runtime reads this variable by name.
extern "C" {
PfnDliHook __pfnDliNotifyHook2 = answer_host;
}

#endif
