#include "sink_object.h"

#include "mixer_object.h"
#include "tap_object.h"
#include "values.h"

namespace patchcord {

Error RenderSession::open(const std::shared_ptr<HostEntry>& entry, const RenderRequest& request,
                          StreamInfo* info) {
  entry_ = entry;
  std::shared_ptr<Host> host;
  std::unique_ptr<Stream> stream;
  if (Error error = entry_->use(&host)) return error;
  if (Error error = host->open_render(request, this, &stream)) return error;
  replace_stream(std::move(host), std::move(stream));
  *info = stream_->info();
  node_->open(info->format, info->fixed_fill ? 0 : request.most_more_ms * kNsPerMs);
  feed(info->device_id);
  Error error = stream_->start();
  if (error) leave();
  return error;
}

void RenderSession::release() noexcept {
  close_stream();
  feed({});
}

// The device fed so far no longer counts as fed; an empty id means that none does. A device that
// was removed counts until then, because its microphone may return before it does.
void RenderSession::feed(const std::string& device_id) {
  if (!fed_.empty()) entry_->fed.erase(entry_->fed.find(fed_));
  fed_ = device_id;
  if (!fed_.empty()) entry_->fed.insert(fed_);
}

void RenderSession::on_render(void* data, uint32_t frames, int64_t play_time) noexcept {
  node_->render(data, frames, play_time);
}

void RenderSession::on_underrun(uint32_t frames, bool here) noexcept {
  node_->underrun(frames, here);
}

Napi::Function SinkObject::define(Napi::Env env) {
  return DefineClass(env, "Sink",
                     {
                         InstanceMethod<&SinkObject::open>("open"),
                         InstanceMethod<&SinkObject::leave>("leave"),
                         InstanceMethod<&SinkObject::fade_out>("fadeOut"),
                         InstanceMethod<&SinkObject::close>("close"),
                         InstanceMethod<&SinkObject::open_written>("openWritten"),
                         InstanceMethod<&SinkObject::open_live>("openLive"),
                         InstanceMethod<&SinkObject::write>("write"),
                         InstanceMethod<&SinkObject::write_live>("writeLive"),
                         InstanceMethod<&SinkObject::clear>("clear"),
                         InstanceMethod<&SinkObject::set_pending>("setPending"),
                         InstanceMethod<&SinkObject::end>("end"),
                         InstanceMethod<&SinkObject::link>("link"),
                         InstanceMethod<&SinkObject::drive>("drive"),
                         InstanceMethod<&SinkObject::unlink>("unlink"),
                         InstanceMethod<&SinkObject::take_events>("takeEvents"),
                         InstanceMethod<&SinkObject::take_error>("takeError"),
                         InstanceMethod<&SinkObject::stats>("stats"),
                         InstanceMethod<&SinkObject::fill_ms>("fillMs"),
                         InstanceMethod<&SinkObject::level>("level"),
                         InstanceMethod<&SinkObject::time_at_frame>("timeAt"),
                         InstanceMethod<&SinkObject::frame_at_time>("frameAt"),
                     });
}

SinkObject::SinkObject(const Napi::CallbackInfo& info) : DeviceObject(info) {
  if (!entry_) return;
  waker_ = std::make_unique<Waker>(environment_, info.This().As<Napi::Object>(), info[1]);
  SinkProcessing processing;
  processing.normalize = is_true(info[2]);
  processing.limiter = is_true(info[3]);
  auto events = std::make_shared<NodeEvents>(waker_->bell());
  node_ = std::make_shared<SinkNode>(entry_->clock(), events, processing);
  written_ = std::make_shared<WrittenQueue>(events);
  session_ = std::make_shared<RenderSession>(node_, waker_->bell());
}

// open(deviceId, format, periodMs, latencyMs, mostLatencyMs, options): Promise<StreamInfo>. A later
// call replaces the device by another one.
Napi::Value SinkObject::open(const Napi::CallbackInfo& info) {
  RenderRequest request;
  request.device_id = info[0].As<Napi::String>();
  request.latency_ms = latency_ms_ = info[3].As<Napi::Number>().Uint32Value();
  request.most_more_ms = info[4].As<Napi::Number>().Uint32Value() - request.latency_ms;
  request.options = open_options_from(info[5]);
  return open_device(info.Env(), request, format_from_value(info[1]), info[2]);
}

// leave(): Promise<void>. The device is released; audio pulled from upstream is discarded.
Napi::Value SinkObject::leave(const Napi::CallbackInfo& info) { return leave_device(info.Env()); }

// close(): Promise<void>. Stops at once.
Napi::Value SinkObject::close(const Napi::CallbackInfo& info) {
  return close_device(info.Env(), [this] { forget(); });
}

// fadeOut(): the sound ends with the next period. Returns the number of ms until the device will
// have played what it holds now.
Napi::Value SinkObject::fade_out(const Napi::CallbackInfo& info) {
  forget();
  return Napi::Number::New(info.Env(), node_->sounds_for_ns() / kNsPerMs);
}

// Nothing is upstream any more.
void SinkObject::forget() {
  disconnect();
  written_ = std::make_shared<WrittenQueue>(node_->events());
  publish();
}

void SinkObject::publish() { node_->publish(written_->opened() ? written_ : nullptr, linked_); }

void SinkObject::disconnect() {
  linked_.reset();
  publish();
  if (driven_) driven_->release_driver();
  driven_.reset();
  if (producer_) producer_->detach(live_->queue().get());
  producer_.reset();
  arrivals_.reset();
  if (live_) links_.keep(*live_);
  live_.reset();
}

// openWritten(format, bufferFrames, startFrames). A later call sets the format of the bytes written
// from then on, which follow the queued ones without a gap.
Napi::Value SinkObject::open_written(const Napi::CallbackInfo& info) {
  WrittenInput::Config config;
  config.format = format_from_value(info[0]);
  config.channel_mask = channel_mask_from(info[0]);
  config.rate = node_->format().sample_rate;
  config.channels = node_->format().channels;
  config.buffer_frames = info[1].As<Napi::Number>().Uint32Value();
  config.start_frames = info[2].As<Napi::Number>().Uint32Value();
  const bool first = !written_->opened();
  written_->open(config);
  if (first) publish();
  return info.Env().Undefined();
}

// openLive(format, bufferFrames): bytes written from now on come from a source with its own clock,
// which is resampled to this device's clock.
Napi::Value SinkObject::open_live(const Napi::CallbackInfo& info) {
  disconnect();
  const Format format = format_from_value(info[0]);
  auto queue = std::make_shared<FrameQueue>(format.channels, format.sample_rate,
                                            info[1].As<Napi::Number>().Uint32Value());
  arrivals_ = std::make_unique<Arrivals>(format, queue, entry_->clock());
  follow(std::move(queue), LiveInput::kUsualPeriods,
         masked_map(format.channels, node_->format().channels, channel_mask_from(info[0])));
  return info.Env().Undefined();
}

// writeLive(bytes): the number of frames for which there was no room
Napi::Value SinkObject::write_live(const Napi::CallbackInfo& info) {
  if (!arrivals_) return Napi::Number::New(info.Env(), 0);
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const size_t frames = bytes.ByteLength() / bytes_per_frame(arrivals_->format());
  if (frames == 0) return Napi::Number::New(info.Env(), 0);
  return Napi::Number::New(info.Env(), static_cast<double>(arrivals_->write(bytes.Data(), frames)));
}

Napi::Value SinkObject::write(const Napi::CallbackInfo& info) {
  if (!written_->opened()) return Napi::Number::New(info.Env(), 0);
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const size_t frames = bytes.ByteLength() / bytes_per_frame(written_->config().format);
  return Napi::Number::New(info.Env(), static_cast<double>(written_->write(bytes.Data(), frames)));
}

// clear(rampMs)
Napi::Value SinkObject::clear(const Napi::CallbackInfo& info) {
  const double ramp_ms = info[0].As<Napi::Number>().DoubleValue();
  written_->clear(static_cast<uint32_t>(ramp_ms * node_->format().sample_rate / 1000));
  return info.Env().Undefined();
}

Napi::Value SinkObject::set_pending(const Napi::CallbackInfo& info) {
  written_->set_pending(info[0].As<Napi::Boolean>());
  return info.Env().Undefined();
}

Napi::Value SinkObject::end(const Napi::CallbackInfo& info) {
  if (arrivals_) arrivals_->end();
  written_->end();
  return info.Env().Undefined();
}

// link(source | mixer, bufferFrames, periodsMs): the stream keeps its own clock and is resampled to
// the device's. The longest packet and the longest request take `periodsMs` together.
Napi::Value SinkObject::link(const Napi::CallbackInfo& info) {
  disconnect();
  ProducerHandle* producer = producer_handle(info[0]);
  if (producer == nullptr) return info.Env().Undefined();
  auto queue = std::make_shared<FrameQueue>(producer->channels(), producer->sample_rate(),
                                            info[1].As<Napi::Number>().Uint32Value());
  producer_ = producer->producer();
  producer_->attach(queue, nullptr);
  follow(std::move(queue), info[2].As<Napi::Number>().DoubleValue() * kNsPerMs);
  return info.Env().Undefined();
}

void SinkObject::follow(std::shared_ptr<FrameQueue> queue, double periods,
                        std::unique_ptr<ChannelMap> map) {
  live_ = std::make_shared<LiveInput>(std::move(queue), node_->format().sample_rate,
                                      node_->format().channels, std::move(map));
  live_->follow_sink(node_->events(), periods);
  linked_ = live_;
  publish();
}

// drive(mixer): this device's clock becomes the mixer's clock; the mixer mixes when the device
// requests frames.
Napi::Value SinkObject::drive(const Napi::CallbackInfo& info) {
  disconnect();
  MixerObject* mixer = MixerObject::Unwrap(info[0].As<Napi::Object>());
  if (mixer == nullptr) return info.Env().Undefined();
  driven_ = mixer->node();
  const MixerNode::Config& config = driven_->config();
  const Format wanted = node_->format();
  if (config.sample_rate == wanted.sample_rate && config.channels == wanted.channels) {
    linked_ = driven_;
  } else {
    linked_ = std::make_shared<RateAdapter>(driven_, config.sample_rate, config.channels,
                                            wanted.sample_rate, wanted.channels);
  }
  publish();
  return info.Env().Undefined();
}

Napi::Value SinkObject::unlink(const Napi::CallbackInfo& info) {
  disconnect();
  return info.Env().Undefined();
}

Napi::Value SinkObject::take_events(const Napi::CallbackInfo& info) {
  return events_to_value(info.Env(), *node_->events());
}

Napi::Value SinkObject::take_error(const Napi::CallbackInfo& info) { return take_loss(info.Env()); }

Napi::Value SinkObject::stats(const Napi::CallbackInfo& info) {
  const SinkNode::Stats& stats = node_->stats();
  Napi::Object value = Napi::Object::New(info.Env());
  const auto set = [&value](const char* key, double number) { value.Set(key, number); };
  set("frames", static_cast<double>(node_->position()));
  double silent_frames = static_cast<double>(stats.silent_frames);
  set("discardedFrames", static_cast<double>(stats.discarded_frames));
  double underruns = static_cast<double>(stats.underruns);
  double underrun_frames = static_cast<double>(stats.underrun_frames);
  if (written_->opened()) {
    const WrittenQueue::Totals written = written_->totals();
    set("writtenFrames", static_cast<double>(written.written_frames));
    set("playedFrames", static_cast<double>(written.played_frames));
    set("queuedFrames", static_cast<double>(written.queued_frames));
    set("writtenRate", written_->config().format.sample_rate);
    underruns += static_cast<double>(written.underruns);
    underrun_frames += static_cast<double>(written.underrun_frames);
    silent_frames += static_cast<double>(written.silent_frames);
  }
  set("silentFrames", silent_frames);
  if (live_) {
    set("linkDriftPpm", live_->ppm());
    set("lagMs", live_->lag_ns() * 1e-6);
  }
  links_.tell(value, live_.get());
  set("underruns", underruns);
  set("underrunFrames", underrun_frames);
  set("deviceLatencyMs", node_->lead_ns() * 1e-6);
  set("heldMs", (node_->held_ns() + written_->held_ns()) * 1e-6);
  set("driftPpm", node_->drift_ppm());
  return value;
}

// The fill that the device is asked to hold now.
Napi::Value SinkObject::fill_ms(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           latency_ms_ + static_cast<double>(node_->more_fill()) / kNsPerMs);
}

Napi::Value SinkObject::level(const Napi::CallbackInfo& info) {
  return level_to_value(info.Env(), node_->level());
}

Napi::Value SinkObject::time_at_frame(const Napi::CallbackInfo& info) {
  return time_at(info.Env(), node_->anchor(), info[0]);
}

Napi::Value SinkObject::frame_at_time(const Napi::CallbackInfo& info) {
  return frame_at(info.Env(), node_->anchor(), info[0]);
}

}  // namespace patchcord
