// Playing to a sink.
#pragma once

#include <memory>

#include "pulse_stream.h"

namespace patchcord {
namespace pulse {

// Control thread. `device`: the sink. The volume is full, whatever the server remembers.
Error open_pulse_render(Connection* connection, const PulseDevice& device,
                        const RenderRequest& request, RenderListener* listener,
                        std::unique_ptr<Stream>* stream);

}  // namespace pulse
}  // namespace patchcord
