// A simulated audio system: devices with their own clocks, cables, programs, faults.
// simulated_host.h makes a backend of it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../../core/error.h"
#include "../../core/signal/format.h"
#include "../../core/time/clock.h"
#include "../backend.h"
#include "card.h"
#include "recording.h"
#include "signal.h"
#include "world_processes.h"

namespace patchcord {

enum class Role : uint8_t { kConsole, kCommunications };

struct DeviceDescription {
  std::string id;
  std::string name;
  Flow flow = Flow::kInput;
  Format format;
  uint32_t period_frames = 0;  // 0: 10 ms
  bool default_console = false;
  bool default_communications = false;
  double drift_ppm = 0;  // > 0: the device runs fast
  int64_t phase_ns = 0;  // how long before the world's start the counter was zero
  bool is_virtual = false;
  DeviceState state = DeviceState::kActive;
  // An output that plays nothing gives its loopbacks no packets, as on Windows; if this is set,
  // packets flagged silent, as with some drivers.
  bool idle_silence = false;
  bool cancels_echo = false;  // the system takes the echo out of this microphone's sound
  DeviceOrigin origin;
};

// An output and the input that carries its sound, on one clock.
struct CableDescription {
  std::string render_id;
  std::string render_name;
  std::string capture_id;
  std::string capture_name;
  Format format;
  uint32_t period_frames = 0;
  double drift_ppm = 0;
  int64_t phase_ns = 0;
  DeviceOrigin render_origin;
  DeviceOrigin capture_origin;
  // Whether the system itself reports that the two ends are one cable, as PulseAudio does. Windows
  // does not; there the engine must find it out.
  bool tells_pair = true;
};

struct WorldDescription {
  std::vector<DeviceDescription> devices;
  std::vector<CableDescription> cables;
  bool manual_clock = false;
  // The time of the manual clock when the world begins.
  int64_t start_ns = kNsPerSecond;

  // mic "Microphone (Simulated)" and speakers "Speakers (Simulated)", the defaults; the cable from
  // cable-input "CABLE Input" to cable-output "CABLE Output". 48 kHz, stereo, f32.
  static WorldDescription standard();
};

class WorldObserver {
 public:
  // Called on the scripting thread while the world is locked: may only take note.
  virtual void on_world_changed() noexcept = 0;
  virtual void on_world_processes_changed() noexcept {}
  virtual void on_server_gone() noexcept = 0;

 protected:
  ~WorldObserver() = default;
};

// Every method may be called from any thread except an audio thread; none waits for time to pass.
// Scripts take effect, to the frame, at the clock's present instant. Unknown ids fail with
// kDeviceNotFound and list the ids that exist; numbers out of range fail with kUnsupported.
class World {
 public:
  static Error create(const WorldDescription& description, std::shared_ptr<World>* world);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Ends the world: its streams lose their devices as when the server goes, its threads end, and
  // every later script fails with kBackendUnavailable. Not from the world's threads.
  void close();

  Clock& clock() { return manual_ ? *manual_ : real_clock(); }
  bool manual() const { return manual_ != nullptr; }
  // The clock's thread calls `done` when everything due until then has run. It is not called if the
  // world ends before. Fails with kUnsupported if the clock is real.
  Error advance(int64_t by_ns, std::function<void()> done, bool asleep = false);

  // Sound. A program plays one signal on a device at a time; the device's sound is the sum of them.
  // For an input, programs are the sounds in its room.
  Error play(const std::string& id, SignalPtr signal, const std::string& program = {});
  Error stop(const std::string& id, const std::string& program);
  Error stop(const std::string& id);  // every program

  // Records what an output plays after its volume, at most `max_frames`; off at first. A second
  // call starts a new recording. 0: stops; the recording stays readable. A change of format begins
  // a new one.
  Error record(const std::string& id, int64_t max_frames);
  Error recorded(const std::string& id, Recorded* recorded) const;
  Error stats(const std::string& id, DeviceStats* stats) const;

  // Adds and removes devices. Streams of a removed device get on_lost(kDeviceLost).
  Error add_device(const DeviceDescription& device);
  Error remove_device(const std::string& id);  // for an end of a cable, the whole cable
  Error add_cable(const CableDescription& cable);
  Error unplug(const std::string& id);
  Error plug(const std::string& id);
  Error set_state(const std::string& id, DeviceState state);
  Error set_default(const std::string& id, Role role);
  // Changes both ends of a cable. Streams are lost, the device's counter continues.
  Error set_format(const std::string& id, const Format& format);
  void server_gone();  // streams get on_lost(kBackendUnavailable); nothing can be opened
  void server_back();

  // Faults. A cable's two ends share their clock and their wakes.
  Error drift(const std::string& id, double ppm);
  Error deny(const std::string& id, bool denied = true);  // opening it is kPermissionDenied
  // The device continues to deliver, but zeros: an input, or an output's loopback (the sound that
  // the output plays does not change).
  Error die(const std::string& id, bool dead = true);
  Error mute(const std::string& id, bool muted = true);
  Error volume(const std::string& id, double volume);  // linear, 0..1
  // The system loses so many frames from now on: positions jump; an output plays nothing meanwhile.
  Error glitch(const std::string& id, int64_t frames);
  // The same without an end: no packets, only on_idle; a render stream is not asked for frames.
  Error stall(const std::string& id);
  Error resume(const std::string& id);
  // Delays the next wake: several packets arrive at once. A render stream, which had one period
  // ready, underruns by the other periods that began before the wake. Beyond kCaptureBufferNs
  // frames are lost.
  Error late(const std::string& id, int64_t by_ns);
  // Audio captured in the next `by_ns` is delivered together at their end.
  Error delay(const std::string& id, int64_t by_ns);
  Error jitter(const std::string& id, int64_t up_to_ns);  // each wake, evenly in [0, up_to_ns]
  // Adds the offset to every packet's and on_render's time, with even jitter of +-jitter_ns;
  // kNoTime: flagged as wrong. 0: correct again.
  Error stamps(const std::string& id, int64_t offset_ns, int64_t jitter_ns = 0);

  // Programs with their own processes: each can be identified and captured.
  WorldProcesses& processes() { return processes_; }

  // For the hosts.
  Error devices(std::vector<DeviceInfo>* devices) const;
  Error playing(std::vector<std::string>* output_ids) const;  // outputs at which programs sound
  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream);
  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream);
  Error check_input(const std::string& id);  // an error if no program could open it
  // Makes a cable whose microphone is called `name`; it becomes a default only by set_default().
  Error make_cable(const std::string& name, const Format& format, Cable* cable);
  Error make_speaker(const std::string& name, const Format& format, std::string* output_id);
  Error ask_hearing(const std::string& render_id, const std::string& microphone_id,
                    Hearing* hearing) const;
  void add_observer(WorldObserver* observer);
  void remove_observer(WorldObserver* observer);  // when it returns, no call runs

 private:
  struct Entry {
    DeviceInfo info;
    std::shared_ptr<Card> card;
    size_t side = 0;
    uint32_t period_frames = 0;
    bool denied = false;
    bool cancels_echo = false;
    bool made = false;  // made by make_cable
    bool muted = false;
    double volume = 1.0;
    std::shared_ptr<Recording> recording;
    bool recording_on = false;
  };

  explicit World(const WorldDescription& description);

  // With mutex_ held.
  Error find(const std::string& id, Entry** entry);
  Error find(const std::string& id, const Entry** entry) const;
  Error find_active(const std::string& id, Flow flow, Entry** entry);
  Error add_locked(const DeviceDescription& device);
  Error add_locked(const CableDescription& cable, bool made);
  Error check_new(const std::string& id, const Format& format, uint32_t period_frames,
                  double ppm) const;
  void set_state_locked(Entry& entry, DeviceState state);
  const Entry* default_of(Flow flow, Role role) const;
  void apply_volume(Entry& entry);
  void changed();
  void processes_changed();
  template <class Change>
  Error script(const std::string& id, Change change);

  // The first member, so that it is destroyed last.
  std::unique_ptr<ManualClock> manual_;

  mutable std::mutex mutex_;  // never taken by an audio thread
  std::vector<std::unique_ptr<Entry>> entries_;
  std::array<std::array<std::string, 2>, 2> wished_default_;  // by flow and role
  std::vector<WorldObserver*> observers_;
  bool gone_ = false;
  bool closed_ = false;
  uint64_t cards_made_ = 0;
  uint64_t cables_made_ = 0;
  uint64_t speakers_made_ = 0;

  friend class WorldProcesses;
  WorldProcesses processes_{this};
};

// All scripts for one device use this: `change` gets its entry and may refuse.
template <class Change>
Error World::script(const std::string& id, Change change) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = nullptr;
  if (Error error = find(id, &entry)) return error;
  return change(*entry);
}

}  // namespace patchcord
