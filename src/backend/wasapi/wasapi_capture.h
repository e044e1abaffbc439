// Capture of a microphone or of what an output plays.
#pragma once

#include <memory>

#include "wasapi_stream.h"

namespace patchcord {

std::unique_ptr<StreamWork> make_capture_work(const CaptureRequest& request, Clock* clock,
                                              CaptureListener* listener);

}  // namespace patchcord
