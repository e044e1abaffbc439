#include "com_support.h"

#include <cstdio>

namespace patchcord {
namespace {

struct Meaning {
  HRESULT result;
  const char* name;
  ErrorCode code;
  const char* reason;
  const char* remedy;
};

const char kReopen[] =
    "list the devices and open the device again, because its id or format may have changed";
const char kStartService[] =
    "start the services \"Windows Audio\" and \"Windows Audio Endpoint Builder\"";
const char kListDevices[] = "list the devices and choose one that is active";

constexpr HRESULT as_hresult(uint32_t bits) { return static_cast<HRESULT>(bits); }

const Meaning kMeanings[] = {
    {AUDCLNT_E_DEVICE_INVALIDATED, "AUDCLNT_E_DEVICE_INVALIDATED", ErrorCode::kDeviceLost,
     "the device was removed, disabled or reconfigured", kReopen},
    {AUDCLNT_E_RESOURCES_INVALIDATED, "AUDCLNT_E_RESOURCES_INVALIDATED", ErrorCode::kDeviceLost,
     "the system revoked the resources of the stream", kReopen},
    {AUDCLNT_E_ENDPOINT_CREATE_FAILED, "AUDCLNT_E_ENDPOINT_CREATE_FAILED", ErrorCode::kDeviceLost,
     "the system could not create the device's endpoint", kReopen},
    {AUDCLNT_E_BUFFER_ERROR, "AUDCLNT_E_BUFFER_ERROR", ErrorCode::kDeviceLost,
     "the system provided no buffer", kReopen},
    {AUDCLNT_E_SERVICE_NOT_RUNNING, "AUDCLNT_E_SERVICE_NOT_RUNNING", ErrorCode::kBackendUnavailable,
     "the Windows audio service is not running", kStartService},
    {as_hresult(0x800706BA), "RPC_S_SERVER_UNAVAILABLE", ErrorCode::kBackendUnavailable,
     "the Windows audio service does not answer", kStartService},
    {as_hresult(0x800706BE), "RPC_S_CALL_FAILED", ErrorCode::kBackendUnavailable,
     "the Windows audio service stopped during the call", kStartService},
    {as_hresult(0x800706BF), "RPC_S_CALL_FAILED_DNE", ErrorCode::kBackendUnavailable,
     "the Windows audio service stopped before the call", kStartService},
    {RPC_E_DISCONNECTED, "RPC_E_DISCONNECTED", ErrorCode::kDeviceLost,
     "the system took the device's object away", kReopen},
    {as_hresult(0x800705B4), "ERROR_TIMEOUT", ErrorCode::kTimeout,
     "the system did not answer in time", "try again; restart the device or its driver"},
    {AUDCLNT_E_RAW_MODE_UNSUPPORTED, "AUDCLNT_E_RAW_MODE_UNSUPPORTED", ErrorCode::kUnsupported,
     "the driver has no stream without its effects", "open the device without `raw`"},
    {REGDB_E_CLASSNOTREG, "REGDB_E_CLASSNOTREG", ErrorCode::kBackendUnavailable,
     "this edition of Windows has no Core Audio",
     "on an N or Server edition install the Media Feature Pack or the audio feature"},
    {E_ACCESSDENIED, "E_ACCESSDENIED", ErrorCode::kPermissionDenied, "Windows denies access to it",
     "run the program as a user who may use the device"},
    {AUDCLNT_E_DEVICE_IN_USE, "AUDCLNT_E_DEVICE_IN_USE", ErrorCode::kDeviceBusy,
     "another program uses the device",
     "close that program, or clear \"Allow applications to take exclusive control\" in the "
     "device's "
     "properties"},
    {AUDCLNT_E_CPUUSAGE_EXCEEDED, "AUDCLNT_E_CPUUSAGE_EXCEEDED", ErrorCode::kDeviceBusy,
     "the audio engine has no processor time left for another stream", "close other streams"},
    {AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED, "AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED",
     ErrorCode::kUnsupported, "exclusive mode is turned off for this device",
     "use shared mode, or tick \"Allow applications to take exclusive control\" in the device's "
     "properties"},
    {AUDCLNT_E_UNSUPPORTED_FORMAT, "AUDCLNT_E_UNSUPPORTED_FORMAT", ErrorCode::kFormatUnsupported,
     "the device does not support the requested format",
     "choose another format in the device's properties, request the one that is chosen there, or "
     "use shared mode"},
    {AUDCLNT_E_WRONG_ENDPOINT_TYPE, "AUDCLNT_E_WRONG_ENDPOINT_TYPE", ErrorCode::kDeviceNotFound,
     "the device has the other direction", kListDevices},
    {as_hresult(0x80070490), "ERROR_NOT_FOUND", ErrorCode::kDeviceNotFound,
     "there is no such device", kListDevices},
    {as_hresult(0x80070002), "ERROR_FILE_NOT_FOUND", ErrorCode::kDeviceNotFound,
     "there is no such device", kListDevices},
    {E_NOTIMPL, "E_NOTIMPL", ErrorCode::kUnsupported, "this version of Windows does not support it",
     ""},
    {E_NOINTERFACE, "E_NOINTERFACE", ErrorCode::kUnsupported,
     "this version of Windows does not support it", ""},
    {E_OUTOFMEMORY, "E_OUTOFMEMORY", ErrorCode::kBackend, "the system is out of memory", ""},
    {E_INVALIDARG, "E_INVALIDARG", ErrorCode::kBackend, "the system rejected an argument", ""},
};

}  // namespace

Error to_error(const CallResult& failure, const std::string& attempt,
               const std::string& device_id) {
  char number[16];
  std::snprintf(number, sizeof(number), "0x%08lX", static_cast<unsigned long>(failure.result));
  Error error = Error::make(ErrorCode::kBackend, attempt + " failed with " + number);
  error.syscall = failure.call;
  error.os_code = number;
  error.device_id = device_id;
  for (const Meaning& meaning : kMeanings) {
    if (meaning.result != failure.result) continue;
    error.code = meaning.code;
    error.message = attempt + " failed: " + meaning.reason;
    error.os_code += std::string(" ") + meaning.name;
    error.remedy = meaning.remedy;
    break;
  }
  return error;
}

void explain_denied_microphone(const std::string& attempt, Error* error) {
  if (error->code != ErrorCode::kPermissionDenied) return;
  error->message = attempt + " failed: microphone access is turned off for desktop apps";
  error->remedy =
      "turn on \"Let desktop apps access your microphone\" in Settings > Privacy > Microphone";
}

std::string to_utf8(const wchar_t* text) {
  const int units = static_cast<int>(wcslen(text));
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, text, units, nullptr, 0, nullptr, nullptr);
  std::string utf8(static_cast<size_t>(bytes), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, units, &utf8[0], bytes, nullptr, nullptr);
  return utf8;
}

std::wstring to_wide(const std::string& text) {
  const int bytes = static_cast<int>(text.size());
  const int units = MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0);
  std::wstring wide(static_cast<size_t>(units), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, &wide[0], units);
  return wide;
}

}  // namespace patchcord
