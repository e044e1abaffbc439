// Process loopback: captures the sound of one tree of processes, or everything else.
#pragma once

#include <memory>

#include "../backend.h"
#include "wasapi_stream.h"

namespace patchcord {

// To capture everything, the tree of a process that plays nothing is excluded.
constexpr uint32_t kSystemProcess = 4;

// Frames are those of `format` as f32: the system converts.
std::unique_ptr<StreamWork> make_process_work(uint32_t pid, bool exclude_tree, const Format& format,
                                              CaptureListener* listener);

// Rewrites the error of a failed activation for the caller, who requested "capturing a program".
Error explain_process_failure(Error error, uint32_t pid);

}  // namespace patchcord
