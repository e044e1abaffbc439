// The channel by which a test steers the engine of a process.
#pragma once

#include <cstdint>

#include "engine.h"

namespace patchcord {

// Connects to the test on 127.0.0.1:`port` and carries out its commands, on a separate thread:
//
//   -> hello <pid>            or: hello <pid> error <of the first script>
//   <- play mic tone 1000 0.25
//   -> ok
//
// The library calls the test, not the test the library: so any number of processes can be steered
// at once, none needs its own port, and the test may be the very process that is steered.
void start_control(Engine& engine, uint16_t port);

}  // namespace patchcord
