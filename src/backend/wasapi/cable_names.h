// The virtual cables that are known by the names of their ends. Names are a hint: people rename
// endpoints, and only the driver's hardware id is proof.
#pragma once

#include <string>

#include "../backend.h"

namespace patchcord {

// Whether `name` is an end of a known cable or of a virtual mixer.
bool is_cable_name(const std::string& name, Flow flow);

// Whether what is played to `output` comes out of `input`. A virtual mixer (VoiceMeeter) has no
// fixed pairs: its buses decide, so its ends never match.
bool are_cable_ends(const std::string& output, const std::string& input);

}  // namespace patchcord
