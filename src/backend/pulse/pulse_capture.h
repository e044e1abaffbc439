// Recording from a source, or from the monitor of a sink.
#pragma once

#include <memory>

#include "pulse_stream.h"

namespace patchcord {
namespace pulse {

// Control thread.
Error open_pulse_capture(Connection* connection, const CaptureRequest& request,
                         CaptureListener* listener, std::unique_ptr<Stream>* stream);

}  // namespace pulse
}  // namespace patchcord
