// A device whose packets come as a traced stream got them.
#pragma once

#include <memory>

#include "../../../src/backend/backend.h"
#include "packet_queue.h"
#include "trace_file.h"

namespace patchcord {

// Each sample is that of a tone at its position, so that a lost frame is heard. `format`: f32.
std::unique_ptr<Stream> make_replay(std::shared_ptr<const Trace> trace, const Format& format,
                                    PacketQueue* packets);

}  // namespace patchcord
