// Playing to an output.
#pragma once

#include <memory>

#include "wasapi_stream.h"

namespace patchcord {

std::unique_ptr<StreamWork> make_render_work(const RenderRequest& request,
                                             RenderListener* listener);

}  // namespace patchcord
