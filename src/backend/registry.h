// The backends of this build. No other place knows them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend.h"

namespace patchcord {

// In the order in which they are tried if the app names none: this platform's backend. "simulated"
// is not in the list, because it is never chosen silently.
const std::vector<Backend>& backends();

// Connects to the backend called `name`. Empty: to the first of `known` that connects; if none
// does, the error is that of the first. An unknown name is an error that lists what exists.
// "simulated" is a new world with the standard devices. Control thread.
Error open_host(const std::vector<Backend>& known, const std::string& name,
                std::unique_ptr<Host>* host);

}  // namespace patchcord
