// The moving part of the simulated world: one sample clock, one audio task, and the devices that
// run on it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../../core/error.h"
#include "../../core/shown.h"
#include "../../core/signal/format.h"
#include "../../core/time/clock.h"
#include "../backend.h"
#include "command_list.h"
#include "held_packets.h"
#include "recording.h"
#include "sample_clock.h"
#include "signal.h"

namespace patchcord {

// The card's audio thread counts, any thread reads.
struct DeviceStats {
  int64_t position = 0;          // frames on the device's counter when the last period ended
  uint64_t wakes = 0;            // periods served
  uint64_t late_wakes = 0;       // wakes that a fault delayed
  uint64_t lost_frames = 0;      // lost by glitches, stalls, and wakes later than kCaptureBufferNs
  uint64_t underrun_frames = 0;  // total of the render streams
};

// How late a wake may be without a loss: the audio that the system buffers for its clients.
constexpr int64_t kCaptureBufferNs = kNsPerSecond;

constexpr int64_t kMaxDelayNs = 10 * kNsPerSecond;
constexpr double kMaxDriftPpm = 100000;

// The usual period.
inline uint32_t ten_ms(const Format& format) { return format.sample_rate / 100; }

// One device, or the two of a cable: the input (side 1) records what the output (side 0) plays.
//
// A period is `period` frames on the card's counter. At its end the audio thread wakes. First,
// capture streams get the audio recorded in it; then the data for the next period are taken from
// the render streams, which are asked for the one after. So a render stream is always one period
// ahead, or as many more as it may hold (RenderListener::more_fill()). A wake that the machine
// delays is caught up as if it had been in time; only a scripted fault starves a render stream.
//
// The methods are for the control thread and for scripts; the audio thread runs the task's step.
// They share only the command list, so the step neither locks nor allocates.
class Card {
 public:
  static constexpr size_t kOutputSide = 0;

  struct Side {
    Flow flow = Flow::kInput;
    bool idle_silence = false;  // for a loopback: packets flagged silent instead of none
  };

  // One stream of the engine. The audio thread owns everything except `active`.
  struct Client {
    virtual ~Client() = default;
    virtual void tell_lost(const Error& error) noexcept = 0;
    bool on() const noexcept { return running && active.load(std::memory_order_seq_cst); }

    std::atomic<bool> active{false};  // from start() to stop(): required for every callback
    bool running = false;
    bool told = false;
    int64_t from = 0;                   // beginning of the first period that it takes part in
    std::shared_ptr<const Error> lost;  // the reason why it is over
  };
  struct CaptureClient final : Client {
    explicit CaptureClient(CaptureListener* l) : listener(l) {}
    void tell_lost(const Error& error) noexcept override { listener->on_lost(error); }

    CaptureListener* const listener;
  };
  struct RenderClient final : Client {
    // `ahead` has room for so many periods of so many bytes.
    RenderClient(RenderListener* l, size_t bytes, size_t periods)
        : listener(l), period_bytes(bytes), most(periods), ahead(bytes * periods) {}
    void tell_lost(const Error& error) noexcept override { listener->on_lost(error); }

    RenderListener* const listener;
    const size_t period_bytes, most;
    std::vector<uint8_t> ahead;  // a ring of periods in the device's format
    size_t first = 0;            // the first period that was requested and not yet played,
    size_t ready = 0;            // and their number
    bool starved = false;        // it had nothing for the current period
    uint32_t missed = 0;         // frames of silence that were played and not reported to it yet
  };

  Card(Clock& clock, const Format& format, uint32_t period_frames, double ppm, int64_t phase_ns,
       uint64_t seed, const std::vector<Side>& sides);
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;

  void attach(size_t side, std::shared_ptr<CaptureClient> client);
  void attach(size_t side, std::shared_ptr<RenderClient> client);
  void detach(size_t side, const std::shared_ptr<CaptureClient>& client);
  void detach(size_t side, const std::shared_ptr<RenderClient>& client);
  void start(size_t side, std::shared_ptr<CaptureClient> client);
  void start(size_t side, std::shared_ptr<RenderClient> client);
  // After it returns, no callback of the client runs and none will come. Not from a callback.
  void stop(std::shared_ptr<Client> client);
  // Ends every stream of the side.
  void lose(size_t side, Error error);

  // A null signal ends the program's sound.
  void play(size_t side, const std::string& program, SignalPtr signal);
  void end_programs(size_t side);
  // Whether a program makes sound there now or within the next 10 ms.
  bool sounds(size_t side) const;
  // An absent device neither records nor plays.
  void set_present(size_t side, bool present);
  void set_volume(size_t side, double volume, bool muted);
  void set_dead(size_t side, bool dead);
  void set_drift(double ppm);
  // After lose(): the data of the streams are in the old format.
  void set_format(const Format& format, uint32_t period_frames);
  void glitch(size_t side, int64_t frames);
  void stall(size_t side, bool stalled);
  void late(int64_t by_ns);
  // Audio captured in the next `by_ns` is delivered together at their end, without a loss.
  void delay(size_t side, int64_t by_ns);
  void jitter(int64_t up_to_ns);
  void stamps(size_t side, int64_t offset_ns, int64_t jitter_ns);
  void record(size_t side, std::shared_ptr<Recording> recording);

  DeviceStats stats(size_t side) const;
  // Any thread. The meter shows the device's sound even while its streams get zeros.
  EndpointState endpoint(size_t side) const { return devices_[side].endpoint.load(); }

 private:
  // A program that plays to an output, or the sound around a microphone.
  struct Program {
    std::string name;
    SignalPtr signal;
    int64_t begun;  // when
    int64_t origin = kNoPosition;
  };

  // The lists that the audio thread iterates. It swaps in whole lists, so that only the posting
  // thread allocates and frees.
  struct Members {
    std::vector<std::shared_ptr<Program>> programs;
    std::vector<std::shared_ptr<CaptureClient>> captures;
    std::vector<std::shared_ptr<RenderClient>> renders;
  };

  struct Counters {
    std::atomic<int64_t> position{0};
    std::atomic<uint64_t> wakes{0};
    std::atomic<uint64_t> late_wakes{0};
    std::atomic<uint64_t> lost_frames{0};
    std::atomic<uint64_t> underrun_frames{0};
  };

  struct Device {
    Side side;
    Members members;
    std::shared_ptr<Recording> recording;
    std::vector<float> heard;   // the sound of the current period, before the volume
    std::vector<float> played;  // the output of the last period, after the volume
    bool sounding = false;      // something plays in the current period, even if it is zeros
    bool starved = false;       // a render stream had nothing for the current period
    bool present = true;
    bool dead = false;
    float volume = 1.0f;
    bool muted = false;
    Shown<EndpointState> endpoint;
    int64_t lost_from = 0;  // [lost_from, lost_until): frames that the system loses
    int64_t lost_until = 0;
    int64_t stamp_offset = 0;
    int64_t stamp_jitter = 0;
    HeldPackets held;
    Counters counters;
  };

  // Memory for one period.
  struct Buffers {
    Buffers(const Format& format, uint32_t period_frames, size_t sides);
    std::vector<std::vector<float>> heard;
    std::vector<std::vector<float>> played;
    std::vector<float> scratch;
    std::vector<uint8_t> wire;
  };

  struct Span {
    int64_t from;
    int64_t until;
    int64_t frames() const { return until - from; }
  };

  void post(std::function<void()> command);
  void publish(size_t side);

  // Audio thread.
  int64_t step(int64_t now) noexcept;
  bool needed() const noexcept;
  void awake() noexcept;
  void catch_up() noexcept;
  void skip_to(int64_t start) noexcept;
  void begin_period(int64_t start, bool refill) noexcept;
  void fill(int64_t until) noexcept;
  void end_period() noexcept;
  void end_output(Device& device) noexcept;
  void end_input(Device& device) noexcept;
  void deliver(Device& device, const float* samples, bool present) noexcept;
  void measure(Device& device, const float* samples) noexcept;
  void take(Device& device, RenderClient& client, bool refill) noexcept;
  void ask(Device& device, RenderClient& client) noexcept;
  void tell(Client& client) noexcept;
  int64_t next_wake() noexcept;
  Span lost_in_period(const Device& device) const noexcept;
  int64_t stamp(const Device& device, int64_t time) const noexcept;
  int64_t random(int64_t up_to, uint64_t salt) const noexcept;
  int64_t period_end() const noexcept { return period_start_ + period_; }
  int64_t frame_now() const noexcept { return period_start_ + filled_; }
  size_t samples_in_period() const noexcept {
    return static_cast<size_t>(period_) * format_.channels;
  }

  Clock& clock_;
  mutable std::mutex posting_;  // orders the posting threads; the audio thread never takes it
  std::array<Members, 2> posted_members_;  // the lists after all posted commands have run
  CommandList commands_;
  std::atomic<uint64_t> turns_{0};  // odd while a step runs

  // Used only by the audio thread from here on.
  const uint64_t seed_;
  const size_t sides_;
  Format format_;
  uint32_t period_;
  SampleClock samples_;
  std::array<Device, 2> devices_;
  std::vector<float> scratch_;
  std::vector<uint8_t> wire_;
  int64_t now_ = 0;           // of the current step
  bool asleep_ = true;        // there is neither a stream nor a recording: periods are not counted
  int64_t grid_ = 0;          // a frame at which a period begins
  int64_t period_start_ = 0;  // of the current period: its first frame,
  int64_t period_time_ = 0;   // its first instant,
  uint32_t filled_ = 0;       // and the frames filled so far
  int64_t held_until_ = 0;    // a fault delays the wake until then
  int64_t late_by_ = 0;       // and delays the next one by this
  int64_t jitter_ = 0;

  std::unique_ptr<Clock::Task> task_;  // last: destroyed before the members that it uses
};

}  // namespace patchcord
