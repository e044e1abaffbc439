// Records a microphone through MME (waveIn), the interface of Windows 3.
#pragma once

#include <memory>

#include "wasapi_stream.h"

namespace patchcord {

std::unique_ptr<StreamWork> make_mme_work(const CaptureRequest& request, Clock* clock,
                                          CaptureListener* listener);

}  // namespace patchcord
