// Recording from a source, from the monitor of a sink, or of one stream that plays there.
#pragma once

#include <memory>

#include "pulse_stream.h"

namespace patchcord {
namespace pulse {

// Control thread.
Error open_pulse_capture(Connection* connection, const CaptureRequest& request,
                         CaptureListener* listener, std::unique_ptr<Stream>* stream);

// Any thread that may wait. `input`: the sink input's index. Lost when it ends; on PulseAudio also
// when it moves.
Error open_pulse_input_capture(Connection* connection, const PulseDevice& sink, uint32_t input,
                               uint32_t fragment_ms, CaptureListener* listener,
                               std::unique_ptr<Stream>* stream);

}  // namespace pulse
}  // namespace patchcord
