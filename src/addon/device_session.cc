#include "device_session.h"

namespace patchcord {

Error DeviceSession::take_error() {
  std::lock_guard<std::mutex> lock(error_mutex_);
  return std::exchange(error_, Error::none());
}

void DeviceSession::close_stream() noexcept {
  if (stream_) stream_->stop();
  stream_.reset();
  host_.reset();
}

void DeviceSession::tell_lost(const Error& error) noexcept {
  {
    std::lock_guard<std::mutex> lock(error_mutex_);
    error_ = error;
  }
  waker_->wake();
}

}  // namespace patchcord
