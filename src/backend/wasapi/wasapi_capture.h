// Capture from a microphone, or of the sound that an output plays.
#pragma once

#include <memory>

#include "wasapi_stream.h"

namespace patchcord {

std::unique_ptr<StreamWork> make_capture_work(const CaptureRequest& request, Clock* clock,
                                              CaptureListener* listener);

}  // namespace patchcord
