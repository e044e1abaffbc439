// Lets the addon load into a renamed executable (Electron, a packaged app): its import table says
// "node.exe", and without this hook the loader would look for a file of that name. MSVC builds get
// such a hook from node-gyp; this one is for mingw-w64's delay-load runtime.
#if defined(__MINGW32__)

#include <windows.h>
// After windows.h, whose types it uses.
#include <delayimp.h>
#include <string.h>

namespace {

// Any thread, at the first call of a Node-API function.
FARPROC WINAPI answer_host(unsigned notification, PDelayLoadInfo info) {
  if (notification != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) {
    return nullptr;
  }
  // Hosts built with a shared Node export its functions from libnode.dll, all others themselves.
  HMODULE host = GetModuleHandleW(L"libnode.dll");
  if (!host) host = GetModuleHandleW(nullptr);
  return reinterpret_cast<FARPROC>(host);
}

}  // namespace

// The runtime reads this variable by name.
extern "C" {
PfnDliHook __pfnDliNotifyHook2 = answer_host;
}

#endif  // defined(__MINGW32__)
