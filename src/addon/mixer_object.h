// class Mixer and class MixerInput, as JavaScript sees them.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "../core/graph/mixer_node.h"
#include "environment.h"
#include "link_counters.h"
#include "producer_handle.h"

namespace patchcord {

class MixerObject final : public Napi::ObjectWrap<MixerObject>, public ProducerHandle {
 public:
  static Napi::Function define(Napi::Env env);
  // ({ sampleRate, channels, latencyMs, maxWaitMs, limiter }, onWake)
  explicit MixerObject(const Napi::CallbackInfo& info);
  ~MixerObject() override;

  std::shared_ptr<Producer> producer() const override { return node_; }
  uint32_t sample_rate() const override { return node_->config().sample_rate; }
  uint32_t channels() const override { return node_->config().channels; }

  const std::shared_ptr<MixerNode>& node() const { return node_; }
  std::vector<MixerNode::Input>& inputs() { return inputs_; }
  void publish() { node_->publish(inputs_); }
  void stop_pump() { pump_.reset(); }

 private:
  // The mix, and what JavaScript learns of it.
  struct Mix final : MixerNode::Listener {
    Mix(const MixerNode::Config& config, std::shared_ptr<Waker> told)
        : waker(std::move(told)), node(config, this) {}
    void on_replaced(uint64_t frame, uint64_t frames) noexcept override {
      events.push({NodeEventType::kHole, frame, frames});
      waker->wake();
    }

    const std::shared_ptr<Waker> waker;
    NodeEvents events;
    MixerNode node;
  };

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
  std::shared_ptr<Waker> waker_;
  std::shared_ptr<MixerNode> node_;     // of a Mix
  std::shared_ptr<NodeEvents> events_;  // of the same
  std::vector<MixerNode::Input> inputs_;
  std::unique_ptr<Clock::Task> pump_;
  std::shared_ptr<HostEntry> pump_host_;  // whose clock the pump runs on
  bool finished_ = false;
};

class MixerInputObject final : public Napi::ObjectWrap<MixerInputObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // (mixer, onWake, startFrame, latencyMs)
  explicit MixerInputObject(const Napi::CallbackInfo& info);
  ~MixerInputObject() override;

 private:
  MixerNode::Input* entry();
  void disconnect();
  Napi::Value link(const Napi::CallbackInfo& info);
  Napi::Value open_written(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value set_pending(const Napi::CallbackInfo& info);
  Napi::Value end(const Napi::CallbackInfo& info);
  Napi::Value unlink(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value set_gain(const Napi::CallbackInfo& info);
  Napi::Value set_pan(const Napi::CallbackInfo& info);
  Napi::Value set_muted(const Napi::CallbackInfo& info);
  Napi::Value level(const Napi::CallbackInfo& info);
  Napi::Value take_events(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);

  std::shared_ptr<Environment> environment_;
  MixerObject* mixer_ = nullptr;
  Napi::ObjectReference mixer_reference_;
  std::unique_ptr<Waker> waker_;
  NodeEvents events_;
  std::shared_ptr<InputControls> controls_;
  std::shared_ptr<LiveInput> live_;
  LinkCounters links_;
  std::shared_ptr<WrittenInput> written_;
  std::shared_ptr<Producer> producer_;  // of the linked stream
};

}  // namespace patchcord
