// What holds an open device, in whichever direction.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "environment.h"

namespace patchcord {

class DeviceSession : public Session {
 public:
  explicit DeviceSession(std::shared_ptr<Waker> waker) : waker_(std::move(waker)) {}

  Error take_error();  // any thread; why the device was lost, once

 protected:
  // Control thread, when no callback of the stream is needed any more.
  void close_stream() noexcept;
  // The backend's thread, whose last word it is.
  void tell_lost(const Error& error) noexcept;

  std::shared_ptr<Host> host_;
  std::unique_ptr<Stream> stream_;

 private:
  const std::shared_ptr<Waker> waker_;
  std::mutex error_mutex_;
  Error error_;
};

}  // namespace patchcord
