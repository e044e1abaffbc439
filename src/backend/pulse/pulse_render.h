// Playing to a sink.
#pragma once

#include <memory>

#include "pulse_stream.h"

namespace patchcord {
namespace pulse {

// Control thread. `device`: the sink. `full_volume`: whatever volume the server remembers for this
// program; for cables, where what is written must be what is heard.
Error open_pulse_render(Connection* connection, const PulseDevice& device,
                        const RenderRequest& request, bool full_volume, RenderListener* listener,
                        std::unique_ptr<Stream>* stream);

}  // namespace pulse
}  // namespace patchcord
