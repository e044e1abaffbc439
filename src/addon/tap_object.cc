#include "tap_object.h"

#include <algorithm>

#include "filter_object.h"
#include "mixer_object.h"
#include "source_object.h"
#include "values.h"

namespace patchcord {

ProducerHandle* producer_handle(const Napi::Value& object) {
  const Napi::Object value = object.As<Napi::Object>();
  const Napi::Value kind = value.Get("kind");  // sources have none
  if (!kind.IsString()) return SourceObject::Unwrap(value);
  if (kind.As<Napi::String>().Utf8Value() == "filter") return FilterObject::Unwrap(value);
  return MixerObject::Unwrap(value);
}

Napi::Function TapObject::define(Napi::Env env) {
  return DefineClass(env, "Tap",
                     {
                         InstanceMethod<&TapObject::read>("read"),
                         InstanceMethod<&TapObject::close>("close"),
                         InstanceMethod<&TapObject::stats>("stats"),
                     });
}

TapObject::TapObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TapObject>(info), environment_(Environment::of(info.Env())) {
  ProducerHandle* producer = producer_handle(info[0]);
  if (producer == nullptr) return;
  producer_ = producer->producer();
  dithered_ = producer->dithers();
  queue_ = std::make_shared<FrameQueue>(producer->channels(), producer->sample_rate(),
                                        info[1].As<Napi::Number>().Uint32Value());
  waker_ = std::make_unique<Waker>(environment_, info[2].As<Napi::Function>());
  producer_->attach(queue_, waker_.get());
}

TapObject::~TapObject() { detach(); }

void TapObject::detach() {
  if (producer_) producer_->detach(queue_.get());
  producer_.reset();
}

// read(frames, sampleFormat): { data, frame, frames, time, flags } of exactly so many frames, or
// fewer when they are the last; null while there are not that many; undefined after the last.
Napi::Value TapObject::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!queue_) return env.Undefined();
  const size_t wanted = info[0].As<Napi::Number>().Uint32Value();
  const bool ended = queue_->ended();  // before available(): what came before the end is then seen
  if (!ended && !queue_->await(wanted)) return env.Null();
  const uint64_t available = queue_->available();
  if (ended && available == 0) return env.Undefined();
  const size_t frames = static_cast<size_t>(std::min<uint64_t>(wanted, available));
  const SampleFormat format = sample_format_from(info[1]);
  const uint32_t channels = queue_->channels();
  const FrameQueue::Span first = queue_->front(frames);
  uint32_t flags = first.flags;
  // Electron forbids external buffers, so the bytes are V8's own.
  auto data = Napi::Buffer<uint8_t>::New(env, frames * channels * bytes_per_sample(format));
  for (size_t done = 0; done < frames;) {
    const FrameQueue::Span span = queue_->front(frames - done);
    if (span.frames == 0) break;
    flags |= span.flags;
    uint8_t* to = data.Data() + done * channels * bytes_per_sample(format);
    if (span.samples != nullptr) {
      if (dithered_) {
        from_float(span.samples, format, to, span.frames * channels, dither_);
      } else {
        from_float(span.samples, format, to, span.frames * channels);
      }
    } else {
      std::fill_n(to, span.frames * channels * bytes_per_sample(format), uint8_t{0});
    }
    queue_->advance(span.frames);
    done += span.frames;
  }
  Napi::Object chunk = Napi::Object::New(env);
  chunk.Set("data", data);
  chunk.Set("frame", static_cast<double>(first.frame));
  chunk.Set("frames", static_cast<double>(frames));
  chunk.Set("time", time_to_value(env, first.time));
  chunk.Set("flags", flags);
  return chunk;
}

Napi::Value TapObject::close(const Napi::CallbackInfo& info) {
  detach();
  waker_->silence();
  // At once, not when the object is collected: V8 does not know of its half a megabyte.
  if (queue_) lost_frames_ = queue_->lost_frames();
  queue_.reset();
  return info.Env().Undefined();
}

Napi::Value TapObject::stats(const Napi::CallbackInfo& info) {
  Napi::Object value = Napi::Object::New(info.Env());
  value.Set("lostFrames", static_cast<double>(queue_ ? queue_->lost_frames() : lost_frames_));
  return value;
}

}  // namespace patchcord
