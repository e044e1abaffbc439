// One error type for every layer; lib/errors.ts turns it into an AudioError with the same code.
#pragma once

#include <string>
#include <utility>

namespace patchcord {

// The names after `k` are those of the public codes: kDeviceLost is ERR_AUDIO_DEVICE_LOST.
enum class ErrorCode {
  kNone,
  kDeviceNotFound,
  kDeviceLost,
  kDeviceBusy,
  kPermissionDenied,
  kFormatUnsupported,
  kProcessNotFound,
  kBackendUnavailable,
  kUnsupported,
  kFeedback,
  kTimeout,
  kBackend,
};

struct Error {
  ErrorCode code = ErrorCode::kNone;
  std::string message;    // what was asked and what happened, a sentence without a final stop
  std::string syscall;    // the OS or library function that failed: "IAudioClient::Initialize"
  std::string os_code;    // its answer, readable: "0x88890004 AUDCLNT_E_DEVICE_INVALIDATED"
  std::string device_id;  // the device concerned, if any
  std::string remedy;     // what the reader can do about it

  explicit operator bool() const { return code != ErrorCode::kNone; }

  static Error none() { return {}; }
  static Error make(ErrorCode code, std::string message, std::string remedy = {}) {
    Error error;
    error.code = code;
    error.message = std::move(message);
    error.remedy = std::move(remedy);
    return error;
  }
};

}  // namespace patchcord
