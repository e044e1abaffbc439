// The errors of a simulated audio system.
#pragma once

#include <string>
#include <utility>

#include "../backend.h"

namespace patchcord {

inline Error device_error(ErrorCode code, const DeviceInfo& device, const std::string& what,
                          std::string remedy) {
  Error error = Error::make(code, "device \"" + device.name + "\" " + what, std::move(remedy));
  error.device_id = device.id;
  return error;
}

inline Error server_error() {
  return Error::make(ErrorCode::kBackendUnavailable, "the simulated audio server is gone",
                     "start it with serverBack()");
}

inline Error closed_error() {
  return Error::make(ErrorCode::kBackendUnavailable, "the simulated system has been disposed",
                     "construct another SimulatedAudio");
}

inline Error out_of_range(const std::string& what) {
  return Error::make(ErrorCode::kUnsupported, what);
}

}  // namespace patchcord
