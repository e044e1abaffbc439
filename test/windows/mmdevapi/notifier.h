// Tells IMMNotificationClients what changed in the world.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../../../src/backend/simulated/world.h"
#include "../../../src/backend/wasapi/windows_sdk.h"

namespace patchcord {

// Clients are called on a thread of its own, one at a time, as by Windows: a callback that waits
// holds up the next, and one that unregisters waits for itself for ever.
class Notifier final : private WorldObserver {
 public:
  explicit Notifier(std::shared_ptr<World> world);
  ~Notifier();

  // Any thread but that of the callbacks. Not counted as a reference, as documented.
  void add(IMMNotificationClient* client);
  // When it returns, no callback runs. False: it was not there.
  bool remove(IMMNotificationClient* client);

 private:
  void on_world_changed() noexcept override { task_->wake(); }
  void on_server_gone() noexcept override {}  // calls fail; nobody is told

  void compare();
  void compare_default(const std::vector<DeviceInfo>& now, Flow flow, bool DeviceInfo::*is_default,
                       const std::vector<ERole>& roles);

  std::shared_ptr<World> world_;
  std::mutex calling_;
  std::vector<IMMNotificationClient*> clients_;
  std::vector<DeviceInfo> known_;  // the task's
  std::unique_ptr<Clock::Task> task_;
};

}  // namespace patchcord
