// Records a microphone through DirectSound.
#pragma once

#include <memory>

#include "wasapi_stream.h"

namespace patchcord {

std::unique_ptr<StreamWork> make_directsound_work(const CaptureRequest& request, Clock* clock,
                                                  CaptureListener* listener);

}  // namespace patchcord
