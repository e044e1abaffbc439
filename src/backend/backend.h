// The contract between the engine and an operating system's audio. Each backend has its own folder,
// and no folder includes another; docs/adding-a-backend.md lists what a new one touches.
//
// Threads
// - The control thread is one thread of the engine for each Node environment. It makes every call
//   to Host and Stream that is not marked otherwise, one after the other. A call may block, for
//   10 s at most; meanwhile every other open and close of that environment waits.
// - An audio thread belongs to the backend and calls the listener of a stream. Streams may share
//   one. Calls for one stream never overlap.
// - The backend calls a listener only between start() and the return of stop(). It holds no lock
//   that it needs in stop(): a listener may be called while stop() waits for it.
//
// Pointers are not null unless a comment says so. A listener lives longer than its stream. Strings
// are UTF-8. Instants are nanoseconds of Host::clock().
//
// checked_host.h checks the rules about calls, order and values that can be seen from outside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../core/error.h"
#include "../core/graph/life_signs.h"
#include "../core/signal/channel_map.h"
#include "../core/signal/format.h"
#include "../core/time/clock.h"
#include "../core/time/device_timing.h"
#include "processes.h"

namespace patchcord {

enum class Flow : uint8_t { kInput, kOutput };
enum class DeviceState : uint8_t { kActive, kDisabled, kNotPresent, kUnplugged };

// The properties of a device's driver, as the system reports them; empty if it does not. They do
// not change when a user renames the device or an installer translates its name.
struct DeviceOrigin {
  std::string maker;                      // the driver's own name: "VB-Audio Virtual Cable"
  std::vector<std::string> hardware_ids;  // "VBAudioVACWDM"
  std::string service;                    // "VBAudioVACMME", "snd_aloop"
  std::string parent;                     // the same for all ends of one installed device
  std::string end;  // which of a loopback card's devices: "0" and "1" are joined
  // How it is connected: "builtin", "usb", "bluetooth", "hdmi", "network", "virtual".
  std::string transport;
  bool hands_free = false;  // the telephone's end of a Bluetooth headset
};

// How a cable was recognised, the most reliable evidence first.
enum class Evidence : uint8_t { kNone, kServer, kHardwareId, kService, kParent, kMaker, kName };

// The cable that a device is an end of. recognise_cables() fills it in.
struct CableEnd {
  std::string driver;   // "vb-cable", "voicemeeter"...; empty: of no cable that is known
  std::string product;  // "VB-CABLE A", to be shown to people
  std::string bus;      // of a virtual mixer: "B1" of an input, "Strip 0" of an output
  Evidence recognised_by = Evidence::kNone;
  Evidence paired_by = Evidence::kNone;  // of DeviceInfo::peer_id
  // All candidates, if the peer is not known.
  std::vector<std::string> possible_peers;
};

struct DeviceInfo {
  std::string id;    // stable while the device exists and, where the system can, across runs
  std::string name;  // as the system shows it to people
  Flow flow = Flow::kInput;
  DeviceState state = DeviceState::kActive;
  bool default_console = false;
  bool default_communications = false;
  Format format;            // the device's own: what its mixer runs at
  bool is_virtual = false;  // a cable, a null sink, a remapped source: no hardware behind it
  bool stand_in = false;    // there is no output; the system plays to nobody
  std::string driver;       // how the system names the maker: "module-null-sink.c", a hardware id
  // The other end of a cable: for an output the id of the input device that carries its sound (a
  // cable's microphone, PulseAudio's remap of a monitor), for an input the id of the output that it
  // carries. Empty if none is known. It is used to find feedback.
  std::string peer_id;
  DeviceOrigin origin;
  CableEnd cable;
};

constexpr int64_t kNoPosition = -1;

// One delivery of a capture stream, in the stream's format. Valid during the call only.
struct Packet {
  // null: the packet is silence, whatever the system's memory holds.
  const void* data = nullptr;
  uint32_t frames = 0;  // above 0
  // Index of the first frame on the device's own counter, kNoPosition where there is none. A jump
  // forward means that this many frames were lost before the packet. It never goes back while the
  // stream is open; a counter that restarts is a device that was lost.
  int64_t position = kNoPosition;
  // When the first frame was recorded (at the microphone, or at the loudspeaker for loopback). Give
  // the system's timestamp unchanged: the engine follows the clock, and takes a smoothed timestamp
  // for an exact one. Use kNoTime if the system has no timestamp, repeats an old one, or flags it
  // as wrong. If timestamps are the times of fetches, DeviceTiming::fetch_stamps says so. The first
  // packet after on_idle() should have one, because it is placed by it.
  int64_t time = kNoTime;
  bool discontinuity = false;  // the system's own hint; it is counted and changes nothing
};

// Implemented by the engine. Called on the audio thread; does not block, allocate or throw.
class CaptureListener {
 public:
  virtual void on_packet(const Packet& packet) noexcept = 0;
  // The backend looked for packets and found none. It comes at least every 20 ms while the stream
  // is started and no packet comes, because it makes silence of an idle loopback and notices a
  // dead device. Where the system wakes nobody while it is idle, the backend needs a timer.
  // `quiet`: the system says that nothing plays, so that no packet is on its way. Where it does not
  // say, packets are waited for.
  virtual void on_idle(bool quiet) noexcept = 0;
  // Called instead of on_idle() if the system does not answer at all: a recording waits longer
  // then.
  virtual void on_unanswered() noexcept { on_idle(false); }
  // Silence was delivered instead of frames: those of a sum of programs that came too late, or
  // those that a server dropped while it stood still and the listener got on_idle().
  virtual void on_replaced(int64_t position, uint64_t frames) noexcept {
    (void)position;
    (void)frames;
  }
  // Whether a device plays the stream. Only then does a sum of programs not wait for those that are
  // late. Any thread.
  virtual bool live() const noexcept { return false; }
  // The stream is over: the device was removed, the server has gone, or the device's format has
  // changed (a stream never changes its format; the engine opens another one). At most once, from
  // any thread of the backend, after start() was called and before stop() returns. It is the last
  // call. A loss that is found before start() is what start() returns.
  virtual void on_lost(const Error& error) noexcept = 0;

 protected:
  ~CaptureListener() = default;
};

// Implemented by the engine. Called on the audio thread; does not block, allocate or throw.
class RenderListener {
 public:
  // Fills `frames` frames (above 0) of the stream's format at `data`. One wake may make several
  // calls, for as many frames as the device takes; together they are consecutive frames.
  // `play_time`: when the first of them will be heard, by the device's own position. kNoTime if
  // that is unknown, or if it is the same as for the last call. A device that never reports it is
  // taken to play a constant time after it requests frames.
  virtual void on_render(void* data, uint32_t frames, int64_t play_time) noexcept = 0;
  // The device underran and played `frames` frames of silence, 0 if the number is unknown. Called
  // before the next on_render. If `here` is true, that call is for the first frame after the
  // silence. If it is false, the queue was filled meanwhile, and the gap lies before the queued
  // frames.
  virtual void on_underrun(uint32_t frames, bool here) noexcept = 0;
  virtual void on_lost(const Error& error) noexcept = 0;  // as CaptureListener::on_lost
  // How many ns beyond RenderRequest::latency_ms the device may hold from now on: it holds as near
  // to that as it can, and no more. The value grows after an underrun and shrinks slowly. The
  // backend reads it on the audio thread before it requests frames; if StreamInfo::fixed_fill is
  // set it stays 0.
  virtual int64_t more_fill() const noexcept { return 0; }

 protected:
  ~RenderListener() = default;
};

// The purpose of a stream, for systems that treat streams by their purpose.
enum class Category : uint8_t { kOther, kCommunications, kMedia, kSpeech };

// The interface of the system through which a microphone is recorded. kUsual: the backend's.
enum class Api : uint8_t { kUsual, kWasapi, kMme, kDirectSound };

// How a device is to be opened.
struct OpenOptions {
  // A demand. Refused with kUnsupported, or with kDeviceBusy while another program has the device.
  bool exclusive = false;
  // A demand, unless its rate is 0: the format of the bytes that the device gets. Refused with
  // kFormatUnsupported.
  Format format{0, 0, SampleFormat::kF32};
  // A demand. Refused with kUnsupported on a system that does not have it.
  Api api = Api::kUsual;
  // Requests. Granted says whether the system has granted them.
  bool low_latency = false;  // the shortest period that there is
  bool raw = false;          // a microphone without the system's effects
  Category category = Category::kOther;
  // For a microphone whose echo the system cancels: the id of the output whose sound is the echo.
  // Empty: the system chooses it.
  std::string echo_reference;
  // For an output: the name of the microphone at its other end. Some systems have a volume for each
  // program; this name gives the stream its own volume.
  std::string microphone;
};

struct Wish {
  bool granted = false;
  std::string why_not;  // why a request was not granted: half a sentence for the app's author

  static Wish fulfilled() { return {true, {}}; }
  static Wish refused(std::string why_not) { return {false, std::move(why_not)}; }
};

// Which of the OpenOptions were granted. Requests that were not made are not granted.
struct Granted {
  bool exclusive = false;
  std::string api;  // the interface, on a system that has several
  Wish low_latency;
  Wish raw;
  Wish category;
  Wish echo_reference;
};

// The refusal of backends with one interface.
Error refuse_api(const OpenOptions& options);

struct CaptureRequest {
  enum class Kind : uint8_t { kMicrophone, kLoopback };
  Kind kind = Kind::kMicrophone;
  std::string device_id;  // kMicrophone: an input's id. kLoopback: an output's. Never empty.
  // A request, for systems that convert or take any format without a cost (PulseAudio). Other
  // systems open at the device's mix format and report that in StreamInfo.
  Format preferred;
  uint32_t period_frames = 480;  // at preferred.sample_rate: the requested time between packets
  OpenOptions options;
};

struct RenderRequest {
  std::string device_id;  // an output's id; for a cable, Cable::render_id
  Format preferred;
  uint32_t period_frames = 480;
  // Fill to hold between the engine and the device with periods of 10 ms, or with the device's.
  // With the shorter periods of `low_latency` the fill is less by the difference.
  uint32_t latency_ms = 15;
  uint32_t most_more_ms = 0;  // the most that more_fill() returns
  OpenOptions options;
};

struct ProcessQuery {
  Flow flow = Flow::kOutput;  // kInput: programs that capture a microphone
  bool running = false;       // all that run, not only those that have a stream
  bool levels = false;        // where levels take time to measure (some 100 ms at the first call)
};

// A request for the sum of what the processes of a selection play into the mixes of the devices.
struct ProcessCaptureRequest {
  ProcessSelection selection;
  Format preferred;              // as CaptureRequest's
  uint32_t period_frames = 480;  // of preferred.sample_rate
  int64_t max_wait = kMaxWait;   // ns, for programs whose packets are late
};

// The properties of an open stream.
struct StreamInfo {
  Format format;               // of Packet::data and on_render's data; any SampleFormat
  uint32_t period_frames = 0;  // how often the audio thread wakes, in frames of `format`
  uint32_t buffer_frames = 0;  // the system's buffer, 0 if unknown; the engine does not use it
  bool fixed_fill = false;     // for a render stream: more_fill() is not used
  // The speakers of a capture stream's channels, as for device_map().
  uint32_t speakers = kUsualSpeakers;
  std::string device_id;
  ThreadPriority::Answer realtime;  // whether the audio thread got real-time priority
  Granted granted;
  bool echo_cancelled = false;  // the system takes the echo out of this microphone's sound
  DeviceTiming timing;
};

// An open stream of the system. It is created stopped, started once at most, and never again after
// stop(). Control thread. The destructor stops it.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual const StreamInfo& info() const = 0;  // any thread; does not change
  virtual Error start() = 0;
  // When it returns, no callback runs and none will come. May be called at any time and more than
  // once: before start(), after on_lost, and while a callback runs (it waits for it).
  virtual void stop() = 0;
  // The system's state of the device (volume, mute, meter), at most 250 ms old. The engine reads it
  // on the audio thread after every packet and every on_idle(): it must not lock, wait or query the
  // system. Any thread.
  virtual EndpointState endpoint() const noexcept { return {}; }
};

// Delivers packets by the clock from start() on, with silence while nothing plays. Follows the
// processes of the selection, and their children, as they begin and cease to play.
class ProcessStream : public Stream {
 public:
  virtual void select(const ProcessSelection& selection) = 0;  // control thread
};

// A virtual microphone made without a driver.
struct Cable {
  std::string render_id;  // the output to render to
  DeviceInfo microphone;  // the microphone that other programs select
};

// The environment variables of a child process, by their names.
using ChildEnvironment = std::vector<std::pair<std::string, std::string>>;

// How loud the sound of an output reaches a program that records the microphone of the same cable.
struct Hearing {
  double volume = 1;     // the product of the system's volumes on the way, linear; 0 if muted
  std::string quietest;  // the lowest volume's owner: a device's id, or kOwnStream
  // The next members concern a virtual mixer whose settings can be read.
  bool mixer_known = false;
  std::vector<std::string> buses;  // the buses that carry the sound: "B1"
  std::string mixer_problem;       // why no bus carries it

  // Stands for the volume that a mixer shows for this process's stream to that output.
  static constexpr char kOwnStream[] = "stream";

  void weaken(const std::string& device_id, double by) {
    volume *= by;
    if (by < least_) quietest = device_id;
    if (by < least_) least_ = by;
  }

 private:
  double least_ = 1;
};

enum class DeviceEvent : uint8_t { kAdded, kRemoved, kChanged, kDefaultChanged };

// Called on a thread of the backend that is no audio thread, one call at a time; it does not wait.
// It reports only that something changed: the receiver lists again. Calls may come for nothing.
class DeviceListener {
 public:
  virtual void on_devices_changed() noexcept = 0;  // the devices, their defaults, names or formats
  // the programs with a stream of either flow, its state or volume
  virtual void on_processes_changed() noexcept {}
  // The whole backend is gone (server died, service stopped). Streams have their own on_lost. It
  // may also come on the control thread, during a call that found out. Every later call to the host
  // fails with kBackendUnavailable; the engine makes another host at its next use.
  virtual void on_backend_lost(const Error& error) noexcept = 0;

 protected:
  ~DeviceListener() = default;
};

// A connection to an audio system, one for each environment that uses it. Control thread. Streams
// are destroyed before it.
//
// Errors say what to do next. The engine gives up at once on kPermissionDenied, kUnsupported and
// kFormatUnsupported. After any other error it tries to reopen a lost stream as long as the app's
// options allow; the first open() of a stream that fails is an error for the app. A
// kBackendUnavailable from list_devices() makes the engine connect once more before it fails.
class Host {
 public:
  virtual ~Host() = default;
  virtual Clock& clock() = 0;  // any thread

  // Every device in every state, in both directions. Replaces what `devices` holds.
  virtual Error list_devices(std::vector<DeviceInfo>* devices) = 0;
  virtual Error open_capture(const CaptureRequest& request, CaptureListener* listener,
                             std::unique_ptr<Stream>* stream) = 0;
  virtual Error open_render(const RenderRequest& request, RenderListener* listener,
                            std::unique_ptr<Stream>* stream) = 0;
  // There is one listener; null removes it, and after that returns no call runs and none will come.
  virtual void watch(DeviceListener* listener) = 0;

  // The methods from here on are optional: the default implementations return kUnsupported. The
  // engine uses these answers, and never the platform or the backend's name. EndpointState says
  // whether a device has a meter.

  // The ids of the outputs to which other processes than this one play something now.
  virtual Error list_playing(std::vector<std::string>* output_ids);
  // `taps` is called from open_processes() on, until the
  // stream's stop() has returned.
  virtual Error list_processes(const ProcessQuery& query, std::vector<ProcessInfo>* processes);
  virtual Error open_processes(const ProcessCaptureRequest& request, CaptureListener* listener,
                               TapListener* taps, std::unique_ptr<ProcessStream>* stream);

  // Whether make_cable() and make_speaker() are tried before the drivers' cables that the devices'
  // list shows.
  virtual bool makes_cables() const { return false; }
  // Makes a microphone called `name` without a driver and leaves the system's defaults as they
  // were. It is removed by remove_made(), by the destructor, and, when the process died, by the
  // next Host on that system.
  virtual Error make_cable(const std::string& name, const Format& format, Cable* cable);
  // The same for an output that other programs select and that is not connected to a microphone.
  // Its sound is recorded as a loopback of `output_id`.
  virtual Error make_speaker(const std::string& name, const Format& format, std::string* output_id);
  // `output_id`: the result of make_speaker(), or Cable::render_id.
  virtual void remove_made(const std::string& output_id) { (void)output_id; }
  // Moves the sound that these processes play elsewhere to `output_id`. `moved`: those that play
  // something.
  virtual Error move_processes(const std::vector<ProcessId>& processes,
                               const std::string& output_id, std::vector<ProcessId>* moved) {
    (void)processes, (void)output_id, (void)moved;
    return Error::none();
  }
  // Moves the sound that other programs play to the output of a cable made by this host to another
  // output. This process, and those that it started, may stay. `moved`: their names.
  virtual Error send_strangers_away(const std::string& output_id, std::vector<std::string>* moved) {
    (void)output_id, (void)moved;
    return Error::none();
  }
  // The variables with which a child process plays to `output_id` and records from `input_id`, as
  // far as it names no device itself. Either may be empty. An empty answer: there are no such
  // variables on this system.
  virtual Error child_environment(const std::string& output_id, const std::string& input_id,
                                  ChildEnvironment* variables) {
    (void)output_id, (void)input_id, (void)variables;
    return Error::none();
  }
  // How loud the sound played to `render_id` reaches programs that record `microphone_id`. If the
  // system does not report it: at full volume.
  virtual Error ask_hearing(const std::string&, const std::string&, Hearing*) {
    return Error::none();
  }
};

// An audio system of this build, as the registry lists it.
struct Backend {
  const char* name;  // the name that apps use: "pulse"
  // Connects, or fails with kBackendUnavailable and a remedy. Control thread.
  Error (*open)(std::unique_ptr<Host>* host);
};

inline Error refuse_api(const OpenOptions& options) {
  if (options.api == Api::kUsual) return Error::none();
  return Error::make(ErrorCode::kUnsupported,
                     "A microphone is recorded through WASAPI, MME and DirectSound on Windows only",
                     "leave api out");
}

inline Error Host::list_processes(const ProcessQuery&, std::vector<ProcessInfo>*) {
  return Error::make(ErrorCode::kUnsupported, "This audio backend does not list programs",
                     "use listDevices(), and a LoopbackSource for everything that an output plays");
}

inline Error Host::list_playing(std::vector<std::string>*) {
  return Error::make(ErrorCode::kUnsupported, "This audio backend does not list what plays", "");
}

inline Error Host::open_processes(const ProcessCaptureRequest&, CaptureListener*, TapListener*,
                                  std::unique_ptr<ProcessStream>*) {
  return Error::make(ErrorCode::kUnsupported, "This audio backend does not capture programs",
                     "use a LoopbackSource for everything that an output plays");
}

inline Error Host::make_cable(const std::string&, const Format&, Cable*) {
  return Error::make(
      ErrorCode::kUnsupported,
      "This audio backend cannot create a microphone, and no virtual cable was found",
      "install a virtual audio cable, and select its input as the microphone in "
      "the other program");
}

inline Error Host::make_speaker(const std::string&, const Format&, std::string*) {
  return Error::make(ErrorCode::kUnsupported,
                     "This audio backend cannot create an output, and no virtual cable was found",
                     "install a virtual audio cable, and select its output in the other program");
}

}  // namespace patchcord
