// What programs play: monitor streams of their sink inputs, for the follower of processes.
#pragma once

#include <memory>

#include "../process_follower.h"
#include "pulse_connection.h"
#include "pulse_events.h"

namespace patchcord {
namespace pulse {

// Control thread. All of it outlives the taps; `streams` is where they are opened.
std::unique_ptr<TapSystem> make_pulse_taps(Connection* questions, Connection* streams,
                                           PulseEvents* events);

}  // namespace pulse
}  // namespace patchcord
