#include "skeleton_host.h"

#include <mutex>
#include <string>

namespace patchcord {
namespace {

Error no_such_device(const std::string& id) {
  Error error = Error::make(ErrorCode::kDeviceNotFound, "There is no device '" + id + "'",
                            "choose one that listDevices() lists");
  error.device_id = id;
  return error;
}

class SkeletonHost final : public Host {
 public:
  // The process's own clock. A system whose stamps count on another one converts them to it.
  Clock& clock() override { return real_clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override {
    devices->clear();
    return Error::none();
  }

  // A backend that finds the device makes a Stream here, stopped, and fills in its StreamInfo.
  Error open_capture(const CaptureRequest& request, CaptureListener*,
                     std::unique_ptr<Stream>*) override {
    return no_such_device(request.device_id);
  }
  Error open_render(const RenderRequest& request, RenderListener*,
                    std::unique_ptr<Stream>*) override {
    return no_such_device(request.device_id);
  }

  // The lock makes watch(nullptr) wait for a call that runs.
  void watch(DeviceListener* listener) override {
    std::lock_guard<std::mutex> lock(listener_mutex_);
    listener_ = listener;
  }

 private:
  std::mutex listener_mutex_;
  DeviceListener* listener_ = nullptr;
};

}  // namespace

Error open_skeleton_host(std::unique_ptr<Host>* host) {
  *host = std::make_unique<SkeletonHost>();
  return Error::none();
}

}  // namespace patchcord
