// What programs play: the sum of monitor streams of their sink inputs, which are followed.
#pragma once

#include <memory>

#include "../../core/graph/tap_sums.h"
#include "../backend.h"
#include "pulse_connection.h"
#include "pulse_events.h"

namespace patchcord {
namespace pulse {

// Control thread. `sums` outlives the stream.
Error open_pulse_processes(Connection* connection, PulseEvents* events, TapSums* sums,
                           const ProcessCaptureRequest& request, CaptureListener* listener,
                           TapListener* taps, std::unique_ptr<ProcessStream>* stream);

}  // namespace pulse
}  // namespace patchcord
