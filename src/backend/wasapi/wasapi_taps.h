// What programs play: process loopback's streams, one for each tree that is needed, for the
// follower of processes.
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
