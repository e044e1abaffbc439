#include "written_queue.h"

#include <algorithm>
#include <utility>

namespace patchcord {

void WrittenQueue::open(const WrittenInput::Config& config) {
  WrittenInput::Config next = config;
  if (opened()) {
    // Audio that follows sound does not wait for a start fill.
    if (pieces_.back()->queued() > 0) next.start_frames = 0;
    pieces_.back()->end();
  }
  const auto played = [this](const std::shared_ptr<WrittenInput>& piece) {
    if (piece->finished()) add(before_, *piece);
    return piece->finished();
  };
  pieces_.erase(std::remove_if(pieces_.begin(), pieces_.end(), played), pieces_.end());
  pieces_.push_back(std::make_shared<WrittenInput>(next, nullptr, events_));
  published_.exchange(std::make_unique<Pieces>(pieces_));
}

size_t WrittenQueue::write(const void* data, size_t frames) noexcept {
  return opened() ? pieces_.back()->write(data, frames) : 0;
}

void WrittenQueue::set_pending(bool more) noexcept {
  if (opened()) pieces_.back()->set_pending(more);
}

void WrittenQueue::end() noexcept {
  if (opened()) pieces_.back()->end();
}

void WrittenQueue::clear(uint32_t ramp_frames) noexcept {
  for (const auto& piece : pieces_) piece->clear(ramp_frames);
}

void WrittenQueue::add(Totals& totals, const WrittenInput& piece) {
  totals.written_frames += piece.stats().written_frames;
  totals.played_frames += piece.stats().played_frames;
  totals.queued_frames += piece.queued();
  totals.underruns += piece.stats().underruns;
  totals.underrun_frames += piece.stats().underrun_frames;
  totals.silent_frames += piece.stats().silent_frames;
}

WrittenQueue::Totals WrittenQueue::totals() const {
  Totals totals = before_;
  for (const auto& piece : pieces_) add(totals, *piece);
  return totals;
}

void WrittenQueue::pull(float* out, size_t frames, const PullTime& when) noexcept {
  Published<Pieces>::Reading pieces(published_);
  if (!pieces) return;  // never pulled before open()
  const uint32_t channels = pieces->front()->config().channels;
  size_t made = 0;
  for (const auto& piece : *pieces) {
    PullTime rest = when;
    rest.frame += static_cast<double>(made);
    made += piece->pull_rest(out + made * channels, frames - made, rest);
    if (made == frames) return;
  }
  std::fill_n(out + made * channels, (frames - made) * channels, 0.0f);
}

size_t WrittenQueue::queued() noexcept {
  Published<Pieces>::Reading pieces(published_);
  size_t frames = 0;
  if (pieces) {
    for (const auto& piece : *pieces) frames += piece->queued();
  }
  return frames;
}

bool WrittenQueue::idle() noexcept {
  Published<Pieces>::Reading pieces(published_);
  if (!pieces) return true;
  for (const auto& piece : *pieces) {
    if (!piece->finished()) return piece->idle();
  }
  return true;
}

}  // namespace patchcord
