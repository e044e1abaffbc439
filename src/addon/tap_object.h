// class Tap: the position of one JavaScript consumer in a producer's stream.
#pragma once

#include <napi.h>

#include <limits>
#include <memory>
#include <vector>

#include "../core/graph/frame_queue.h"
#include "../core/signal/dither.h"
#include "environment.h"
#include "producer_handle.h"

namespace patchcord {

// The producer side of a Source, Mixer or Filter object.
ProducerHandle* producer_handle(const Napi::Value& object);

class TapObject final : public Napi::ObjectWrap<TapObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // (source | mixer | filter, bufferFrames, sampleFormat, label, onData). `label` is a Float64Array
  // into which read() writes: [first frame, its time in ns, flags, how many losses takeLosses()
  // has]. The producer's object must outlive the tap: TypeScript references it.
  explicit TapObject(const Napi::CallbackInfo& info);
  ~TapObject() override;

 private:
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value take_losses(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  void detach();

  // Frames for which this consumer was too slow.
  struct Loss {
    uint64_t frame = 0, frames = 0;
  };
  void follow_loss(const FrameQueue::Span& span);
  void end_loss();

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Producer> producer_;
  std::shared_ptr<FrameQueue> queue_;  // until close()
  uint64_t lost_frames_ = 0;           // after it
  Loss loss_;                          // the loss that is being read
  std::vector<Loss> losses_;           // earlier ones that were not taken yet
  // The last chunk's time, ns. The simulated clock has times before 0.
  double time_ = -std::numeric_limits<double>::infinity();
  std::unique_ptr<Waker> waker_;
  SampleFormat format_ = SampleFormat::kF32;
  Napi::Reference<Napi::Float64Array> label_;
  bool dithered_ = false;
  Dither dither_;
};

}  // namespace patchcord
