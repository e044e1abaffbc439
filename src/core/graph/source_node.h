// A capture stream in the engine: takes a device's packets and delivers a contiguous timeline of
// f32 frames, in the requested rate and channels, to every consumer.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "../shown.h"
#include "../signal/converter.h"
#include "../signal/fade.h"
#include "../signal/format.h"
#include "../signal/level_meter.h"
#include "../signal/ramp.h"
#include "../time/anchor.h"
#include "../time/clock.h"
#include "../time/steady_rate.h"
#include "../time/timeline.h"
#include "host_clock.h"
#include "life_signs.h"
#include "losses.h"
#include "node_events.h"
#include "producer.h"
#include "silence.h"
#include "silences.h"

namespace patchcord {

class SourceNode final : public Producer {
 public:
  struct Config {
    uint32_t sample_rate = 48000;
    uint32_t channels = 2;
    int64_t start = 0;             // instant of frame 0
    uint64_t duration_frames = 0;  // ends after exactly that many; 0: when stopped
    bool fills_idle = false;       // loopback: silence by the clock while nothing plays
    // The stream has exactly sample_rate frames per second of the host's clock instead of the
    // device's.
    bool host_clock = false;
    // ns. Longer holes, above all the machine's sleep, are left out: the stream's times step.
    int64_t max_fill = 60 * kNsPerSecond;
    int64_t max_wait = kMaxWait;  // ns. The longest wait for a packet.
    bool metered = true;          // JavaScript may read levels
    ChannelRouting routing{};     // of the device's channels; none: the usual routing
    bool attenuates = false;      // the usual routing, so quiet that it never exceeds full scale
  };

  struct Stats {
    Counter packets;
    Counter holes;
    Counter hole_frames;  // lost by the device or the system, or while there was no device
    // Before the device was open, and while an endpoint was idle; without frames that proved to be
    // lost.
    Counter silence_frames;
    Counter skipped_frames;  // left out because there was nothing for longer than max_fill
    Counter trimmed_frames;  // arrived after their place had been filled
    Counter hints;           // discontinuities that the system announced
  };

  SourceNode(Clock& clock, const Config& config,
             std::shared_ptr<NodeEvents> events = std::make_shared<NodeEvents>());

  // Control thread, before a device runs. Called again for each device that takes over: the
  // timeline continues. `speakers`: as for device_map().
  void open(const Format& device, const DeviceTiming& timing = {},
            uint32_t speakers = kUsualSpeakers);

  // Audio thread.
  void packet(const void* data, uint32_t frames, int64_t position, int64_t time,
              bool discontinuity) noexcept;
  // `quiet`: the system says that nothing plays.
  void idle(bool quiet) noexcept;
  // The system does not answer.
  void unanswered() noexcept;
  // The system replaced `frames` by silence, because they were too late for it; `position` is as in
  // a packet.
  void replaced(int64_t position, uint64_t frames) noexcept;
  // After packet() and idle(): what the system reports about the device.
  void observe(const EndpointState& endpoint) noexcept;
  // The clock's thread, about every 10 ms while there is no device: delivers silence by the clock.
  void absent() noexcept;

  // Control thread, when the device no longer runs: the stream ends here.
  void finish() noexcept;

  // Any thread.
  const Config& config() const { return config_; }
  Clock& clock() { return clock_; }
  const Stats& stats() const { return stats_; }
  Anchor anchor() const { return anchor_.load(); }
  const LevelMeter& meter() const { return meter_; }
  uint64_t position() const { return position_; }  // frames delivered
  double drift_ppm() const { return drift_ppm_.load(std::memory_order_relaxed); }
  bool stamped() const { return stamped_.load(std::memory_order_relaxed); }
  void set_enabled(bool enabled) {
    enabled_.store(enabled, std::memory_order_relaxed);
    gate_.set(enabled ? 1.0f : 0.0f, fade_frames_);
  }
  // The stream ends after this frame, or after the frames delivered so far if that is later.
  void stop_at(uint64_t frame) { end_.store(frame, std::memory_order_relaxed); }
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  const std::shared_ptr<NodeEvents>& events() const { return events_; }
  EndpointState endpoint() const { return endpoint_.load(); }

 private:
  void hole(uint64_t frame, uint64_t frames, bool continued) noexcept;
  void settle_losses() noexcept;
  void lost(uint64_t frame, uint64_t frames) noexcept;
  void give_up() noexcept;
  bool is_overdue(int64_t wait) const noexcept;
  void idle_for(int64_t wait) noexcept;
  void hold(bool held) noexcept;
  void leave() noexcept;
  void come_back() noexcept;
  void fill_absence(double until) noexcept;
  void leave_out(int64_t seconds) noexcept;
  uint32_t follow_leap(uint32_t frames) noexcept;
  void silence(uint64_t device_frames, uint32_t flags) noexcept;
  void convert(const uint8_t* data, size_t frames, uint32_t flags) noexcept;
  void emit(float* samples, uint64_t frames, uint32_t flags) noexcept;
  bool pass_gate(float* samples, size_t frames) noexcept;
  void give(float* samples, Record record) noexcept;
  void end_stream() noexcept;
  void tell(NodeEventType type, uint64_t frame, uint64_t frames) noexcept;
  void set_anchor() noexcept;
  uint64_t to_output(uint64_t device_frames) const noexcept;
  double time_at(double frame) const noexcept;
  double true_rate() const noexcept;

  Clock& clock_;
  const Config config_;
  bool held_ = false;  // the system does not answer
  const std::shared_ptr<NodeEvents> events_;
  Format device_;
  double ratio_ = 1;    // output frames per device frame
  uint64_t first_ = 0;  // the stream's frame that is this device's frame 0
  std::unique_ptr<Timeline> timeline_;
  std::unique_ptr<SteadyRate> rate_;  // the device's
  std::unique_ptr<Converter> converter_;
  // steers the converter; null: the stream follows the device's clock
  std::unique_ptr<HostClock> host_;
  uint64_t ringing_ = 0;  // zeros until the converter contains no sound
  std::vector<float> raw_, out_;
  Fade device_fade_;  // of the device's audio: a step is removed before a converter would smear it
  Fade fade_;         // of the stream
  bool cut_ = true;   // the next packet begins in the middle of its sound
  const uint32_t fade_frames_;
  Ramp gate_{1};
  LevelMeter meter_;
  Stats stats_;
  Shown<Anchor> anchor_;
  LifeSigns life_;  // of the device
  Shown<EndpointState> endpoint_;
  Losses losses_;
  Silences silences_;
  Counter position_;
  std::atomic<double> drift_ppm_{0};
  std::atomic<bool> stamped_{true};
  std::atomic<bool> enabled_{true};
  std::atomic<uint64_t> end_;
  bool sounds_ = false;     // the present packet is not all zeros
  bool away_ = false;       // the last device that delivered is gone
  uint64_t away_from_ = 0;  // the first frame that no device delivered
  int64_t back_at_ = 0;     // when the next device was first reported; kNever: not yet
  bool skipping_ = false;   // the last packet was too late as a whole
  bool ended_ = false;
  int64_t left_out_ = 0;  // s, total
};

}  // namespace patchcord
