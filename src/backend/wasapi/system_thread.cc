#include "system_thread.h"

#include <utility>

namespace patchcord {
namespace {

// A worker that ends unloads the addon, and with it the code to which an abandoned thread returns.
void stay_loaded() {
  HMODULE self = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&stay_loaded), &self);
}

}  // namespace

Error timeout_error(const std::string& attempt, const std::string& device_id) {
  Error error =
      Error::make(ErrorCode::kTimeout,
                  attempt + " took longer than " + std::to_string(kSystemTimeoutMs / 1000) +
                      " s, because the driver hangs",
                  "unplug the device, or update its driver");
  error.device_id = device_id;
  return error;
}

SystemThread::SystemThread(std::function<void()> run)
    : ended_(std::make_shared<Handle>(make_latch())),
      thread_([run = std::move(run), ended = ended_] {
        run();
        SetEvent(ended->get());
      }) {}

bool SystemThread::end() {
  if (!thread_.joinable()) return true;
  if (!wait_for(*ended_)) {
    leave_behind();
    return false;
  }
  thread_.join();
  return true;
}

void SystemThread::leave_behind() {
  stay_loaded();
  thread_.detach();
}

}  // namespace patchcord
