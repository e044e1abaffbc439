// Taps for the follower of processes: streams of process loopback, one for each tree that is
// needed.
#pragma once

#include <memory>

#include "../process_follower.h"
#include "announcer.h"
#include "wasapi_sessions.h"

namespace patchcord {

// Control thread. Taps have the rate and channels of `format`.
std::unique_ptr<TapSystem> make_wasapi_taps(const Format& format,
                                            std::shared_ptr<Announcer> announcer,
                                            std::shared_ptr<SessionBoard> sessions);

}  // namespace patchcord
