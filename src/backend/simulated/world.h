// A simulated audio system: devices with clocks of their own, cables, programs, faults. What face
// it shows to whom is not its business: simulated_host.h makes a backend of it.
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
  int64_t phase_ns = 0;  // how long before the world began its counter was zero
  bool is_virtual = false;
  DeviceState state = DeviceState::kActive;
  // An output that plays nothing gives its loopbacks no packets, as on Windows; or, if this is set,
  // packets flagged silent, as some drivers do.
  bool idle_silence = false;
  DeviceOrigin origin;
};

// An output and the input that hears it, on one clock.
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
  // Whether the system itself says that the two ends are one cable, as PulseAudio does. Windows
  // does not: there it has to be found out.
  bool tells_pair = true;
};

struct WorldDescription {
  std::vector<DeviceDescription> devices;
  std::vector<CableDescription> cables;
  bool manual_clock = false;
  // What the manual clock shows when the world begins.
  int64_t start_ns = kNsPerSecond;

  // mic "Microphone (Simulated)" and speakers "Speakers (Simulated)", the defaults; the cable from
  // cable-input "CABLE Input" to cable-output "CABLE Output". 48 kHz, stereo, f32.
  static WorldDescription standard();
};

class WorldObserver {
 public:
  // Called on the scripting thread while the world is locked: must only take note.
  virtual void on_world_changed() noexcept = 0;
  virtual void on_world_processes_changed() noexcept {}
  virtual void on_server_gone() noexcept = 0;

 protected:
  ~WorldObserver() = default;
};

// Every method may be called from any thread except an audio thread; none waits for time to pass.
// Scripts take effect, to the frame, at the clock's present instant. Unknown ids are
// kDeviceNotFound, with the ids that exist; numbers out of range are kUnsupported.
class World {
 public:
  static Error create(const WorldDescription& description, std::shared_ptr<World>* world);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The end of the world: its streams lose their devices as when the server goes, its threads end,
  // and every script is kBackendUnavailable from here on. Not on a thread of its own.
  void close();

  Clock& clock() { return manual_ ? *manual_ : real_clock(); }
  bool manual() const { return manual_ != nullptr; }
  // `done` is called on the clock's thread when everything due until then has run. It is not called
  // if the world ends before. kUnsupported with the real clock.
  Error advance(int64_t by_ns, std::function<void()> done, bool asleep = false);

  // Sound. A program plays one signal on a device at a time; a device sounds like the sum of them.
  // On an input, programs are what its room sounds like.
  Error play(const std::string& id, SignalPtr signal, const std::string& program = {});
  Error stop(const std::string& id, const std::string& program);
  Error stop(const std::string& id);  // every program

  // What an output plays after its volume: off until asked for, at most `max_frames`. Again: anew.
  // 0: no more; what there is stays readable. A change of format begins a new one.
  Error record(const std::string& id, int64_t max_frames);
  Error recorded(const std::string& id, Recorded* recorded) const;
  Error stats(const std::string& id, DeviceStats* stats) const;

  // Devices come and go. Streams of a device that goes get on_lost(kDeviceLost).
  Error add_device(const DeviceDescription& device);
  Error remove_device(const std::string& id);  // an end of a cable: the cable
  Error add_cable(const CableDescription& cable);
  Error unplug(const std::string& id);
  Error plug(const std::string& id);
  Error set_state(const std::string& id, DeviceState state);
  Error set_default(const std::string& id, Role role);
  // Both ends of a cable; streams are lost, the device's counter goes on.
  Error set_format(const std::string& id, const Format& format);
  void server_gone();  // streams get on_lost(kBackendUnavailable); nothing can be opened
  void server_back();

  // Faults. A cable's two ends share their clock and their wakes.
  Error drift(const std::string& id, double ppm);
  Error deny(const std::string& id, bool denied = true);  // opening it is kPermissionDenied
  // It goes on delivering, zeros: an input, or an output's loopback (what the output plays is not
  // changed).
  Error die(const std::string& id, bool dead = true);
  Error mute(const std::string& id, bool muted = true);
  Error volume(const std::string& id, double volume);  // linear, 0..1
  // The system loses so many frames from now on: positions jump; an output plays nothing meanwhile.
  Error glitch(const std::string& id, int64_t frames);
  // The same without an end: no packets, on_idle only; a render stream is not asked.
  Error stall(const std::string& id);
  Error resume(const std::string& id);
  // The next wake comes so much later: several packets at once; a render stream, which had one
  // period ready, underruns by the others that had begun before it. Past kCaptureBufferNs frames
  // are lost.
  Error late(const std::string& id, int64_t by_ns);
  // What a device captures in the next `by_ns` is handed out together at their end.
  Error delay(const std::string& id, int64_t by_ns);
  Error jitter(const std::string& id, int64_t up_to_ns);  // each wake, evenly in [0, up_to_ns]
  // Added to every packet's and on_render's time, with even jitter of +-jitter_ns; kNoTime: flagged
  // as wrong. 0: right again.
  Error stamps(const std::string& id, int64_t offset_ns, int64_t jitter_ns = 0);

  // Programs with a process of their own: they can be told apart, and listened to one by one.
  WorldProcesses& processes() { return processes_; }

  // For the faces.
  Error devices(std::vector<DeviceInfo>* devices) const;
  Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream);
  Error open_render(const RenderRequest& request, RenderListener* listener,
                    std::unique_ptr<Stream>* stream);
  // A cable whose microphone is called `name`; never a default unless set_default() says so.
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
    bool made = false;  // by make_cable
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

  // First, so that it goes last.
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

}  // namespace patchcord
