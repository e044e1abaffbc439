// A connection to one audio system, shared by the objects of an environment.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../backend/backend.h"
#include "bell.h"

namespace patchcord {

// Connects at the first use, and again after the connection was lost. Control thread unless said
// otherwise.
class HostEntry final : public DeviceListener {
 public:
  using Connect = std::function<Error(std::unique_ptr<Host>*)>;
  // close() calls `ended`: for a system that lives in this process and ends with it. `asked_at` is
  // when JavaScript asked for what the control thread does now, on the real clock.
  HostEntry(std::string name, Clock& clock, std::shared_ptr<const int64_t> asked_at,
            std::shared_ptr<LoopSignal> signal, Connect connect,
            std::function<void()> ended = nullptr)
      : name_(std::move(name)),
        clock_(clock),
        asked_at_(std::move(asked_at)),
        connect_(std::move(connect)),
        ended_(std::move(ended)),
        signal_(std::move(signal)) {}

  const std::string& name() const { return name_; }  // any thread
  Clock& clock() const { return clock_; }            // any thread

  // If a connection fails, all calls that JavaScript made before the failure share the error.
  // Otherwise each of them would wait for 5 s, one after the other, for a server that does not
  // answer. A stream references the host on which it was opened, so a lost connection lasts as long
  // as its streams.
  Error use(std::shared_ptr<Host>* host);
  void close();  // permanently

  // JS thread.
  enum class Watched : uint8_t { kDevices, kProcesses };
  void add_watcher(Watched what, std::shared_ptr<Bell> bell);
  void remove_watcher(const std::shared_ptr<Bell>& bell);
  void ring_watchers();  // those of the lists that have changed since the last call

  // The backend's threads, audio threads too.
  void on_devices_changed() noexcept override { note(Watched::kDevices); }
  void on_processes_changed() noexcept override { note(Watched::kProcesses); }
  void on_backend_lost(const Error& error) noexcept override;

  // Devices that this environment plays to; 'default' never selects one of them.
  std::multiset<std::string> fed;

  // JS thread. A cable cannot be a virtual microphone and a virtual speaker of one process.
  enum class CableUse : uint8_t { kMicrophone, kSpeaker };
  // False if the cable has the other use, unless `shared`.
  bool claim(const std::string& render_id, CableUse use, bool shared);
  void unclaim(const std::string& render_id, CableUse use);

 private:
  void note(Watched what) noexcept;

  const std::string name_;
  Clock& clock_;
  const std::shared_ptr<const int64_t> asked_at_;
  const Connect connect_;
  const std::function<void()> ended_;
  const std::shared_ptr<LoopSignal> signal_;
  std::shared_ptr<Host> host_;
  Error failure_;  // of the last connection that failed
  int64_t failed_at_ = 0;
  bool closed_ = false;
  std::array<std::multiset<std::string>, 2> claims_;  // by CableUse
  std::atomic<bool> lost_{false};
  std::array<std::atomic<bool>, 2> changed_{};  // by Watched
  std::vector<std::pair<Watched, std::shared_ptr<Bell>>> watchers_;
};

}  // namespace patchcord
