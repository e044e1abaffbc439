// Owns a device, in either direction, and the clock task that replaces it while there is none.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "environment.h"

namespace patchcord {

// Control thread, unless said otherwise.
class DeviceSession : public Session {
  std::shared_ptr<Host> host_;  // the first member: streams must be destroyed before it

 public:
  explicit DeviceSession(std::shared_ptr<Bell> bell) : bell_(std::move(bell)) {}

  // Releases the device. The clock's task replaces it until another one is opened.
  void leave();

  Error take_error();  // any thread; why the device was lost, once

 protected:
  // The clock's thread, while there is no device.
  virtual void stand_in() noexcept = 0;

  // After it returns, neither the stream that was open nor the task that replaced it runs.
  void replace_stream(std::shared_ptr<Host> host, std::unique_ptr<Stream> stream) noexcept;
  void close_stream() noexcept { replace_stream(nullptr, nullptr); }
  // The backend's thread; the last call of the stream.
  void tell_lost(const Error& error) noexcept;
  void wake() noexcept { bell_->wake(); }  // any thread

  std::unique_ptr<Stream> stream_;

 private:
  const std::shared_ptr<Bell> bell_;
  std::unique_ptr<Clock::Task> absence_;
  std::mutex error_mutex_;
  Error error_;
};

}  // namespace patchcord
