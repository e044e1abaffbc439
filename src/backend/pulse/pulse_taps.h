// Taps for the follower of processes: monitor streams of the programs' sink inputs.
#pragma once

#include <memory>

#include "../process_follower.h"
#include "pulse_connection.h"
#include "pulse_events.h"

namespace patchcord {
namespace pulse {

// Control thread. All arguments outlive the taps; the taps are opened on `streams`.
std::unique_ptr<TapSystem> make_pulse_taps(Connection* questions, Connection* streams,
                                           PulseEvents* events);

}  // namespace pulse
}  // namespace patchcord
