#include "pulse_meters.h"

#include <algorithm>
#include <cmath>

namespace patchcord {
namespace pulse {
namespace {

constexpr uint32_t kPeaksPerSecond = 50;
constexpr int64_t kFirstPeak = 300 * kNsPerMs;
constexpr int64_t kKept = 3 * kNsPerSecond;

}  // namespace

class PulseMeters::Meter {
 public:
  Meter(Connection* connection, const ProgramStream& input, const PulseDevice& sink)
      : connection_(*connection), sink_(input.device) {
    const LibPulse& pulse = connection_.libpulse();
    const pa_sample_spec spec{PA_SAMPLE_FLOAT32LE, kPeaksPerSecond, 1};
    pa_proplist* properties = pulse.pa_proplist_new();
    stream_ = pulse.pa_stream_new_with_proplist(connection_.context(), "Peak detect", &spec,
                                                nullptr, properties);
    pulse.pa_proplist_free(properties);
    if (!stream_) return;
    pulse.pa_stream_set_read_callback(stream_, on_peaks, this);
    pulse.pa_stream_set_monitor_stream(stream_, input.index);
    const pa_buffer_attr buffer{kServerChooses, kServerChooses, kServerChooses, kServerChooses,
                                sizeof(float)};
    pulse.pa_stream_connect_record(
        stream_, sink.monitor.c_str(), &buffer,
        static_cast<pa_stream_flags_t>(PA_STREAM_PEAK_DETECT | PA_STREAM_ADJUST_LATENCY |
                                       PA_STREAM_DONT_MOVE));
  }
  ~Meter() {
    if (!stream_) return;
    const LibPulse& pulse = connection_.libpulse();
    pulse.pa_stream_set_read_callback(stream_, nullptr, nullptr);
    pulse.pa_stream_disconnect(stream_);
    pulse.pa_stream_unref(stream_);
  }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // If a stream moves, PipeWire moves its meter too, and PulseAudio ends it.
  bool serves(const ProgramStream& input) const {
    if (!stream_ || sink_ != input.device) return false;
    const pa_stream_state_t state = connection_.libpulse().pa_stream_get_state(stream_);
    return state != PA_STREAM_FAILED && state != PA_STREAM_TERMINATED;
  }
  bool has_peak() const { return known_; }
  float take_peak() {
    const float peak = fresh_ ? peak_ : last_;
    fresh_ = false;
    peak_ = 0;
    return peak;
  }

 private:
  static void on_peaks(pa_stream* stream, size_t, void* self) {
    auto* meter = static_cast<Meter*>(self);
    const LibPulse& pulse = meter->connection_.libpulse();
    const void* data = nullptr;
    size_t bytes = 0;
    while (pulse.pa_stream_readable_size(stream) > 0 &&
           pulse.pa_stream_peek(stream, &data, &bytes) == 0 && bytes > 0) {
      const auto* peaks = static_cast<const float*>(data);
      for (size_t i = 0; peaks && i < bytes / sizeof(float); ++i) {
        meter->last_ = std::fabs(peaks[i]);
        meter->peak_ = std::max(meter->peak_, meter->last_);
        meter->known_ = meter->fresh_ = true;
      }
      pulse.pa_stream_drop(stream);
    }
    meter->connection_.wake();
  }

  Connection& connection_;
  const uint32_t sink_;
  pa_stream* stream_ = nullptr;
  float peak_ = 0;  // since the last reading
  float last_ = 0;
  bool known_ = false;  // there has been a peak
  bool fresh_ = false;  // since the last reading
};

PulseMeters::PulseMeters(Connection* connection) : connection_(*connection) {}

PulseMeters::~PulseMeters() {
  if (timer_) connection_.api()->time_free(timer_);
}

std::map<uint32_t, float> PulseMeters::measure(const std::vector<ProgramStream>& inputs,
                                               const std::vector<PulseDevice>& sinks,
                                               const Connection::Deadline& deadline) {
  for (auto it = meters_.begin(); it != meters_.end();) {
    const bool keep = std::any_of(inputs.begin(), inputs.end(), [&](const ProgramStream& input) {
      return input.index == it->first && it->second->serves(input);
    });
    it = keep ? std::next(it) : meters_.erase(it);
  }
  for (const ProgramStream& input : inputs) {
    for (const PulseDevice& sink : sinks) {
      if (sink.index != input.device || meters_.count(input.index) != 0) continue;
      meters_[input.index] = std::make_unique<Meter>(&connection_, input, sink);
    }
  }
  restart_timer();

  // A halted stream has no peaks.
  const auto waits = [&](const ProgramStream& input) {
    const auto meter = meters_.find(input.index);
    return !input.corked && meter != meters_.end() && !meter->second->has_peak();
  };
  const Connection::Deadline first_peak(&connection_, kFirstPeak);
  while (std::any_of(inputs.begin(), inputs.end(), waits) && !first_peak.passed() &&
         !deadline.passed() && connection_.alive()) {
    connection_.wait();
  }
  std::map<uint32_t, float> peaks;
  for (const ProgramStream& input : inputs) {
    const auto meter = meters_.find(input.index);
    if (input.corked) {
      peaks[input.index] = 0;
    } else if (meter != meters_.end() && meter->second->has_peak()) {
      peaks[input.index] = meter->second->take_peak();
    }
  }
  return peaks;
}

void PulseMeters::restart_timer() {
  const LibPulse& pulse = connection_.libpulse();
  const auto due = static_cast<pa_usec_t>((connection_.clock().now() + kKept) / 1000);
  if (timer_) {
    pulse.pa_context_rttime_restart(connection_.context(), timer_, due);
  } else {
    timer_ = pulse.pa_context_rttime_new(connection_.context(), due, on_unused, this);
  }
}

// The answering thread, under the lock.
void PulseMeters::on_unused(pa_mainloop_api* api, pa_time_event* timer, const timeval*,
                            void* self) {
  auto* meters = static_cast<PulseMeters*>(self);
  meters->meters_.clear();
  api->time_free(timer);
  meters->timer_ = nullptr;
}

}  // namespace pulse
}  // namespace patchcord
