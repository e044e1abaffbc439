// Which backends this build has. The only place that knows them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend.h"

namespace patchcord {

// Names in the order in which they are tried when the app names none: "wasapi" on Windows, "pulse"
// on Linux. "simulated" is not here: a world is given, never chosen silently.
std::vector<std::string> backend_names();

// Connects. Control thread. Unknown name or no server: an error that says what exists and what to
// do.
Error open_host(const std::string& name, std::unique_ptr<Host>* host);

}  // namespace patchcord
