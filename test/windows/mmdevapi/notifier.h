// Tells IMMNotificationClients what changed in the world.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "../../../src/backend/simulated/world.h"
#include "../../../src/backend/wasapi/windows_sdk.h"

namespace patchcord {

// Clients are called on a separate thread, one at a time, as by Windows: a callback that waits
// delays the next, and one that unregisters waits for itself without end.
class Notifier final : private WorldObserver {
 public:
  Notifier(std::shared_ptr<World> world, const std::atomic<uint32_t>* service_run);
  ~Notifier();

  // Any thread but that of the callbacks, as the next two. Windows tells of the description that
  // the user changes, not of the name that is made of it.
  Error renamed(const std::string& id);
  // Not counted as a reference, as documented.
  void add(IMMNotificationClient* client);
  // When it returns, no callback runs. False: it was not there.
  bool remove(IMMNotificationClient* client);

 private:
  void on_world_changed() noexcept override { task_->wake(); }
  void on_server_gone() noexcept override {}  // calls fail; no callback is called

  // A client registered before the service stopped is not called any more.
  struct Registration {
    IMMNotificationClient* client;
    uint32_t service_run;
  };

  void compare();
  void disconnect_sessions(const std::vector<DeviceInfo>& now);
  std::vector<IMMNotificationClient*> listening() const;
  void compare_default(const std::vector<DeviceInfo>& now, Flow flow, bool DeviceInfo::*is_default,
                       const std::vector<ERole>& roles,
                       const std::vector<IMMNotificationClient*>& clients);

  std::shared_ptr<World> world_;
  const std::atomic<uint32_t>* const service_run_;
  std::mutex calling_;
  std::vector<Registration> registrations_;
  std::vector<DeviceInfo> known_;  // the task's
  std::unique_ptr<Clock::Task> task_;
};

}  // namespace patchcord
