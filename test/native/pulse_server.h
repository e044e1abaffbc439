// The common code of the PulseAudio backend's tests. They run against a private server with the
// devices of test/servers.mjs: sinks `speakers` (default), `headset` and `micfeed`, source `mic`
// (default) that carries `micfeed`. Also for PipeWire: node test/servers.mjs pipewire
// build/native-tests/address/pulse_test
#pragma once

#include <dirent.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../../src/backend/checked_host.h"
#include "../../src/backend/pulse/pulse_host.h"
#include "check.h"

#ifdef __SANITIZE_THREAD__
// libpulse is not instrumented: its atomics order nothing that ThreadSanitizer can see. Its calls
// of intercepted functions are ignored, and so are its mutexes made on first use; locks are still
// followed, and all our accesses are checked.
extern "C" const char* __tsan_default_options() { return "ignore_interceptors_accesses=1"; }
extern "C" const char* __tsan_default_suppressions() { return "race:^pa_mutex_lock$\n"; }
#endif

namespace pulse_server {

using namespace patchcord;

// Limits a wait for an event that must come; no check passes just because time went by.
inline bool eventually(const std::function<bool()>& condition, double seconds = 10) {
  const int64_t end = real_clock().now() + static_cast<int64_t>(seconds * 1e9);
  while (real_clock().now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

struct Recorder final : CaptureListener {
  // Reserved: on_packet must not allocate.
  explicit Recorder(uint32_t channel_count = 2) : channels(channel_count) {
    samples.reserve(48000 * 30);
    packets.reserve(20000);
  }
  void on_packet(const Packet& packet) noexcept override {
    const float* data = static_cast<const float*>(packet.data);
    for (uint32_t i = 0; i < packet.frames && samples.size() < samples.capacity(); ++i) {
      samples.push_back(data ? data[i * channels] : 0);
    }
    if (packets.size() < packets.capacity()) packets.push_back(packet);
    frames += packet.frames;
  }
  void on_idle(bool) noexcept override { ++idles; }
  void on_lost(const Error& error) noexcept override {
    code = error.code;
    ++losses;
  }

  const uint32_t channels;
  std::vector<float> samples;
  std::vector<Packet> packets;
  std::atomic<uint64_t> frames{0};
  std::atomic<int> idles{0};
  std::atomic<int> losses{0};
  std::atomic<ErrorCode> code{ErrorCode::kNone};
};

struct Tone final : RenderListener {
  explicit Tone(double frequency_hz, double peak) : frequency(frequency_hz), amplitude(peak) {}
  void on_render(void* data, uint32_t count, int64_t play_time) noexcept override {
    float* out = static_cast<float*>(data);
    for (uint32_t i = 0; i < count; ++i, ++frame) {
      const double phase = 2 * M_PI * frequency * static_cast<double>(frame) / 48000;
      const float value = static_cast<float>(amplitude * std::sin(phase));
      for (uint32_t c = 0; c < channels; ++c) *out++ = value;
    }
    frames += count;
    if (real_clock().now() - skipped_at < 5 * kNsPerMs) burst += count;
    if (skipped && play_time == kNoTime) ++untold;
    skipped = false;
    if (stall.exchange(false)) std::this_thread::sleep_for(std::chrono::seconds(1));
    if (play_time != kNoTime) {
      ++timed;
      if (play_time < last_time) ++backwards;
      last_time = play_time;
    }
  }
  void on_underrun(uint32_t passed, bool) noexcept override {
    ++underruns;
    if (passed == 0) ++unplaced;
    if (passed % multiple != 0) ++uneven;
    skipped = passed > 0;
    if (skipped) {
      skipped_at = real_clock().now();
      burst = 0;
    }
    passed_frames += passed;
  }
  void on_lost(const Error& error) noexcept override {
    code = error.code;
    ++losses;
  }

  const double frequency;
  const double amplitude;
  uint32_t channels = 2;
  uint64_t frame = 0;
  int64_t last_time = 0;
  bool skipped = false;  // since the last frame
  int64_t skipped_at = 0;
  uint32_t multiple = 1;
  std::atomic<uint32_t> burst{0};  // frames asked for in the 5 ms behind the last skip
  std::atomic<int> uneven{0};      // skips that were no multiple
  std::atomic<int> unplaced{0};    // underruns of which nothing had passed
  std::atomic<uint64_t> frames{0};
  std::atomic<int> timed{0};
  std::atomic<int> untold{0};  // skips after which the next frame had no time
  std::atomic<int> backwards{0};
  std::atomic<int> underruns{0};
  std::atomic<uint64_t> passed_frames{0};
  std::atomic<bool> stall{false};
  std::atomic<int> losses{0};
  std::atomic<ErrorCode> code{ErrorCode::kNone};
};

struct Taps final : TapListener {
  void on_tap(const TapEvent& event) noexcept override {
    if (event.kind == TapEvent::Kind::kAttached) ++attached;
    if (event.kind == TapEvent::Kind::kDetached) ++detached;
    if (event.kind == TapEvent::Kind::kFailed) ++failed;
  }
  std::atomic<int> attached{0};
  std::atomic<int> detached{0};
  std::atomic<int> failed{0};
};

struct Watcher final : DeviceListener {
  void on_devices_changed() noexcept override { ++changes; }
  void on_backend_lost(const Error& error) noexcept override {
    code = error.code;
    ++losses;
  }
  std::atomic<int> changes{0};
  std::atomic<int> losses{0};
  std::atomic<ErrorCode> code{ErrorCode::kNone};
};

inline std::unique_ptr<Host> connect() {
  std::unique_ptr<Host> host;
  const Error error = open_pulse_host(&host);
  if (error) std::printf("  %s (%s)\n", error.message.c_str(), error.os_code.c_str());
  CHECK(!error);
  return error ? nullptr : check_contract(std::move(host));
}

inline std::vector<DeviceInfo> list(Host& host) {
  std::vector<DeviceInfo> devices;
  CHECK(!host.list_devices(&devices));
  return devices;
}

inline const DeviceInfo* find(const std::vector<DeviceInfo>& devices, const std::string& id) {
  for (const DeviceInfo& device : devices) {
    if (device.id == id) return &device;
  }
  return nullptr;
}

inline std::unique_ptr<Stream> capture(Host& host, CaptureListener* listener, const std::string& id,
                                       bool loopback = false) {
  CaptureRequest request;
  request.kind = loopback ? CaptureRequest::Kind::kLoopback : CaptureRequest::Kind::kMicrophone;
  request.device_id = id;
  std::unique_ptr<Stream> stream;
  const Error error = host.open_capture(request, listener, &stream);
  if (error) std::printf("  %s: %s\n", id.c_str(), error.message.c_str());
  CHECK(!error);
  return stream;
}

inline std::unique_ptr<Stream> render(Host& host, RenderListener* listener, const std::string& id) {
  RenderRequest request;
  request.device_id = id;
  // Machines that run tests are busy: what is judged here is the sound, not the scheduler.
  request.latency_ms = 200;
  std::unique_ptr<Stream> stream;
  const Error error = host.open_render(request, listener, &stream);
  if (error) std::printf("  %s: %s\n", id.c_str(), error.message.c_str());
  CHECK(!error);
  return stream;
}

// Captures all programs, including these tests.
inline std::unique_ptr<ProcessStream> capture_programs(Host& host, CaptureListener* listener,
                                                       TapListener* taps) {
  ProcessCaptureRequest request;
  request.selection.everything = true;
  std::unique_ptr<ProcessStream> stream;
  CHECK(!host.open_processes(request, listener, taps, &stream));
  return stream;
}

struct Level {
  double rms;
  double frequency;
};

// The level of the last second: earlier samples may be from before the tone.
inline Level measure(const std::vector<float>& samples) {
  const size_t begin = samples.size() - 48000;
  double power = 0;
  size_t first = 0;
  size_t last = 0;
  int cycles = -1;
  for (size_t i = begin + 1; i < samples.size(); ++i) {
    power += static_cast<double>(samples[i]) * samples[i];
    if (samples[i - 1] < 0 && samples[i] >= 0) {
      if (cycles++ < 0) first = i;
      last = i;
    }
  }
  return {std::sqrt(power / 48000),
          cycles > 0 ? 48000.0 * cycles / static_cast<double>(last - first) : 0};
}

inline std::string pactl(const std::string& command) {
  std::string output;
  FILE* pipe = popen(("LC_ALL=C.UTF-8 pactl " + command).c_str(), "r");
  for (int c; pipe && (c = fgetc(pipe)) != EOF;) output += static_cast<char>(c);
  if (pipe) pclose(pipe);
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

inline bool on_pipewire() { return pactl("info").find("PipeWire") != std::string::npos; }

inline size_t count_ours() {
  const std::string modules = pactl("list short modules");
  size_t count = 0;
  for (size_t at = 0; (at = modules.find("patchcord.instance=", at)) != std::string::npos; ++at) {
    ++count;
  }
  return count;
}

// The process that listens on PULSE_SERVER; 0 unless that is a test's own server.
inline pid_t server_pid() {
  const char* server = std::getenv("PULSE_SERVER");
  if (!server || std::string(server).find("unix:") != 0 ||
      std::string(server).find("/patchcord-") == std::string::npos) {
    return 0;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, server + 5, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    peer.pid = 0;
  }
  close(fd);
  return peer.pid;
}

inline int open_files() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder)) ++count;
  closedir(folder);
  return count;
}

inline long resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") {
      long kb = 0;
      status >> kb;
      return kb;
    }
  }
  return 0;
}

}  // namespace pulse_server
