// Process loopback: what one tree of processes plays, or everything else.
#pragma once

#include <memory>

#include "../backend.h"
#include "wasapi_stream.h"

namespace patchcord {

// "Everything that plays" is everything but the tree of a process that plays nothing.
constexpr uint32_t kSystemProcess = 4;

// Frames are those of `format` as f32: the system converts.
std::unique_ptr<StreamWork> make_process_work(uint32_t pid, bool exclude_tree, const Format& format,
                                              CaptureListener* listener);

// What a failed activation means to the caller, who knows it as "capturing a program".
Error explain_process_failure(Error error, uint32_t pid);

}  // namespace patchcord
