#include "device_session.h"

namespace patchcord {
namespace {

constexpr int64_t kTurn = 10 * kNsPerMs;

}  // namespace

Error DeviceSession::take_error() {
  std::lock_guard<std::mutex> lock(error_mutex_);
  return std::exchange(error_, Error::none());
}

void DeviceSession::leave() {
  if (!stream_) return;
  Clock& clock = host_->clock();
  close_stream();
  absence_ = clock.start("absence", Priority::kAudio, [this](int64_t now) {
    stand_in();
    return now + kTurn;
  });
}

void DeviceSession::replace_stream(std::shared_ptr<Host> host,
                                   std::unique_ptr<Stream> stream) noexcept {
  absence_.reset();
  if (stream_) stream_->stop();
  // Errors of the old device no longer matter.
  take_error();
  stream_ = std::move(stream);
  host_ = std::move(host);
}

void DeviceSession::tell_lost(const Error& error) noexcept {
  {
    std::lock_guard<std::mutex> lock(error_mutex_);
    error_ = error;
  }
  wake();
}

}  // namespace patchcord
