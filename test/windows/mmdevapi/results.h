// The world's errors as the HRESULTs that Windows gives for them.
#pragma once

#include "../../../src/backend/wasapi/windows_sdk.h"
#include "../../../src/core/error.h"

namespace patchcord {

// Those that mingw-w64 10 does not name.
constexpr HRESULT kNoSingleProcess = static_cast<HRESULT>(0x0889000D);  // success
constexpr HRESULT kOffloadNotCapable = static_cast<HRESULT>(0x88890022);
constexpr HRESULT kOffloadModeOnly = static_cast<HRESULT>(0x88890024);
constexpr HRESULT kRawModeUnsupported = static_cast<HRESULT>(0x88890027);
constexpr HRESULT kEnginePeriodicityLocked = static_cast<HRESULT>(0x88890028);

constexpr HRESULT kElementNotFound = static_cast<HRESULT>(0x80070490);  // ERROR_NOT_FOUND
constexpr HRESULT kInvalidName = static_cast<HRESULT>(0x8007007B);      // ERROR_INVALID_NAME
constexpr HRESULT kFileNotFound = static_cast<HRESULT>(0x80070002);     // ERROR_FILE_NOT_FOUND
constexpr HRESULT kIllegalMethodCall = static_cast<HRESULT>(0x8000000E);

inline HRESULT to_result(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNone:
      return S_OK;
    case ErrorCode::kDeviceLost:
      return AUDCLNT_E_DEVICE_INVALIDATED;
    case ErrorCode::kDeviceNotFound:
      return kElementNotFound;
    case ErrorCode::kDeviceBusy:
      return AUDCLNT_E_DEVICE_IN_USE;
    case ErrorCode::kPermissionDenied:
      return E_ACCESSDENIED;
    case ErrorCode::kBackendUnavailable:
      return AUDCLNT_E_SERVICE_NOT_RUNNING;
    case ErrorCode::kFormatUnsupported:
      return AUDCLNT_E_UNSUPPORTED_FORMAT;
    default:
      return E_FAIL;
  }
}

}  // namespace patchcord
