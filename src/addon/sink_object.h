// class Sink: a render stream.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/graph/arrivals.h"
#include "../core/graph/live_input.h"
#include "../core/graph/mixer_node.h"
#include "../core/graph/sink_node.h"
#include "device_object.h"
#include "link_counters.h"

namespace patchcord {

class RenderSession final : public RenderListener, public DeviceSession {
 public:
  RenderSession(std::shared_ptr<SinkNode> node, std::shared_ptr<Bell> bell)
      : DeviceSession(std::move(bell)), node_(std::move(node)) {}

  // Control thread. Replaces the open device; if it fails, the open one continues.
  Error open(const std::shared_ptr<HostEntry>& entry, const RenderRequest& request,
             StreamInfo* info);
  void release() noexcept override;

  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override;
  void on_underrun(uint32_t frames, bool here) noexcept override;
  void on_lost(const Error& error) noexcept override { tell_lost(error); }
  int64_t more_fill() const noexcept override { return node_->more_fill(); }

 protected:
  void stand_in() noexcept override { node_->absent(); }

 private:
  void feed(const std::string& device_id);

  const std::shared_ptr<SinkNode> node_;
  std::shared_ptr<HostEntry> entry_;
  std::string fed_;
};

class SinkObject final : public DeviceObject<SinkObject, RenderSession> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SinkObject(const Napi::CallbackInfo& info);  // (host, onWake)

 private:
  void publish();
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);
  Napi::Value fade_out(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value open_written(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value open_live(const Napi::CallbackInfo& info);
  Napi::Value write_live(const Napi::CallbackInfo& info);
  Napi::Value clear(const Napi::CallbackInfo& info);
  Napi::Value set_pending(const Napi::CallbackInfo& info);
  Napi::Value end(const Napi::CallbackInfo& info);
  Napi::Value link(const Napi::CallbackInfo& info);
  Napi::Value drive(const Napi::CallbackInfo& info);
  Napi::Value unlink(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value take_error(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value fill_ms(const Napi::CallbackInfo& info);
  Napi::Value level(const Napi::CallbackInfo& info);
  Napi::Value time_at_frame(const Napi::CallbackInfo& info);
  Napi::Value frame_at_time(const Napi::CallbackInfo& info);
  void disconnect();
  void forget();
  void follow(std::shared_ptr<FrameQueue> queue, double periods,
              std::unique_ptr<ChannelMap> map = nullptr);

  std::shared_ptr<SinkNode> node_;
  uint32_t latency_ms_ = 0;  // the fill with which the device was opened
  std::shared_ptr<WrittenQueue> written_;
  std::shared_ptr<Pullable> linked_;
  std::shared_ptr<LiveInput> live_;  // the link, if its stream has its own clock
  LinkCounters links_;
  std::shared_ptr<Producer> producer_;  // of live_
  std::unique_ptr<Arrivals> arrivals_;  // used instead for audio that JavaScript writes
  std::shared_ptr<MixerNode> driven_;   // the mixer that this sink pulls
};

}  // namespace patchcord
