// class Mixer and class MixerInput of JavaScript.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "../core/graph/mixer_node.h"
#include "environment.h"
#include "link_counters.h"
#include "producer_handle.h"

namespace patchcord {

// A mixer and its inputs, which outlives the JavaScript objects, whichever is collected first. JS
// thread.
struct Mix final : MixerNode::Listener {
  Mix(const MixerNode::Config& config, std::shared_ptr<Bell> bell)
      : events(std::make_shared<NodeEvents>(std::move(bell))), node(config, this) {}

  void on_replaced(uint64_t frame, uint64_t frames) noexcept override {
    events->push({NodeEventType::kHole, frame, frames});
  }
  void on_missed(uint64_t frame, uint64_t frames, bool filled) noexcept override {
    events->push({filled ? NodeEventType::kHole : NodeEventType::kLeftOut, frame, frames});
  }
  void publish() { node.publish(inputs); }

  const std::shared_ptr<NodeEvents> events;
  MixerNode node;
  std::vector<MixerNode::Input> inputs;
};

// Mixes by a clock while no sink pulls.
class PumpSession final : public Session {
 public:
  PumpSession(Clock& clock, std::shared_ptr<MixerNode> node);
  void release() noexcept override { task_.reset(); }

 private:
  std::unique_ptr<Clock::Task> task_;
};

class MixerObject final : public Napi::ObjectWrap<MixerObject>, public ProducerHandle {
 public:
  static Napi::Function define(Napi::Env env);
  // ({ sampleRate, channels, latencyMs, maxWaitMs, limiter, endWhenInputsEnd }, onWake)
  explicit MixerObject(const Napi::CallbackInfo& info);
  ~MixerObject() override;

  std::shared_ptr<Producer> producer() const override { return node_; }
  uint32_t sample_rate() const override { return node_->config().sample_rate; }
  uint32_t channels() const override { return node_->config().channels; }

  const std::shared_ptr<MixerNode>& node() const { return node_; }
  const std::shared_ptr<Mix>& mix() const { return mix_; }

 private:
  void stop_pump();
  Napi::Value start_pump(const Napi::CallbackInfo& info);
  Napi::Value mix_written(const Napi::CallbackInfo& info);
  Napi::Value written_out(const Napi::CallbackInfo& info);
  Napi::Value finish(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value level(const Napi::CallbackInfo& info);
  Napi::Value time_at_frame(const Napi::CallbackInfo& info);
  Napi::Value frame_at_time(const Napi::CallbackInfo& info);
  Napi::Value position(const Napi::CallbackInfo& info);

  std::shared_ptr<Environment> environment_;
  std::unique_ptr<Waker> waker_;
  std::shared_ptr<Mix> mix_;
  std::shared_ptr<MixerNode> node_;       // of the mix
  std::shared_ptr<HostEntry> pump_host_;  // the host whose clock the pump uses
  std::shared_ptr<PumpSession> pump_;
  bool finished_ = false;
};

class MixerInputObject final : public Napi::ObjectWrap<MixerInputObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // (mixer, onWake, startFrame, latencyMs, duck?)
  explicit MixerInputObject(const Napi::CallbackInfo& info);
  ~MixerInputObject() override;

 private:
  MixerNode::Input* entry();
  void disconnect();
  void leave();
  void duck(const Napi::Object& options);
  Napi::Value link(const Napi::CallbackInfo& info);
  Napi::Value open_written(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value set_pending(const Napi::CallbackInfo& info);
  Napi::Value end(const Napi::CallbackInfo& info);
  Napi::Value unlink(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value stay(const Napi::CallbackInfo& info);
  Napi::Value set_gain(const Napi::CallbackInfo& info);
  Napi::Value set_pan(const Napi::CallbackInfo& info);
  Napi::Value set_muted(const Napi::CallbackInfo& info);
  Napi::Value level(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Mix> mix_;  // null: not, or no longer, an input
  std::unique_ptr<Waker> waker_;
  std::shared_ptr<NodeEvents> events_ = std::make_shared<NodeEvents>();
  std::shared_ptr<InputControls> controls_;
  std::shared_ptr<LiveInput> live_;
  LinkCounters links_;
  std::shared_ptr<WrittenInput> written_;
  std::shared_ptr<Producer> producer_;  // of the linked stream
};

}  // namespace patchcord
