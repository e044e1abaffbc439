#include "pushed_device.h"

#include <utility>

namespace patchcord {

class PushedDevice::PushedStream final : public Stream {
 public:
  PushedStream(std::shared_ptr<PushedDevice> device, StreamInfo info, CaptureListener* listener)
      : device_(std::move(device)), info_(std::move(info)), listener_(listener) {}
  ~PushedStream() override { PushedStream::stop(); }

  const StreamInfo& info() const override { return info_; }
  Error start() override {
    std::lock_guard<std::mutex> lock(device_->mutex_);
    device_->listener_ = listener_;
    return Error::none();
  }
  void stop() override {
    std::lock_guard<std::mutex> lock(device_->mutex_);
    if (device_->listener_ == listener_) device_->listener_ = nullptr;
  }
  EndpointState endpoint() const noexcept override { return device_->state_.load(); }

 private:
  const std::shared_ptr<PushedDevice> device_;
  const StreamInfo info_;
  CaptureListener* const listener_;
};

Error PushedDevice::open(const std::shared_ptr<PushedDevice>& device, StreamInfo info,
                         CaptureListener* listener, std::unique_ptr<Stream>* stream) {
  *stream = std::make_unique<PushedStream>(device, std::move(info), listener);
  return Error::none();
}

void PushedDevice::packet(const Packet& packet) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  if (listener_ != nullptr) listener_->on_packet(packet);
}

void PushedDevice::idle() noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  if (listener_ != nullptr) listener_->on_idle(false);
}

}  // namespace patchcord
