#include "tap_object.h"

#include <algorithm>
#include <utility>

#include "filter_object.h"
#include "mixer_object.h"
#include "source_object.h"
#include "values.h"

namespace patchcord {

ProducerHandle* producer_handle(const Napi::Value& object) {
  const Napi::Object value = object.As<Napi::Object>();
  const Napi::Value kind = property(value, "kind");  // sources do not have this property
  if (!kind.IsString()) return SourceObject::Unwrap(value);
  if (kind.As<Napi::String>().Utf8Value() == "filter") return FilterObject::Unwrap(value);
  return MixerObject::Unwrap(value);
}

Napi::Function TapObject::define(Napi::Env env) {
  return DefineClass(env, "Tap",
                     {
                         InstanceMethod<&TapObject::read>("read"),
                         InstanceMethod<&TapObject::take_losses>("takeLosses"),
                         InstanceMethod<&TapObject::close>("close"),
                         InstanceMethod<&TapObject::stats>("stats"),
                     });
}

TapObject::TapObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TapObject>(info), environment_(Environment::of(info.Env())) {
  ProducerHandle* producer = producer_handle(info[0]);
  if (producer == nullptr || !producer->producer()) return;
  producer_ = producer->producer();
  dithered_ = producer->dithers();
  queue_ = std::make_shared<FrameQueue>(producer->channels(), producer->sample_rate(),
                                        info[1].As<Napi::Number>().Uint32Value());
  format_ = sample_format_from(info[2]);
  label_ = Napi::Persistent(info[3].As<Napi::Float64Array>());
  waker_ = std::make_unique<Waker>(environment_, info.This().As<Napi::Object>(), info[4]);
  producer_->attach(queue_, waker_->bell());
}

TapObject::~TapObject() { detach(); }

void TapObject::detach() {
  if (producer_) producer_->detach(queue_.get());
  producer_.reset();
}

// read(into): fills the buffer, or as much of it as the last frames need, and labels them. Returns
// the number of frames. It returns 0 while there are not enough, and onData is called when there
// are; undefined after the last frame. read(into, least) takes the frames that are there if they
// are at least that many, but lost frames and others not together; with 0 onData does not follow.
// JavaScript calls it for each chunk of each stream, so it creates no object.
Napi::Value TapObject::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!queue_) return env.Undefined();
  Napi::Uint8Array into = info[0].As<Napi::Uint8Array>();
  const uint32_t channels = queue_->channels();
  const size_t frame_bytes = channels * bytes_per_sample(format_);
  const size_t wanted = into.ByteLength() / frame_bytes;
  // before available(), so that no frame before the end is missed
  const bool ended = queue_->ended();
  const size_t least = info[1].IsNumber()
                           ? std::min<size_t>(wanted, info[1].As<Napi::Number>().Uint32Value())
                           : wanted;
  if (!ended && least > 0 && !queue_->await(least)) return Napi::Number::New(env, 0);
  const uint64_t available = queue_->available();
  double* const label = label_.Value().Data();
  if (available == 0) {
    if (!ended) return Napi::Number::New(env, 0);
    end_loss();
    label[3] = static_cast<double>(losses_.size());
    return env.Undefined();
  }
  const size_t frames = static_cast<size_t>(std::min<uint64_t>(wanted, available));
  const FrameQueue::Span first = queue_->front(frames);
  // Lost frames and others are not in one part.
  const uint32_t parting = info[1].IsNumber() ? kRecordHole | kRecordLost : 0;
  uint32_t flags = first.flags;
  size_t done = 0;
  while (done < frames) {
    const FrameQueue::Span span = queue_->front(frames - done);
    if (span.frames == 0 || ((span.flags ^ first.flags) & parting) != 0) break;
    flags |= span.flags;
    follow_loss(span);
    uint8_t* const to = into.Data() + done * frame_bytes;
    if (span.samples == nullptr) {
      std::fill_n(to, span.frames * frame_bytes, uint8_t{0});
    } else if (dithered_) {
      from_float(span.samples, format_, to, span.frames * channels, dither_);
    } else {
      from_float(span.samples, format_, to, span.frames * channels);
    }
    queue_->advance(span.frames);
    done += span.frames;
  }
  label[0] = static_cast<double>(first.frame);
  // Times never go back, even if those of a device do.
  time_ = std::max(time_, first.time);
  label[1] = time_;
  label[2] = flags;
  label[3] = static_cast<double>(losses_.size());
  return Napi::Number::New(env, static_cast<double>(done));
}

// A loss arrives in pieces: the fade to zero, then the rest. It is one loss until sound follows.
void TapObject::follow_loss(const FrameQueue::Span& span) {
  if ((span.flags & kRecordLost) == 0) return end_loss();
  if (loss_.frames == 0) loss_.frame = span.frame;
  loss_.frames = span.frame + span.frames - loss_.frame;
}

void TapObject::end_loss() {
  if (loss_.frames > 0) losses_.push_back(std::exchange(loss_, {}));
}

// takeLosses(): [{ frame, frames }, ...], each loss whose end read() has passed.
Napi::Value TapObject::take_losses(const Napi::CallbackInfo& info) {
  Napi::Array losses = Napi::Array::New(info.Env(), losses_.size());
  for (uint32_t i = 0; i < losses_.size(); ++i) {
    Napi::Object loss = Napi::Object::New(info.Env());
    loss.Set("frame", static_cast<double>(losses_[i].frame));
    loss.Set("frames", static_cast<double>(losses_[i].frames));
    losses.Set(i, loss);
  }
  losses_.clear();
  return losses;
}

Napi::Value TapObject::close(const Napi::CallbackInfo& info) {
  detach();
  waker_.reset();
  // Freed at once instead of when the object is collected: V8 cannot see its half a megabyte.
  if (queue_) lost_frames_ = queue_->lost_frames();
  queue_.reset();
  label_.Reset();
  return info.Env().Undefined();
}

Napi::Value TapObject::stats(const Napi::CallbackInfo& info) {
  Napi::Object value = Napi::Object::New(info.Env());
  value.Set("lostFrames", static_cast<double>(queue_ ? queue_->lost_frames() : lost_frames_));
  return value;
}

}  // namespace patchcord
