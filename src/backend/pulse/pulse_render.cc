#include "pulse_render.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace patchcord {
namespace pulse {
namespace {

// A sink without hardware adds up the lengths of the pieces that it reads, each cut to a whole
// microsecond. It also ends a piece at the end of one of ours. If those ends are not the ends of
// its periods, its pieces become ever shorter, and it runs fast by up to 300 ppm (16.1).
constexpr char kNullSink[] = "module-null-sink.c";

// How long audio takes to reach the server: at least the first on a machine that is not busy, and
// no more than the second is waited for.
constexpr int64_t kQuickTransport = 3 * kNsPerMs;
constexpr int64_t kSlowTransport = 50 * kNsPerMs;

class PulseRender final : public PulseStream {
 public:
  PulseRender(Connection* connection, RenderListener* listener)
      : PulseStream(connection, Flow::kOutput), listener_(*listener) {}
  ~PulseRender() override { end(); }

  Error open(const PulseDevice& device, const RenderRequest& request);
  Error start() override;
  void stop() override;

 private:
  void lost(const Error& error) noexcept override { listener_.on_lost(error); }
  void timing(int64_t time, double queued, double device) noexcept override;
  void no_timing() noexcept override;
  pa_buffer_attr wanted_buffer() const noexcept;
  void adjust() noexcept;
  size_t filling() const noexcept;
  void fill() noexcept;
  // frames that the device played without data from this stream
  void fill_behind(int64_t passed) noexcept;
  int64_t frames_in(int64_t ns) const noexcept {
    return ns / 1000 * info_.format.sample_rate / 1000000;
  }
  int64_t too_late(int64_t left) const noexcept;
  void report_cut() noexcept;
  void check_resumed(const pa_timing_info& server) noexcept;
  void check() noexcept;
  void skip(int64_t frames) noexcept;
  int64_t stamp() noexcept;
  void write(size_t frames, int64_t skip_frames) noexcept;
  static void on_writable(pa_stream*, size_t, void* self);
  static void on_underflow(pa_stream*, void* self);
  static void on_begin(pa_mainloop_api*, pa_defer_event*, void* self);
  void cancel_begin() noexcept;

  RenderListener& listener_;
  std::optional<StreamTiming> timing_;
  pa_defer_event* begin_ = nullptr;
  // The fill requested of the server, how much more after underruns, and the size of a request, in
  // frames.
  uint32_t fill_ = 0, more_ = 0, step_ = 0;
  int64_t grain_ = 1;     // frames are skipped in multiples of it
  int64_t position_ = 0;  // frames given to the server, or played without data from this stream
  bool dry_ = false;      // the server reported an underrun, and nothing has been written since
  // The server's index in its report of that underrun; below 0: unknown.
  int64_t dry_at_ = 0;
  int64_t wrote_at_ = 0;  // when audio was last written
  // The server's indexes at which the newest portions of audio begin.
  static constexpr size_t kPortions = 8;
  std::array<int64_t, kPortions> portions_{};
  size_t portion_ = 0;  // the newest of them
  // PipeWire: the server's index at which audio after an underrun begins, until it is known whether
  // it came in time; below 0: it is.
  int64_t resumed_ = -1;
  int64_t ahead_ = 0;  // how long before it is heard a frame must be written, ns
  // Whether to ask the server how much has passed before writing anything.
  enum class Check { kNone, kDue, kAsked } check_ = Check::kNone;
  int64_t refilled_ = 0;  // the server's index of the end of the last refill
  bool skipped_ = false;  // the device played without our data, and nothing has been written since
};

Error PulseRender::open(const PulseDevice& device, const RenderRequest& request) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit);
  info_.device_id = request.device_id;
  source_or_sink_ = device.name;
  Error error = create("Playback", device, request.options);
  if (error) return error;
  libpulse().pa_stream_set_write_callback(stream_, on_writable, this);
  libpulse().pa_stream_set_underflow_callback(stream_, on_underflow, this);

  const uint32_t rate = info_.format.sample_rate;
  const uint32_t fill = std::max<uint32_t>(1, request.latency_ms * rate / 1000);
  const uint32_t period =
      static_cast<uint32_t>(uint64_t{request.period_frames} * rate / request.preferred.sample_rate);
  // The server keeps two requests in the queue, so a third of the fill is the largest that fits.
  const uint32_t usual =
      std::max<uint32_t>(1, std::min(std::max(period, kUsualPeriodMs * rate / 1000), fill / 3));
  step_ = std::min(usual, std::max<uint32_t>(1, period));
  // A late wake may use up the audio that is in the queue when the server requests more: that
  // amount stays the same.
  fill_ = fill - usual + step_;
  pa_buffer_attr buffer = wanted_buffer();
  const pa_cvolume volume = full_volume();
  const int flags = PA_STREAM_START_CORKED | PA_STREAM_ADJUST_LATENCY | PA_STREAM_DONT_MOVE |
                    PA_STREAM_START_UNMUTED;
  const int connected = libpulse().pa_stream_connect_playback(
      stream_, source_or_sink_.c_str(), &buffer, static_cast<pa_stream_flags_t>(flags), &volume,
      nullptr);
  if ((error = await_ready(connected, "pa_stream_connect_playback", deadline))) return error;

  const pa_buffer_attr* granted = libpulse().pa_stream_get_buffer_attr(stream_);
  info_.period_frames = granted->minreq / frame_bytes_;
  info_.buffer_frames = granted->tlength / frame_bytes_;
  if (device.driver == kNullSink && connection_.traits().null_sink_has_grain) {
    grain_ = std::max(info_.period_frames, 1u);
  }
  if (request.options.low_latency) grant_low_latency(usual);
  return Error::none();
}

// No pre-buffering: the stream follows the device's clock from the start, also through an underrun.
// The listener decides what is heard first.
pa_buffer_attr PulseRender::wanted_buffer() const noexcept {
  return {kServerChooses, (fill_ + more_) * frame_bytes_, 0, step_ * frame_bytes_, kServerChooses};
}

// Each change is a message to the server, which then requests the difference at once, or requests
// less until the queue has shrunk. So the fill changes by whole milliseconds.
void PulseRender::adjust() noexcept {
  const auto more_ms = static_cast<uint32_t>(listener_.more_fill() / kNsPerMs);
  const uint32_t more = more_ms * info_.format.sample_rate / 1000;
  if (more == more_) return;
  more_ = more;
  const pa_buffer_attr buffer = wanted_buffer();
  connection_.forget(libpulse().pa_stream_set_buffer_attr(stream_, &buffer, nullptr, nullptr));
}

// How much the server now keeps in its queue.
size_t PulseRender::filling() const noexcept {
  return libpulse().pa_stream_get_buffer_attr(stream_)->tlength / frame_bytes_;
}

Error PulseRender::start() {
  Connection::Lock lock(connection_);
  if (running_) return Error::none();
  if (lost_) return loss_;
  timing_.emplace(info_.format.sample_rate, connection_.traits().dropped_ns);
  restart_timing();
  refilled_ = 0;
  resumed_ = -1;
  portions_.fill(0);
  dry_ = skipped_ = false;
  check_ = Check::kNone;
  running_ = true;
  // The listener is called on the audio thread only: that thread fills the buffer and starts.
  begin_ = connection_.api()->defer_new(connection_.api(), on_begin, this);
  return Error::none();
}

void PulseRender::stop() {
  Connection::Lock lock(connection_);
  if (!running_) return;
  running_ = false;
  cancel_begin();
  set_corked(true);
  connection_.forget(libpulse().pa_stream_flush(stream_, nullptr, nullptr));
}

void PulseRender::on_begin(pa_mainloop_api*, pa_defer_event*, void* self) {
  auto* render = static_cast<PulseRender*>(self);
  render->cancel_begin();
  if (!render->running_) return;
  render->fill();
  if (Error error = render->set_corked(false)) {
    render->lose(error);
    return;
  }
  render->ask_timing();
}

void PulseRender::cancel_begin() noexcept {
  if (begin_) connection_.api()->defer_free(begin_);
  begin_ = nullptr;
}

void PulseRender::on_writable(pa_stream*, size_t, void* self) {
  auto* render = static_cast<PulseRender*>(self);
  if (!render->running_ || render->begin_) return;
  render->fill();
  render->ask_timing();
}

void PulseRender::on_underflow(pa_stream* stream, void* self) {
  auto* render = static_cast<PulseRender*>(self);
  // The server may report an underrun that fill() has already detected by the clock. Below 0: the
  // position is unknown.
  const int64_t at = render->libpulse().pa_stream_get_underflow_index(stream);
  if (at >= 0 && at < render->refilled_) return;
  render->dry_ = true;
  render->dry_at_ = at;
}

// Fills the queue up to its target. A device that underran continued without our data, and would
// drop audio written for the time that has passed, so that much is skipped. Our clock shows how
// much, before all the server's requests have arrived. If the server's graph may have stood still
// instead, the queue is as full as before, and the server's clock is late until enough reports have
// shown it. Silence written by that clock would be requested that much later, and be late by as
// much again; there the server reports how much was missed.
//
// A sink takes audio from the queue before it is heard. So the queue may be empty although all of
// its audio has not been heard yet: then the server is asked, too.
void PulseRender::fill() noexcept {
  const int64_t play_time = timing_->time_of(position_);
  if (play_time == kNoTime) return fill_behind(0);
  report_cut();
  const int64_t left = play_time - connection_.clock().now();
  const bool graph_stops = connection_.traits().graph_stops;
  if (!graph_stops && (left <= 0 || dry_)) {
    check_ = Check::kNone;
    return fill_behind(too_late(left));
  }
  const bool in_doubt = graph_stops ? left < 0 || dry_ : left <= ahead_;
  if (in_doubt && check_ == Check::kNone) check_ = Check::kDue;
  if (check_ == Check::kNone) {
    fill_behind(0);
    if (resumed_ >= 0) ask_timing(true);
    return;
  }
  check();
}

// The frames that come too late for the sink, if the next one is to be heard in `left` ns.
int64_t PulseRender::too_late(int64_t left) const noexcept {
  const int64_t frames = frames_in(std::max<int64_t>(0, ahead_ - left));
  return (frames + grain_ - 1) / grain_ * grain_;
}

// If the server reports an underrun after audio was written behind it, the beginning of that audio
// came too late. PulseAudio reports where the silence began, PipeWire where its first part ended.
void PulseRender::report_cut() noexcept {
  const pa_timing_info* server = dry_ ? libpulse().pa_stream_get_timing_info(stream_) : nullptr;
  if (!server || server->write_index_corrupt || dry_at_ < 0) return;
  const int64_t behind = (server->write_index - dry_at_) / frame_bytes_;
  if (behind <= 0) return;  // nothing has been written since
  dry_ = false;
  if (connection_.traits().graph_stops) {
    // The silence began at the end of a portion, before the next one was written.
    resumed_ = 0;
    for (const int64_t from : portions_) {
      if (from < dry_at_) resumed_ = std::max(resumed_, from);
    }
    return;
  }
  const int64_t began = timing_->time_of(position_ - behind);
  const int64_t cut = std::min(behind, frames_in(wrote_at_ + ahead_ - began));
  listener_.on_underrun(static_cast<uint32_t>(std::max<int64_t>(0, cut)), false);
}

// PipeWire restarts its count of played frames when an underrun begins, and when it ends. So a
// report after the end shows whether the audio that was written for that moment came in time.
void PulseRender::check_resumed(const pa_timing_info& server) noexcept {
  if (resumed_ < 0 || server.write_index_corrupt || server.read_index <= resumed_) return;
  const bool all = server.read_index >= server.write_index;
  const int64_t played_from = server.read_index - server.since_underrun;
  const int64_t most = int64_t{info_.buffer_frames} * frame_bytes_;
  // The underrun has not ended, unless it ended before that audio.
  if (!all && played_from < resumed_ && server.read_index - resumed_ < most) return;
  const int64_t cut = (all ? server.write_index : played_from) - std::exchange(resumed_, -1);
  if (cut <= 0) return;
  listener_.on_underrun(static_cast<uint32_t>(cut / frame_bytes_), false);
}

// A report under way was requested earlier: its content is too old.
void PulseRender::check() noexcept {
  if (check_ == Check::kDue && ask_timing(true)) check_ = Check::kAsked;
}

void PulseRender::fill_behind(int64_t passed) noexcept {
  const size_t writable = libpulse().pa_stream_writable_size(stream_);
  if (writable == static_cast<size_t>(-1) || writable < frame_bytes_) return;
  const bool resumes = passed > 0 || dry_;
  if (resumes) listener_.on_underrun(static_cast<uint32_t>(passed), true);
  dry_ = false;
  adjust();
  const pa_timing_info* server = libpulse().pa_stream_get_timing_info(stream_);
  wrote_at_ = connection_.clock().now();
  if (server) {
    portion_ = (portion_ + 1) % kPortions;
    portions_[portion_] = server->write_index + passed * int64_t{frame_bytes_};
    if (resumes && connection_.traits().graph_stops) resumed_ = portions_[portion_];
  }
  if (passed == 0) return write(writable / frame_bytes_, 0);
  // The queue is empty: it gets one filling. The library subtracts what the server requested to
  // bridge the gap, or will request; more would be audio that has not been played yet.
  if (server && !server->write_index_corrupt) {
    refilled_ =
        server->write_index + (passed + static_cast<int64_t>(filling())) * int64_t{frame_bytes_};
  }
  skip(passed);
  write(filling(), passed);
}

void PulseRender::skip(int64_t frames) noexcept {
  position_ += frames;
  skipped_ = true;
}

// The time of the next frame. The listener does not count skipped frames, so it gets the new
// position at once.
int64_t PulseRender::stamp() noexcept {
  const int64_t newest = timing_->take_stamp(position_);
  return std::exchange(skipped_, false) && newest == kNoTime ? timing_->time_of(position_) : newest;
}

void PulseRender::write(size_t frames, int64_t skip_frames) noexcept {
  const LibPulse& pulse = libpulse();
  while (frames > 0) {
    const size_t most = std::min<size_t>(frames, info_.period_frames);
    void* data = nullptr;
    size_t room = most * frame_bytes_;
    if (pulse.pa_stream_begin_write(stream_, &data, &room) != 0 || !data) return;
    const size_t piece = std::min(room / frame_bytes_, most);
    if (piece == 0) return;
    listener_.on_render(data, static_cast<uint32_t>(piece), stamp());
    const size_t length = piece * frame_bytes_;
    if (pulse.pa_stream_write(stream_, data, length, nullptr, skip_frames * frame_bytes_,
                              PA_SEEK_RELATIVE) != 0) {
      return;
    }
    skip_frames = 0;
    position_ += static_cast<int64_t>(piece);
    frames -= piece;
  }
}

void PulseRender::timing(int64_t time, double queued, double device) noexcept {
  const pa_timing_info* server = libpulse().pa_stream_get_timing_info(stream_);
  if (server) {
    const auto sink = static_cast<int64_t>(server->configured_sink_usec) * 1000;
    ahead_ = std::min(sink, int64_t{info_.buffer_frames} * kNsPerSecond / info_.format.sample_rate);
    ahead_ += std::clamp(2 * (time - asked_at_), kQuickTransport, kSlowTransport);
    check_resumed(*server);
  }
  const int64_t stalled = timing_->observe(time, static_cast<double>(position_) - queued + device);
  if (stalled > 0) {
    // The server stopped taking frames and did not say so (PipeWire).
    skip(stalled);
    listener_.on_underrun(static_cast<uint32_t>(stalled), false);
  }
  if (check_ == Check::kAsked) {
    // If the queue is empty, the server's position in it continues past ours.
    check_ = Check::kNone;
    const int64_t now = connection_.clock().now();
    const bool empty = queued <= static_cast<double>(frames_in(now - time));
    if (connection_.traits().graph_stops) {
      fill_behind(std::max<int64_t>(0, std::llround(-queued)));
    } else {
      fill_behind(empty ? too_late(timing_->time_of(position_) - now) : 0);
    }
  }
  check();
}

void PulseRender::no_timing() noexcept {
  if (check_ == Check::kNone) return;
  check_ = Check::kNone;
  fill_behind(0);
}

}  // namespace

Error open_pulse_render(Connection* connection, const PulseDevice& device,
                        const RenderRequest& request, RenderListener* listener,
                        std::unique_ptr<Stream>* stream) {
  auto render = std::make_unique<PulseRender>(connection, listener);
  if (Error error = render->open(device, request)) return error;
  *stream = std::move(render);
  return Error::none();
}

}  // namespace pulse
}  // namespace patchcord
