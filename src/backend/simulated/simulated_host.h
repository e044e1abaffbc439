// The simulated system as a backend.
#pragma once

#include <memory>

#include "../backend.h"
#include "world.h"

namespace patchcord {

// Several hosts may use the same world. The cables that a host made are removed with it. When a
// world's server returns, its old hosts work again.
std::unique_ptr<Host> open_simulated_host(std::shared_ptr<World> world);

}  // namespace patchcord
