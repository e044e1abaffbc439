#include "replay.h"

#include <cmath>
#include <utility>
#include <vector>

#include "../../../src/backend/wasapi/formats.h"
#include "engine.h"

namespace patchcord {
namespace {

constexpr double kFrequency = 997;
constexpr double kGain = 0.25;
constexpr double kTurn = 6.283185307179586;  // radians

class Replay final : public Stream {
 public:
  Replay(std::shared_ptr<const Trace> trace, const Format& format, PacketQueue* packets)
      : trace_(std::move(trace)), packets_(*packets) {
    info_.format = format;
    samples_.resize(trace_->longest * size_t{format.channels});
  }
  ~Replay() override { stop(); }

  const StreamInfo& info() const override { return info_; }

  Error start() override {
    start_ = Engine::get().world->clock().now();
    task_ = Engine::get().world->clock().start("mmdevapi-replay", Priority::kNormal,
                                               [this](int64_t now) { return turn(now); });
    return Error::none();
  }
  void stop() override { task_ = nullptr; }

 private:
  // Returns the time of the next wake.
  int64_t turn(int64_t now) {
    for (; next_ < trace_->wakes.size(); ++next_) {
      const TracedWake& wake = trace_->wakes[next_];
      if (start_ + wake.time > now) return start_ + wake.time;
      for (const TracedBuffer& buffer : wake.buffers) put(buffer);
      if (wake.failure != 0) packets_.fail(static_cast<HRESULT>(wake.failure));
      if (wake.signalled) packets_.signal();
    }
    return kNever;
  }

  void put(const TracedBuffer& buffer) {
    const uint32_t channels = info_.format.channels;
    for (uint32_t i = 0; i < buffer.frames; ++i) {
      // In seconds of the tone, whose whole periods make no difference.
      const double frame = std::fmod(static_cast<double>(buffer.position + i),
                                     static_cast<double>(info_.format.sample_rate));
      const double turns = kFrequency * frame / info_.format.sample_rate;
      const auto sample = static_cast<float>(kGain * std::sin(kTurn * turns));
      for (uint32_t channel = 0; channel < channels; ++channel) {
        samples_[i * size_t{channels} + channel] = sample;
      }
    }
    Packet packet;
    packet.data = (buffer.flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0 ? nullptr : samples_.data();
    packet.frames = buffer.frames;
    packet.position = static_cast<int64_t>(buffer.position);
    const auto started = static_cast<uint64_t>(start_ / kNsPerReference);
    packets_.put(packet, buffer.stamp - trace_->started + started, buffer.flags);
  }

  const std::shared_ptr<const Trace> trace_;
  PacketQueue& packets_;
  StreamInfo info_;
  std::vector<float> samples_;
  int64_t start_ = 0;
  size_t next_ = 0;
  std::unique_ptr<Clock::Task> task_;
};

}  // namespace

std::unique_ptr<Stream> make_replay(std::shared_ptr<const Trace> trace, const Format& format,
                                    PacketQueue* packets) {
  return std::make_unique<Replay>(std::move(trace), format, packets);
}

}  // namespace patchcord
