#include "source_object.h"

#include "pushed_object.h"
#include "values.h"

namespace patchcord {

Error CaptureSession::open(const std::shared_ptr<HostEntry>& entry, const CaptureRequest& request,
                           StreamInfo* info) {
  std::shared_ptr<Host> host;
  std::unique_ptr<Stream> stream;
  if (Error error = entry->use(&host)) return error;
  if (Error error = host->open_capture(request, this, &stream)) return error;
  return run(std::move(host), std::move(stream), info);
}

Error CaptureSession::open(const std::shared_ptr<HostEntry>& entry,
                           const ProcessCaptureRequest& request, StreamInfo* info) {
  std::shared_ptr<Host> host;
  std::unique_ptr<ProcessStream> stream;
  if (Error error = entry->use(&host)) return error;
  if (Error error = host->open_processes(request, this, this, &stream)) return error;
  processes_ = stream.get();
  return run(std::move(host), std::move(stream), info);
}

Error CaptureSession::open(const std::shared_ptr<HostEntry>& entry, const PushedRequest& request,
                           StreamInfo* info) {
  std::shared_ptr<Host> host;
  std::unique_ptr<Stream> stream;
  if (Error error = entry->use(&host)) return error;
  StreamInfo pushed;
  pushed.format = request.preferred;
  pushed.period_frames = request.period_frames;
  if (Error error = PushedDevice::open(request.device, pushed, this, &stream)) return error;
  return run(std::move(host), std::move(stream), info);
}

Error CaptureSession::run(std::shared_ptr<Host> host, std::unique_ptr<Stream> stream,
                          StreamInfo* info) {
  replace_stream(std::move(host), std::move(stream));
  *info = stream_->info();
  node_->open(info->format, info->timing, info->speakers);
  Error error = stream_->start();
  if (error) leave();
  return error;
}

void CaptureSession::release() noexcept {
  close_stream();
  node_->finish();
}

void CaptureSession::on_packet(const Packet& packet) noexcept {
  node_->packet(packet.data, packet.frames, packet.position, packet.time, packet.discontinuity);
  node_->observe(stream_->endpoint());
}

void CaptureSession::on_idle(bool quiet) noexcept {
  node_->idle(quiet);
  node_->observe(stream_->endpoint());
}

void CaptureSession::on_unanswered() noexcept {
  node_->unanswered();
  node_->observe(stream_->endpoint());
}

void CaptureSession::select(const ProcessSelection& selection) {
  if (stream_ && stream_.get() == processes_) processes_->select(selection);
}

void CaptureSession::on_tap(const TapEvent& event) noexcept {
  {
    std::lock_guard<std::mutex> lock(taps_mutex_);
    taps_.push_back(event);
  }
  wake();
}

std::vector<TapEvent> CaptureSession::take_taps() {
  std::lock_guard<std::mutex> lock(taps_mutex_);
  return std::exchange(taps_, {});
}

Napi::Function SourceObject::define(Napi::Env env) {
  return DefineClass(env, "Source",
                     {
                         InstanceMethod<&SourceObject::open>("open"),
                         InstanceMethod<&SourceObject::open_pushed>("openPushed"),
                         InstanceMethod<&SourceObject::leave>("leave"),
                         InstanceMethod<&SourceObject::open_processes>("openProcesses"),
                         InstanceMethod<&SourceObject::select_processes>("selectProcesses"),
                         InstanceMethod<&SourceObject::take_taps>("takeTaps"),
                         InstanceMethod<&SourceObject::close>("close"),
                         InstanceMethod<&SourceObject::take_events>("takeEvents"),
                         InstanceMethod<&SourceObject::take_error>("takeError"),
                         InstanceMethod<&SourceObject::stats>("stats"),
                         InstanceMethod<&SourceObject::level>("level"),
                         InstanceMethod<&SourceObject::time_at_frame>("timeAt"),
                         InstanceMethod<&SourceObject::frame_at_time>("frameAt"),
                         InstanceMethod<&SourceObject::position>("position"),
                         InstanceMethod<&SourceObject::muted>("muted"),
                         InstanceMethod<&SourceObject::set_enabled>("setEnabled"),
                         InstanceMethod<&SourceObject::stop_at>("stopAt"),
                     });
}

SourceObject::SourceObject(const Napi::CallbackInfo& info) : DeviceObject(info) {
  if (!entry_) return;
  const Napi::Object options = info[1].As<Napi::Object>();
  SourceNode::Config config;
  config.sample_rate = property(options, "sampleRate").As<Napi::Number>().Uint32Value();
  config.channels = property(options, "channels").As<Napi::Number>().Uint32Value();
  config.duration_frames =
      static_cast<uint64_t>(property(options, "durationFrames").As<Napi::Number>().Int64Value());
  config.routing = channel_routing_from(property(options, "channelMap"));
  config.attenuates = property(options, "channelMap").IsString();
  loopback_ = property(options, "loopback").As<Napi::Boolean>();
  config.fills_idle = loopback_;
  config.host_clock = property(options, "hostClock").As<Napi::Boolean>();
  config.start = entry_->clock().now();
  if (property(options, "startTime").IsBigInt()) {
    bool lossless;
    config.start = property(options, "startTime").As<Napi::BigInt>().Int64Value(&lossless);
  }
  config.max_fill = static_cast<int64_t>(
      property(options, "maxFillMs").As<Napi::Number>().DoubleValue() * kNsPerMs);
  config.max_wait = static_cast<int64_t>(
      property(options, "maxWaitMs").As<Napi::Number>().DoubleValue() * kNsPerMs);
  if (config.sample_rate == 0 || config.channels == 0) return;
  waker_ = std::make_unique<Waker>(environment_, info.This().As<Napi::Object>(), info[2]);
  node_ = std::make_shared<SourceNode>(entry_->clock(), config,
                                       std::make_shared<NodeEvents>(waker_->bell()));
  session_ = std::make_shared<CaptureSession>(node_, waker_->bell());
}

// open(deviceId, periodMs, options): Promise<StreamInfo>. A later call replaces the device by
// another one.
Napi::Value SourceObject::open(const Napi::CallbackInfo& info) {
  CaptureRequest request;
  request.kind = loopback_ ? CaptureRequest::Kind::kLoopback : CaptureRequest::Kind::kMicrophone;
  request.device_id = info[0].As<Napi::String>();
  request.options = open_options_from(info[2]);
  return open_device(info.Env(), request, format(), info[1]);
}

// openPushed(pushed, format, periodMs): Promise<StreamInfo>. Like open().
Napi::Value SourceObject::open_pushed(const Napi::CallbackInfo& info) {
  CaptureSession::PushedRequest request;
  const PushedObject* pushed = PushedObject::Unwrap(info[0].As<Napi::Object>());
  if (pushed == nullptr) return info.Env().Undefined();
  request.device = pushed->device();
  return open_device(info.Env(), request, format_from_value(info[1]), info[2]);
}

// openProcesses(selection, periodMs): Promise<StreamInfo>. Like open().
Napi::Value SourceObject::open_processes(const Napi::CallbackInfo& info) {
  ProcessCaptureRequest request;
  request.selection = process_selection_from(info[0]);
  request.max_wait = node_->config().max_wait;
  return open_device(info.Env(), request, format(), info[1]);
}

// selectProcesses(selection): Promise<void>
Napi::Value SourceObject::select_processes(const Napi::CallbackInfo& info) {
  const ProcessSelection selection = process_selection_from(info[0]);
  return environment_->promise(
      info.Env(),
      [session = session_, selection] {
        session->select(selection);
        return Error::none();
      },
      nullptr);
}

// takeTaps(): { type, process, deviceId, time, missedMs, error? }[]
Napi::Value SourceObject::take_taps(const Napi::CallbackInfo& info) {
  static constexpr const char* kTypes[] = {"attached", "detached", "gone",
                                           "failed",   "dead",     "alive"};
  const Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  for (const TapEvent& event : session_->take_taps()) {
    Napi::Object value = Napi::Object::New(env);
    value.Set("type", kTypes[static_cast<size_t>(event.kind)]);
    value.Set("process", process_id_to_value(env, event.process));
    value.Set("deviceId", event.device_id);
    value.Set("time", Napi::BigInt::New(env, event.time));
    value.Set("missedMs", static_cast<double>(event.missed_ns) / kNsPerMs);
    if (event.error) value.Set("error", error_to_value(env, event.error));
    list.Set(count++, value);
  }
  return list;
}

// leave(): Promise<void>. The device is released; the stream continues as silence.
Napi::Value SourceObject::leave(const Napi::CallbackInfo& info) { return leave_device(info.Env()); }

// close(): Promise<void>. The device is released; captured audio can still be read.
Napi::Value SourceObject::close(const Napi::CallbackInfo& info) {
  return close_device(info.Env(), [] {});
}

Napi::Value SourceObject::take_events(const Napi::CallbackInfo& info) {
  return events_to_value(info.Env(), *node_->events());
}

Napi::Value SourceObject::take_error(const Napi::CallbackInfo& info) {
  return take_loss(info.Env());
}

Napi::Value SourceObject::stats(const Napi::CallbackInfo& info) {
  const SourceNode::Stats& stats = node_->stats();
  Napi::Object value = Napi::Object::New(info.Env());
  const auto set = [&value](const char* key, uint64_t count) {
    value.Set(key, static_cast<double>(count));
  };
  set("frames", node_->position());
  set("packets", stats.packets);
  set("discontinuities", stats.holes);
  set("lostFrames", stats.hole_frames);
  set("silentFrames", stats.silence_frames);
  set("skippedFrames", stats.skipped_frames);
  set("trimmedFrames", stats.trimmed_frames);
  set("systemHints", stats.hints);
  value.Set("driftPpm", node_->drift_ppm());
  value.Set("deviceStamps", node_->stamped());
  const EndpointState endpoint = node_->endpoint();
  if (endpoint.known) value.Set("deviceVolume", endpoint.volume);
  if (endpoint.known && endpoint.peak >= 0) value.Set("devicePeakDb", decibels(endpoint.peak));
  return value;
}

Napi::Value SourceObject::level(const Napi::CallbackInfo& info) {
  return level_to_value(info.Env(), node_->meter().snapshot().overall);
}

Napi::Value SourceObject::time_at_frame(const Napi::CallbackInfo& info) {
  return time_at(info.Env(), node_->anchor(), info[0]);
}

Napi::Value SourceObject::frame_at_time(const Napi::CallbackInfo& info) {
  return frame_at(info.Env(), node_->anchor(), info[0]);
}

Napi::Value SourceObject::position(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(node_->position()));
}

Napi::Value SourceObject::muted(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), node_->endpoint().muted);
}

Napi::Value SourceObject::set_enabled(const Napi::CallbackInfo& info) {
  node_->set_enabled(info[0].As<Napi::Boolean>());
  return info.Env().Undefined();
}

Napi::Value SourceObject::stop_at(const Napi::CallbackInfo& info) {
  node_->stop_at(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  return info.Env().Undefined();
}

}  // namespace patchcord
