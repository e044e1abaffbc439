// Recording from a source, from the monitor of a sink, or of one stream that plays there.
#pragma once

#include <atomic>
#include <memory>

#include "pulse_stream.h"

namespace patchcord {
namespace pulse {

// Control thread. `device`: the source, or for loopback the sink.
Error open_pulse_capture(Connection* connection, const PulseDevice& device,
                         const CaptureRequest& request, CaptureListener* listener,
                         std::unique_ptr<Stream>* stream);

// Records the part of a sink's monitor that comes from one stream.
struct InputCapture {
  PulseDevice sink;
  uint32_t input = kInvalidIndex;  // the sink input's index
  uint32_t fragment_ms = 0;
  int64_t limit = kCallLimit;                      // the longest time that opening may take
  const std::atomic<bool>* interrupted = nullptr;  // as for Connection::Deadline
};

// Any thread that may wait. The recording is lost when the input ends, and on PulseAudio also when
// it moves.
Error open_pulse_input_capture(Connection* connection, const InputCapture& request,
                               CaptureListener* listener, std::unique_ptr<Stream>* stream);

}  // namespace pulse
}  // namespace patchcord
