// What programs play: monitor streams of their sink inputs, for the follower of processes.
#pragma once

#include <memory>

#include "../process_follower.h"
#include "pulse_connection.h"
#include "pulse_events.h"

namespace patchcord {
namespace pulse {

// Control thread. Both outlive it.
std::unique_ptr<TapSystem> make_pulse_taps(Connection* connection, PulseEvents* events);

}  // namespace pulse
}  // namespace patchcord
