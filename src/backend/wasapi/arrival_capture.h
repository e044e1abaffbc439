// Records a microphone through one of the interfaces that Windows had before WASAPI. They report
// neither positions nor timestamps, so the time of a packet is the time of its arrival.
#pragma once

#include "../../core/time/arrival_losses.h"
#include "wasapi_stream.h"

namespace patchcord {

class ArrivalCapture : public StreamWork {
 public:
  ArrivalCapture(const CaptureRequest& request, Clock* clock, CaptureListener* listener)
      : options_(request.options), clock_(*clock), listener_(*listener) {}

  Flow flow() const override { return Flow::kInput; }
  const char* attempt() const override { return "opening the device"; }
  int64_t longest_wait_ns() const override { return 10 * kNsPerMs; }
  void lost(const Error& error) noexcept override { listener_.on_lost(error); }

  CallResult open(IMMDevice* device, HANDLE wake, StreamInfo* info) override;
  CallResult start() override;
  CallResult turn(Gate* gate, bool signalled) noexcept override;

 protected:
  virtual const char* api() const = 0;
  // Finds the device in this interface.
  virtual CallResult find(IMMDevice* device) = 0;
  // A refused format has AUDCLNT_E_UNSUPPORTED_FORMAT; another one is then tried.
  virtual CallResult connect(const WAVEFORMATEX* wave, HANDLE wake) = 0;
  virtual CallResult run() = 0;
  // Delivers what has arrived.
  virtual CallResult drain(Gate* gate) noexcept = 0;

  // `behind`: how many bytes arrived after the end of `data`.
  void deliver(Gate* gate, const void* data, uint32_t bytes, uint32_t behind) noexcept;
  int64_t now() const noexcept { return clock_.now(); }

 private:
  CallResult connect_in_some_format(IMMDevice* device, HANDLE wake, StreamInfo* info);

  const OpenOptions options_;
  Clock& clock_;
  CaptureListener& listener_;
  ComPtr<IMMDevice> device_;
  uint32_t frame_bytes_ = 1;
  uint32_t sample_rate_ = 1;
  int64_t position_ = 0;
  int64_t last_packet_ = 0;
  int64_t last_look_ = 0;
  ArrivalLosses losses_{1};
};

}  // namespace patchcord
