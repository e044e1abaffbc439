// audioclientactivationparams.h of the Windows SDK, which mingw-w64 10 lacks.
#pragma once

#include "windows_sdk.h"

namespace patchcord {

constexpr wchar_t kProcessLoopbackDevice[] = L"VAD\\Process_Loopback";

struct ProcessLoopbackParams {
  static constexpr DWORD kProcessLoopbackType = 1;
  static constexpr DWORD kIncludeTree = 0;
  static constexpr DWORD kExcludeTree = 1;

  DWORD type;
  DWORD pid;
  DWORD mode;
};

}  // namespace patchcord
