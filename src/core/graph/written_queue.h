// The audio that JavaScript writes to a sink: pieces of different formats, played one after the
// other without a gap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "../published.h"
#include "written_input.h"

namespace patchcord {

class WrittenQueue final : public Pullable {
 public:
  explicit WrittenQueue(std::shared_ptr<NodeEvents> events) : events_(std::move(events)) {}

  // JS thread. Sets the format of audio written from now on, which is played after the queued
  // audio.
  void open(const WrittenInput::Config& config);
  bool opened() const noexcept { return !pieces_.empty(); }
  const WrittenInput::Config& config() const { return pieces_.back()->config(); }  // once opened
  // JS thread. Like WrittenInput's, for the last piece; takes nothing before open().
  size_t write(const void* data, size_t frames) noexcept;
  void set_pending(bool more) noexcept;
  void end() noexcept;
  void clear(uint32_t ramp_frames) noexcept;  // all pieces

  // JS thread. Frames, each in its piece's format.
  struct Totals {
    uint64_t written_frames = 0, played_frames = 0, queued_frames = 0;
    uint64_t underruns = 0, underrun_frames = 0, silent_frames = 0;  // at the destination's rate
  };
  Totals totals() const;

  // JS thread. The audio that has left the last piece's queue and is still in its resampler.
  double held_ns() const noexcept { return opened() ? pieces_.back()->held_ns() : 0; }

  // Puller's thread, once opened.
  void pull(float* out, size_t frames, const PullTime& when) noexcept override;
  size_t queued() noexcept;
  bool idle() noexcept;

 private:
  using Pieces = std::vector<std::shared_ptr<WrittenInput>>;
  static void add(Totals& totals, const WrittenInput& piece);

  const std::shared_ptr<NodeEvents> events_;
  Pieces pieces_;  // JS thread: pieces that are not played out yet, and the present one
  Totals before_;  // totals of the pieces that are
  Published<Pieces> published_;
};

}  // namespace patchcord
