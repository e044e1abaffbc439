#include "simulated_host.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace patchcord {
namespace {

// A task of the world's clock calls the listener, never the script that caused the change. With the
// manual clock this happens at an instant that is the same in every run.
class SimulatedHost final : public Host, private WorldObserver {
 public:
  explicit SimulatedHost(std::shared_ptr<World> world) : world_(std::move(world)) {}

  ~SimulatedHost() {
    watch(nullptr);
    for (const std::string& id : made_) world_->remove_device(id);
  }

  Clock& clock() override { return world_->clock(); }

  Error list_devices(std::vector<DeviceInfo>* devices) override { return world_->devices(devices); }

  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    return world_->open_capture(request, listener, stream);
  }

  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    return world_->open_render(request, listener, stream);
  }

  Error list_processes(const ProcessQuery& query, std::vector<ProcessInfo>* processes) override {
    std::vector<DeviceInfo> devices;  // says whether the server is there
    if (Error error = world_->devices(&devices)) return error;
    return world_->processes().list(query, processes);
  }

  Error list_playing(std::vector<std::string>* output_ids) override {
    return world_->playing(output_ids);
  }

  Error open_processes(const ProcessCaptureRequest& request, CaptureListener* listener,
                       TapListener* taps, std::unique_ptr<ProcessStream>* stream) override {
    std::vector<DeviceInfo> devices;
    if (Error error = world_->devices(&devices)) return error;
    return world_->processes().open(request, listener, taps, stream);
  }

  void watch(DeviceListener* listener) override {
    if (task_ != nullptr) {
      world_->remove_observer(this);
      task_ = nullptr;
    }
    if (listener == nullptr) return;
    changed_.store(false, std::memory_order_relaxed);
    gone_.store(false, std::memory_order_relaxed);
    processes_changed_.store(false, std::memory_order_relaxed);
    task_ = clock().start("patchcord-devs", Priority::kNormal, [this, listener](int64_t) {
      if (gone_.exchange(false, std::memory_order_acq_rel)) {
        listener->on_backend_lost(Error::make(ErrorCode::kBackendUnavailable,
                                              "the simulated audio server is gone",
                                              "start it with serverBack()"));
      }
      if (changed_.exchange(false, std::memory_order_acq_rel)) listener->on_devices_changed();
      if (processes_changed_.exchange(false, std::memory_order_acq_rel)) {
        listener->on_processes_changed();
      }
      return kNever;
    });
    world_->add_observer(this);
  }

  bool makes_cables() const override { return true; }
  Error make_cable(const std::string& name, const Format& format, Cable* cable) override {
    if (Error error = world_->make_cable(name, format, cable)) return error;
    made_.push_back(cable->render_id);
    return Error::none();
  }

  Error make_speaker(const std::string& name, const Format& format,
                     std::string* output_id) override {
    if (Error error = world_->make_speaker(name, format, output_id)) return error;
    made_.push_back(*output_id);
    return Error::none();
  }

  void remove_made(const std::string& output_id) override {
    const auto made = std::find(made_.begin(), made_.end(), output_id);
    if (made == made_.end()) return;
    made_.erase(made);
    world_->remove_device(output_id);
  }

  Error ask_hearing(const std::string& render_id, const std::string& microphone_id,
                    Hearing* hearing) override {
    return world_->ask_hearing(render_id, microphone_id, hearing);
  }

 private:
  void on_world_changed() noexcept override {
    changed_.store(true, std::memory_order_release);
    task_->wake();
  }
  void on_world_processes_changed() noexcept override {
    processes_changed_.store(true, std::memory_order_release);
    task_->wake();
  }
  void on_server_gone() noexcept override {
    gone_.store(true, std::memory_order_release);
    task_->wake();
  }

  std::shared_ptr<World> world_;
  std::vector<std::string> made_;
  std::atomic<bool> changed_{false};
  std::atomic<bool> processes_changed_{false};
  std::atomic<bool> gone_{false};
  std::unique_ptr<Clock::Task> task_;  // last: destroyed first
};

}  // namespace

std::unique_ptr<Host> open_simulated_host(std::shared_ptr<World> world) {
  return std::make_unique<SimulatedHost>(std::move(world));
}

}  // namespace patchcord
