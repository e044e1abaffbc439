// Playing to an output.
#pragma once

#include <memory>

#include "wasapi_stream.h"

namespace patchcord {

std::unique_ptr<StreamWork> make_render_work(uint32_t latency_ms, RenderListener* listener);

}  // namespace patchcord
