// class Source: a capture stream.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <vector>

#include "../backend/pushed_device.h"
#include "../core/graph/source_node.h"
#include "device_object.h"
#include "producer_handle.h"

namespace patchcord {

// The parts that run while the device is open: the system's stream and the node that it feeds.
class CaptureSession final : public CaptureListener, public TapListener, public DeviceSession {
 public:
  CaptureSession(std::shared_ptr<SourceNode> node, std::shared_ptr<Bell> bell)
      : DeviceSession(std::move(bell)), node_(std::move(node)) {}

  // Control thread. Replaces the open device; if it fails, the open one continues.
  Error open(const std::shared_ptr<HostEntry>& entry, const CaptureRequest& request,
             StreamInfo* info);
  Error open(const std::shared_ptr<HostEntry>& entry, const ProcessCaptureRequest& request,
             StreamInfo* info);
  // A device that another process holds, in the format of the request.
  struct PushedRequest {
    std::shared_ptr<PushedDevice> device;
    Format preferred;
    uint32_t period_frames = 0;
  };
  Error open(const std::shared_ptr<HostEntry>& entry, const PushedRequest& request,
             StreamInfo* info);
  void select(const ProcessSelection& selection);  // if a stream of processes is open
  void release() noexcept override;

  void on_packet(const Packet& packet) noexcept override;
  void on_idle(bool quiet) noexcept override;
  void on_unanswered() noexcept override;
  void on_replaced(int64_t position, uint64_t frames) noexcept override {
    node_->replaced(position, frames);
  }
  bool live() const noexcept override { return node_->has_live_consumer(); }
  void on_lost(const Error& error) noexcept override { tell_lost(error); }
  void on_tap(const TapEvent& event) noexcept override;
  std::vector<TapEvent> take_taps();  // any thread; the events of processes since the last call

 protected:
  void stand_in() noexcept override { node_->absent(); }

 private:
  Error run(std::shared_ptr<Host> host, std::unique_ptr<Stream> stream, StreamInfo* info);

  const std::shared_ptr<SourceNode> node_;
  ProcessStream* processes_ = nullptr;  // the stream, if it is one of processes
  std::mutex taps_mutex_;
  std::vector<TapEvent> taps_;
};

class SourceObject final : public DeviceObject<SourceObject, CaptureSession>,
                           public ProducerHandle {
 public:
  static Napi::Function define(Napi::Env env);
  // (host, { sampleRate, channels, loopback, hostClock, startTime?, durationFrames }, onWake)
  explicit SourceObject(const Napi::CallbackInfo& info);

  std::shared_ptr<Producer> producer() const override { return node_; }
  uint32_t sample_rate() const override { return node_->config().sample_rate; }
  uint32_t channels() const override { return node_->config().channels; }

 private:
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value open_pushed(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);
  Napi::Value open_processes(const Napi::CallbackInfo& info);
  Napi::Value select_processes(const Napi::CallbackInfo& info);
  Napi::Value take_taps(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value take_error(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value level(const Napi::CallbackInfo& info);
  Napi::Value time_at_frame(const Napi::CallbackInfo& info);
  Napi::Value frame_at_time(const Napi::CallbackInfo& info);
  Napi::Value position(const Napi::CallbackInfo& info);
  Napi::Value muted(const Napi::CallbackInfo& info);
  Napi::Value set_enabled(const Napi::CallbackInfo& info);
  Napi::Value stop_at(const Napi::CallbackInfo& info);

  Format format() const { return {sample_rate(), channels(), SampleFormat::kF32}; }

  std::shared_ptr<SourceNode> node_;
  bool loopback_ = false;
};

}  // namespace patchcord
