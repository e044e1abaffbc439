// A filter in the engine: it processes what is pushed into it at once, on the same audio thread,
// and pushes the result to its own consumers.
#pragma once

#include <memory>
#include <vector>

#include "../shown.h"
#include "../signal/fade.h"
#include "../signal/filter.h"
#include "../signal/level_meter.h"
#include "../time/anchor.h"
#include "node_events.h"
#include "producer.h"
#include "receiver.h"

namespace patchcord {

class FilterNode final : public Receiver, public Producer {
 public:
  // `events` receives kInputEnded, and kProgress every `progress_frames` (0: never).
  FilterNode(std::unique_ptr<Filter> filter, uint64_t progress_frames,
             std::shared_ptr<NodeEvents> events = std::make_shared<NodeEvents>());

  // JS thread, while nothing is linked: whether the stream ends with the next producer linked.
  void set_ends(bool ends) { ends_ = ends; }

  // Upstream's producer thread.
  void push(const float* samples, const Record& record) noexcept override;
  void end() noexcept override;
  size_t room() const noexcept override { return SIZE_MAX; }
  bool live() const noexcept override { return has_live_consumer(); }
  void hold(bool held) noexcept override { hold_consumers(held); }
  void rest(bool rests) noexcept override { rest_consumers(rests); }

  // JS thread, when nothing is linked any more: delivers what is held back, then the end.
  void finish() noexcept;

  // Any thread.
  uint64_t held_frames() const { return held_; }  // input frames that have not come out yet
  Anchor anchor() const { return anchor_.load(); }
  const LevelMeter& meter() const { return meter_; }
  uint64_t taken() const { return taken_; }        // frames that came in
  uint64_t position() const { return position_; }  // frames delivered
  const std::shared_ptr<NodeEvents>& events() const { return events_; }

 private:
  void pass(const float* samples, uint64_t frames, uint32_t flags) noexcept;
  const float* faded(const float* samples, size_t frames) noexcept;
  void pass_silence(uint64_t frames, uint32_t flags) noexcept;
  void emit(const float* samples, uint64_t frames, uint32_t flags) noexcept;
  void flush() noexcept;

  const std::unique_ptr<Filter> filter_;
  const uint64_t progress_frames_;
  const std::shared_ptr<NodeEvents> events_;
  const double in_per_out_;
  bool ends_ = false;
  bool ended_ = false;
  Fade fade_;              // of the input, because another stream may be linked at any time
  uint64_t expected_ = 0;  // the next frame of the present one
  std::vector<float> in_, out_;
  // When the producer recorded the input frame `timed_`, and the input's true rate.
  double time_ = 0, rate_ = 0;
  uint64_t timed_ = 0;
  bool pauses_ = false;    // as in Record
  uint64_t progress_ = 0;  // output frame of the last kProgress
  Counter taken_;          // input frames so far
  Counter position_;
  Shown<Anchor> anchor_;
  Counter held_;
  LevelMeter meter_;
};

}  // namespace patchcord
