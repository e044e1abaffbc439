// The simulated system as a backend.
#pragma once

#include <memory>

#include "../backend.h"
#include "world.h"

namespace patchcord {

// Several hosts may show the same world. What a host made (cables) goes with it. A world whose
// server was gone and is back serves its old hosts again.
std::unique_ptr<Host> open_simulated_host(std::shared_ptr<World> world);

}  // namespace patchcord
