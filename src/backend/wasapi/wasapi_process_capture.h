// What programs play: the sum of process loopback's streams, one for each tree that is needed.
#pragma once

#include <memory>

#include "../../core/graph/tap_sums.h"
#include "../backend.h"
#include "announcer.h"
#include "wasapi_sessions.h"

namespace patchcord {

// Control thread. Where process loopback does not exist at all this says so. `sums` outlives the
// stream.
Error open_wasapi_processes(const ProcessCaptureRequest& request,
                            std::shared_ptr<Announcer> announcer,
                            std::shared_ptr<SessionBoard> sessions, TapSums* sums,
                            CaptureListener* listener, TapListener* taps,
                            std::unique_ptr<ProcessStream>* stream);

}  // namespace patchcord
