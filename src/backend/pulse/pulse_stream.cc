#include "pulse_stream.h"

#include <algorithm>
#include <utility>

#include "../../core/signal/speakers.h"

namespace patchcord {
namespace pulse {
namespace {

constexpr int kQuickReports = 32;
constexpr int64_t kReportInterval = 100 * kNsPerMs;
constexpr size_t kFailed = static_cast<size_t>(-1);  // libpulse's answer

// The positions of a mask's bits.
constexpr int kPositions[kSpeakerBits] = {
    PA_CHANNEL_POSITION_FRONT_LEFT,
    PA_CHANNEL_POSITION_FRONT_RIGHT,
    PA_CHANNEL_POSITION_FRONT_CENTER,
    PA_CHANNEL_POSITION_LFE,
    PA_CHANNEL_POSITION_REAR_LEFT,
    PA_CHANNEL_POSITION_REAR_RIGHT,
    PA_CHANNEL_POSITION_FRONT_LEFT_OF_CENTER,
    PA_CHANNEL_POSITION_FRONT_RIGHT_OF_CENTER,
    PA_CHANNEL_POSITION_REAR_CENTER,
    PA_CHANNEL_POSITION_SIDE_LEFT,
    PA_CHANNEL_POSITION_SIDE_RIGHT,
    PA_CHANNEL_POSITION_TOP_CENTER,
    PA_CHANNEL_POSITION_TOP_FRONT_LEFT,
    PA_CHANNEL_POSITION_TOP_FRONT_CENTER,
    PA_CHANNEL_POSITION_TOP_FRONT_RIGHT,
    PA_CHANNEL_POSITION_TOP_REAR_LEFT,
    PA_CHANNEL_POSITION_TOP_REAR_CENTER,
    PA_CHANNEL_POSITION_TOP_REAR_RIGHT,
};

// The bit of a position. Unknown positions keep the server's order, behind the others.
int bit_of(int position) {
  return static_cast<int>(std::find(std::begin(kPositions), std::end(kPositions), position) -
                          std::begin(kPositions));
}

void sort_as_wave(pa_channel_map* map) {
  std::stable_sort(map->map, map->map + map->channels,
                   [](int a, int b) { return bit_of(a) < bit_of(b); });
}

// The mask of a map in that order. A map with a position that has no bit, or with a position twice,
// has no mask.
uint32_t speakers_of(const pa_channel_map& map) {
  uint32_t mask = 0;
  for (size_t i = 0; i < map.channels; ++i) {
    const int bit = bit_of(map.map[i]);
    if (bit >= kSpeakerBits || (mask >> bit & 1) != 0) return kUsualSpeakers;
    mask |= 1u << bit;
  }
  return mask;
}

pa_sample_format_t server_format(SampleFormat format) {
  switch (format) {
    case SampleFormat::kS16:
      return PA_SAMPLE_S16LE;
    case SampleFormat::kS24:
      return PA_SAMPLE_S24LE;
    case SampleFormat::kS32:
      return PA_SAMPLE_S32LE;
    default:
      return PA_SAMPLE_FLOAT32LE;
  }
}

// The role by which the server's policies recognise a stream. It has no role for speech
// recognition.
const char* role_of(Category category) {
  if (category == Category::kCommunications) return "phone";
  return category == Category::kMedia ? "music" : nullptr;
}

}  // namespace

void PulseStream::end() {
  stop();
  Connection::Lock lock(connection_);
  release();
}

Error PulseStream::create(const char* name, const PulseDevice& device, const OpenOptions& options) {
  if (Error refused = refuse_api(options)) return refused;
  if (options.exclusive) {
    Error error =
        Error::make(ErrorCode::kUnsupported,
                    "The audio server shares every device, so exclusive mode is not possible",
                    "leave shareMode out");
    error.device_id = info_.device_id;
    return error;
  }
  // The device's own rate and channels, in f32 and WAVE's channel order. The engine converts rates;
  // the server converts sample formats exactly.
  info_.format = {device.sample_spec.rate, device.sample_spec.channels,
                  options.format.sample_format};
  const bool demanded = options.format.sample_rate != 0;
  if (demanded && options.format != info_.format) {
    Error error = Error::make(
        ErrorCode::kFormatUnsupported,
        "The device runs at " + std::to_string(device.sample_spec.rate) + " Hz with " +
            std::to_string(device.sample_spec.channels) +
            " channels, which is not the requested format",
        "leave deviceFormat out: the audio is then converted to the format of the device");
    error.device_id = info_.device_id;
    return error;
  }
  grant(options, device);
  info_.realtime = connection_.realtime();
  frame_bytes_ = static_cast<uint32_t>(bytes_per_frame(info_.format));
  const pa_sample_spec spec{server_format(info_.format.sample_format), info_.format.sample_rate,
                            device.sample_spec.channels};
  pa_channel_map map = device.channel_map;
  sort_as_wave(&map);
  info_.speakers = speakers_of(map);
  pa_proplist* const properties = libpulse().pa_proplist_new();
  if (const char* role = role_of(options.category)) {
    libpulse().pa_proplist_sets(properties, "media.role", role);
  }
  // The server remembers volume and mute of streams by their role, or by the name of the program
  // ("node"): a volume that the user set for a telephone, or for another app, would silence this
  // stream. PulseAudio uses this key, WirePlumber the id of an application, unless the stream has a
  // role.
  libpulse().pa_proplist_sets(properties, "module-stream-restore.id",
                              flow_ == Flow::kOutput ? "sink-input-by-application-id:patchcord"
                                                     : "source-output-by-application-id:patchcord");
  libpulse().pa_proplist_sets(properties, "application.id", "patchcord");
  stream_ =
      libpulse().pa_stream_new_with_proplist(connection_.context(), name, &spec, &map, properties);
  libpulse().pa_proplist_free(properties);
  if (!stream_) {
    return connection_.last_error("pa_stream_new_with_proplist", "The stream could not be created");
  }
  libpulse().pa_stream_set_state_callback(stream_, on_state, this);
  libpulse().pa_stream_set_moved_callback(stream_, on_moved, this);
  return Error::none();
}

void PulseStream::grant(const OpenOptions& options, const PulseDevice& device) {
  if (options.category != Category::kOther) {
    info_.granted.category = role_of(options.category) != nullptr
                                 ? Wish::fulfilled()
                                 : Wish::refused("the audio server has no such role");
  }
  info_.echo_cancelled = flow_ == Flow::kInput && device.cancels_echo;
  if (!options.echo_reference.empty()) {
    info_.granted.echo_reference =
        Wish::refused("an echo canceller of the audio server has its own reference");
  }
  if (!options.raw) return;
  // The server itself does not process the audio; sources made for that purpose do.
  if (info_.echo_cancelled) {
    info_.granted.raw =
        Wish::refused("the device is an echo canceller; choose its microphone instead");
  } else if (!connection_.traits().lists_filters) {
    info_.granted.raw = Wish::refused("PipeWire does not report the filters of a device");
  } else {
    info_.granted.raw = Wish::fulfilled();
  }
}

void PulseStream::grant_low_latency(uint32_t usual_frames) {
  const uint32_t period_ms = info_.period_frames * 1000 / info_.format.sample_rate;
  info_.granted.low_latency =
      info_.period_frames < usual_frames
          ? Wish::fulfilled()
          : Wish::refused("the audio server serves the device every " + std::to_string(period_ms) +
                          " ms, the same as without this option");
}

Error PulseStream::await_ready(int connected, const char* function,
                               const Connection::Deadline& deadline) {
  pa_stream_state_t state = PA_STREAM_CREATING;
  while (connected == 0 && !deadline.passed()) {
    state = libpulse().pa_stream_get_state(stream_);
    if (state != PA_STREAM_CREATING) break;
    connection_.wait();
  }
  if (connected == 0 && state == PA_STREAM_CREATING) {
    Error error =
        Error::make(ErrorCode::kTimeout, "The audio server did not open the device in time");
    error.syscall = function;
    error.device_id = info_.device_id;
    return error;
  }
  if (connected != 0 || state != PA_STREAM_READY) {
    Error error = connection_.alive()
                      ? connection_.last_error(function, "The audio server did not open the device")
                      : connection_.lost_error();
    error.device_id = info_.device_id;
    return error;
  }
  // If the device is removed at this moment, the server may connect the stream to another one.
  const char* given = libpulse().pa_stream_get_device_name(stream_);
  if (!pinned_) source_or_sink_ = given ? given : "";
  if (pinned_ && (!given || source_or_sink_ != given)) {
    Error error = Error::make(
        ErrorCode::kDeviceNotFound,
        std::string("The audio server opened another device: ") + (given ? given : "none"));
    error.device_id = info_.device_id;
    return error;
  }
  ready_ = true;
  return Error::none();
}

void PulseStream::release() {
  running_ = false;
  if (!stream_) return;
  libpulse().pa_stream_set_state_callback(stream_, nullptr, nullptr);
  libpulse().pa_stream_set_moved_callback(stream_, nullptr, nullptr);
  libpulse().pa_stream_set_read_callback(stream_, nullptr, nullptr);
  libpulse().pa_stream_set_write_callback(stream_, nullptr, nullptr);
  libpulse().pa_stream_set_underflow_callback(stream_, nullptr, nullptr);
  // The stream lives in the library until the server confirms its end, and would use this object
  // until then.
  if (report_) libpulse().pa_operation_cancel(report_);
  connection_.forget(std::exchange(report_, nullptr));
  libpulse().pa_stream_disconnect(stream_);
  libpulse().pa_stream_unref(stream_);
  stream_ = nullptr;
}

Error PulseStream::set_corked(bool corked) {
  if (lost_) return loss_;
  pa_operation* operation = libpulse().pa_stream_cork(stream_, corked ? 1 : 0, nullptr, nullptr);
  if (!operation) {
    return connection_.alive()
               ? connection_.last_error("pa_stream_cork", "The stream did not start")
               : connection_.lost_error();
  }
  connection_.forget(operation);
  return Error::none();
}

pa_cvolume PulseStream::full_volume() const noexcept {
  pa_cvolume volume{static_cast<uint8_t>(info_.format.channels), {}};
  std::fill(std::begin(volume.values), std::end(volume.values), kNormalVolume);
  return volume;
}

bool PulseStream::ask_timing(bool at_once) noexcept {
  const int64_t now = connection_.clock().now();
  if (report_) return false;
  if (!at_once && reports_asked_ >= kQuickReports && now - asked_at_ < kReportInterval)
    return false;
  report_ = libpulse().pa_stream_update_timing_info(stream_, on_timing, this);
  if (!report_) return false;
  ++reports_asked_;
  asked_at_ = now;
  return true;
}

void PulseStream::on_timing(pa_stream*, int success, void* self) {
  auto* stream = static_cast<PulseStream*>(self);
  stream->connection_.forget(std::exchange(stream->report_, nullptr));
  if (!stream->running_) return;
  const pa_timing_info* report =
      success ? stream->libpulse().pa_stream_get_timing_info(stream->stream_) : nullptr;
  if (!report || report->read_index_corrupt || report->write_index_corrupt) {
    stream->no_timing();
    return;
  }
  // The device of a source has recorded source_usec more than the source queued. Audio that a sink
  // took from the queue, or that its monitor put there, is heard sink_usec later.
  const double device =
      (static_cast<double>(report->source_usec) - static_cast<double>(report->sink_usec)) * 1e-6 *
      stream->info_.format.sample_rate;
  double queued =
      static_cast<double>(report->write_index - report->read_index) / stream->frame_bytes_;
  if (stream->flow_ == Flow::kInput) {
    // The server's own queue cannot be shorter than zero. After PipeWire stood still it delivers up
    // to two seconds of silence that it does not count as recorded.
    const size_t read = stream->libpulse().pa_stream_readable_size(stream->stream_);
    const double here = read != kFailed ? static_cast<double>(read) / stream->frame_bytes_ : 0;
    stream->uncounted_ = std::max(stream->uncounted_, here - queued);
    queued += stream->uncounted_;
  }
  // transport_usec is the time from the request to the server's reading for playback, and from
  // there to here for recording; the report's own timestamp would use the wall clock.
  const int64_t transport = static_cast<int64_t>(report->transport_usec) * 1000;
  const int64_t time = stream->flow_ == Flow::kOutput
                           ? stream->asked_at_ + transport
                           : stream->connection_.clock().now() - transport;
  stream->timing(time, queued, device);
}

void PulseStream::on_state(pa_stream* raw, void* self) {
  auto* stream = static_cast<PulseStream*>(self);
  Connection& connection = stream->connection_;
  connection.wake();
  const pa_stream_state_t state = connection.libpulse().pa_stream_get_state(raw);
  if (!stream->ready_ || (state != PA_STREAM_FAILED && state != PA_STREAM_TERMINATED)) return;
  Error error;
  if (connection.alive()) {
    error =
        connection.last_error("pa_stream_get_state", "The device was removed while it was open");
    error.code = ErrorCode::kDeviceLost;
  } else {
    error = connection.lost_error();
  }
  stream->lose(error);
}

void PulseStream::on_moved(pa_stream* raw, void* self) {
  auto* stream = static_cast<PulseStream*>(self);
  const char* given = stream->libpulse().pa_stream_get_device_name(raw);
  if (!stream->ready_ || !stream->pinned_ || (given && stream->source_or_sink_ == given)) return;
  // PA_STREAM_DONT_MOVE is only a request: PipeWire's session manager may move the stream anyway.
  stream->lose(Error::make(ErrorCode::kDeviceLost,
                           std::string("The audio server moved the stream to another device: ") +
                               (given ? given : "none")));
}

void PulseStream::lose(const Error& error) noexcept {
  if (lost_) return;
  lost_ = true;
  loss_ = error;
  loss_.device_id = info_.device_id;
  if (!running_) return;
  running_ = false;
  lost(loss_);
}

}  // namespace pulse
}  // namespace patchcord
