// Drives the WASAPI backend without Node and prints what it measured, one JSON object a line.
//
//   native_probe.exe list
//   native_probe.exe capture|loopback NAME SECONDS      a tone: level, frequency, noise, stamps
//   native_probe.exe render NAME SECONDS HZ DB [STALL_MS]   plays; stalls the callback once
//   half-way native_probe.exe lost capture|loopback|render NAME SECONDS   waits for the stream to
//   be lost native_probe.exe watch SECONDS                      counts notifications; prints the
//   defaults native_probe.exe churn COUNT                        opens and closes every kind of
//   stream native_probe.exe errors
//
// NAME is part of a device's name. Exits with 1 when what was asked could not be done.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../../src/backend/wasapi/com_support.h"
#include "../../src/backend/wasapi/wasapi_host.h"

namespace patchcord {
namespace {

constexpr double kPi = 3.14159265358979323846;

// As a JSON string; what is escaped may stand in an endpoint's name.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

int fail(const Error& error) {
  std::printf("{\"error\":%d,\"message\":%s,\"syscall\":%s,\"osCode\":%s,\"remedy\":%s}\n",
              static_cast<int>(error.code), quoted(error.message).c_str(),
              quoted(error.syscall).c_str(), quoted(error.os_code).c_str(),
              quoted(error.remedy).c_str());
  return 1;
}

std::unique_ptr<Host> connect() {
  std::unique_ptr<Host> host;
  const Error error = open_wasapi_host(&host);
  if (error) fail(error);
  return host;
}

// Active, of this flow, the name containing `part`; empty when there is none.
std::string find(Host* host, Flow flow, const std::string& part) {
  std::vector<DeviceInfo> devices;
  host->list_devices(&devices);
  for (const DeviceInfo& device : devices) {
    if (device.flow == flow && device.state == DeviceState::kActive &&
        device.name.find(part) != std::string::npos) {
      return device.id;
    }
  }
  fail(Error::make(ErrorCode::kDeviceNotFound, "no active device is called " + part));
  return {};
}

// How full the process's table of handles is. New ones take the lowest free places, so the highest
// of many new ones shows it; Wine answers GetProcessHandleCount with 0.
uintptr_t handles() {
  HANDLE fresh[256];
  uintptr_t highest = 0;
  for (HANDLE& handle : fresh) {
    handle = CreateEventW(nullptr, FALSE, FALSE, nullptr);
    highest = std::max(highest, reinterpret_cast<uintptr_t>(handle));
  }
  for (const HANDLE handle : fresh) CloseHandle(handle);
  return highest;
}

// How far timestamps are from a straight line through them.
class Stamps {
 public:
  explicit Stamps(size_t capacity) { points_.reserve(capacity); }
  void add(int64_t frame, int64_t time) {
    if (points_.size() < points_.capacity()) points_.push_back({frame, time});
  }
  void print(const char* name, uint32_t sample_rate) const {
    if (points_.size() < 10) return;
    const Point& origin = points_.front();
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (const Point& point : points_) {
      const double x = static_cast<double>(point.frame - origin.frame);
      const double y = static_cast<double>(point.time - origin.time);
      n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    const double slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    const double offset = (sy - slope * sx) / n;
    double square = 0, peak = 0;
    for (const Point& point : points_) {
      const double x = static_cast<double>(point.frame - origin.frame);
      const double residue = static_cast<double>(point.time - origin.time) - offset - slope * x;
      square += residue * residue;
      peak = std::max(peak, std::fabs(residue));
    }
    std::printf(
        ",\"%s\":{\"count\":%u,\"rmsUs\":%.1f,\"peakUs\":%.1f,\"rateHz\":%.2f,\"ppm\":%.1f}", name,
        static_cast<unsigned>(points_.size()), std::sqrt(square / n) / 1000, peak / 1000,
        1e9 / slope, (1e9 / slope / sample_rate - 1) * 1e6);
  }

 private:
  struct Point {
    int64_t frame;
    int64_t time;
  };
  std::vector<Point> points_;
};

void print_tone(const std::vector<float>& samples, uint32_t sample_rate) {
  double square = 0, first = -1, last = -1;
  int periods = -1;
  for (size_t i = 0; i < samples.size(); ++i) {
    square += static_cast<double>(samples[i]) * samples[i];
    if (i > 0 && samples[i - 1] < 0 && samples[i] >= 0) {
      last = static_cast<double>(i) - samples[i] / (samples[i] - samples[i - 1]);
      if (periods++ < 0) first = last;
    }
  }
  const double n = static_cast<double>(std::max<size_t>(samples.size(), 1));
  const double frequency = periods > 0 ? periods / (last - first) * sample_rate : 0;
  double re = 0, im = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2 * kPi * frequency * static_cast<double>(i) / sample_rate;
    re += samples[i] * std::cos(angle) * 2 / n;
    im += samples[i] * std::sin(angle) * 2 / n;
  }
  double noise = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2 * kPi * frequency * static_cast<double>(i) / sample_rate;
    const double residue = samples[i] - re * std::cos(angle) - im * std::sin(angle);
    noise += residue * residue;
  }
  std::printf(",\"rms\":%.4f,\"peakDb\":%.2f,\"hz\":%.2f,\"snrDb\":%.1f", std::sqrt(square / n),
              10 * std::log10(re * re + im * im + 1e-30), frequency,
              10 * std::log10((square - noise) / (noise + 1e-30)));
}

class Recorder final : public CaptureListener {
 public:
  Recorder(Clock* clock, uint32_t seconds) : clock_(clock), stamps_(seconds * 200) {
    samples_.reserve(static_cast<size_t>(seconds + 1) * kMaxRecordedRate);
  }
  void set_format(const Format& format) { format_ = format; }

  void on_packet(const Packet& packet) noexcept override {
    ++packets_;
    frames_ += packet.frames;
    silent_ += packet.data == nullptr;
    discontinuities_ += packet.discontinuity;
    if (position_ != kNoPosition && packet.position > position_) {
      missing_ += packet.position - position_;
    }
    position_ = packet.position + packet.frames;
    if (packet.time == kNoTime) {
      ++unstamped_;
    } else {
      stamps_.add(packet.position, packet.time);
      worst_age_ = std::max(worst_age_, clock_->now() - packet.time);
      backwards_ += packet.time <= time_;
      time_ = packet.time;
    }
    const auto* data = static_cast<const float*>(packet.data);
    for (uint32_t i = 0; i < packet.frames && samples_.size() < samples_.capacity(); ++i) {
      samples_.push_back(data == nullptr ? 0 : data[i * format_.channels]);
    }
  }
  void on_idle(bool) noexcept override { ++idles_; }
  void on_lost(const Error& error) noexcept override {
    error_ = error;
    lost_at_ = clock_->now();
    lost_ = true;
  }

  bool lost() const { return lost_; }
  int64_t lost_at() const { return lost_at_; }
  const Error& error() const { return error_; }

  // After stop().
  void print(const StreamInfo& info) const {
    std::printf(
        "{\"rate\":%u,\"channels\":%u,\"period\":%u,\"buffer\":%u,\"realtime\":%s,\"packets\":%u,"
        "\"frames\":%lld,\"silent\":%u,\"idles\":%u,\"missing\":%lld,\"discontinuities\":%u,"
        "\"unstamped\":%u,\"backwards\":%u,\"oldestMs\":%.2f",
        format_.sample_rate, format_.channels, info.period_frames, info.buffer_frames,
        info.realtime.granted ? "true" : "false", packets_, static_cast<long long>(frames_),
        silent_, idles_, static_cast<long long>(missing_), discontinuities_, unstamped_, backwards_,
        static_cast<double>(worst_age_) / kNsPerMs);
    stamps_.print("stamps", format_.sample_rate);
    print_tone(samples_, format_.sample_rate);
    std::printf("}\n");
  }

 private:
  static constexpr size_t kMaxRecordedRate = 96000;
  Clock* clock_;
  Format format_;
  Stamps stamps_;
  std::vector<float> samples_;
  uint32_t packets_ = 0, silent_ = 0, idles_ = 0, discontinuities_ = 0, unstamped_ = 0;
  uint32_t backwards_ = 0;
  int64_t frames_ = 0, missing_ = 0, position_ = kNoPosition, worst_age_ = 0, time_ = 0;
  Error error_;
  int64_t lost_at_ = 0;
  std::atomic<bool> lost_{false};
};

class Tone final : public RenderListener {
 public:
  Tone(Clock* clock, double hz, double db, uint32_t seconds)
      : clock_(clock), hz_(hz), amplitude_(std::pow(10, db / 20)), stamps_(seconds * 200) {}
  void set_format(const Format& format) { format_ = format; }
  void stall(int64_t ns) { stall_ns_ = ns; }

  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override {
    const int64_t now = clock_->now();
    // A listener must never block like this: the device underruns.
    if (const int64_t stall = stall_ns_.exchange(0)) Sleep(static_cast<DWORD>(stall / kNsPerMs));
    auto* samples = static_cast<float*>(data);
    for (uint32_t i = 0; i < frames; ++i) {
      const double turns =
          std::fmod(hz_ / format_.sample_rate * static_cast<double>(frame_ + i), 1);
      const auto value = static_cast<float>(amplitude_ * std::sin(2 * kPi * turns));
      for (uint32_t c = 0; c < format_.channels; ++c) samples[i * format_.channels + c] = value;
    }
    if (play_time == kNoTime) {
      ++untimed_;
    } else {
      stamps_.add(frame_, play_time);
      least_lead_ = std::min(least_lead_, play_time - now);
      most_lead_ = std::max(most_lead_, play_time - now);
    }
    frame_ += frames;
    ++calls_;
  }
  void on_underrun(uint32_t frames, bool) noexcept override {
    ++underruns_;
    underrun_frames_ += frames;
  }
  void on_lost(const Error& error) noexcept override {
    error_ = error;
    lost_at_ = clock_->now();
    lost_ = true;
  }

  bool lost() const { return lost_; }
  int64_t lost_at() const { return lost_at_; }
  const Error& error() const { return error_; }

  void print(const StreamInfo& info) const {
    std::printf(
        "{\"rate\":%u,\"channels\":%u,\"period\":%u,\"buffer\":%u,\"realtime\":%s,\"calls\":%u,"
        "\"frames\":%lld,\"underruns\":%u,\"underrunFrames\":%u,\"untimed\":%u,\"leadMs\":[%.2f,%."
        "2f]",
        format_.sample_rate, format_.channels, info.period_frames, info.buffer_frames,
        info.realtime.granted ? "true" : "false", calls_, static_cast<long long>(frame_),
        underruns_, underrun_frames_, untimed_, static_cast<double>(least_lead_) / kNsPerMs,
        static_cast<double>(most_lead_) / kNsPerMs);
    stamps_.print("playTimes", format_.sample_rate);
    std::printf("}\n");
  }

 private:
  Clock* clock_;
  double hz_, amplitude_;
  Format format_;
  Stamps stamps_;
  std::atomic<int64_t> stall_ns_{0};
  int64_t frame_ = 0, least_lead_ = INT64_MAX, most_lead_ = INT64_MIN;
  uint32_t calls_ = 0, underruns_ = 0, underrun_frames_ = 0, untimed_ = 0;
  Error error_;
  int64_t lost_at_ = 0;
  std::atomic<bool> lost_{false};
};

class Watcher final : public DeviceListener {
 public:
  void on_devices_changed() noexcept override { ++changes_; }
  void on_backend_lost(const Error&) noexcept override { ++changes_; }
  uint32_t changes() const { return changes_; }

 private:
  std::atomic<uint32_t> changes_{0};
};

CaptureRequest capture_request(Host* host, const std::string& kind, const std::string& name) {
  CaptureRequest request;
  const bool loopback = kind == "loopback";
  request.kind = loopback ? CaptureRequest::Kind::kLoopback : CaptureRequest::Kind::kMicrophone;
  request.device_id = find(host, loopback ? Flow::kOutput : Flow::kInput, name);
  return request;
}

RenderRequest render_request(Host* host, const std::string& name) {
  RenderRequest request;
  request.device_id = find(host, Flow::kOutput, name);
  return request;
}

int list(Host* host) {
  std::vector<DeviceInfo> devices;
  const Error error = host->list_devices(&devices);
  if (error) return fail(error);
  for (const DeviceInfo& device : devices) {
    std::printf(
        "{\"name\":%s,\"id\":%s,\"flow\":\"%s\",\"state\":%d,\"console\":%s,"
        "\"communications\":%s,\"rate\":%u,\"channels\":%u,\"sampleFormat\":%d,\"virtual\":%s,"
        "\"driver\":%s,\"peer\":%s}\n",
        quoted(device.name).c_str(), quoted(device.id).c_str(),
        device.flow == Flow::kInput ? "input" : "output", static_cast<int>(device.state),
        device.default_console ? "true" : "false", device.default_communications ? "true" : "false",
        device.format.sample_rate, device.format.channels,
        static_cast<int>(device.format.sample_format), device.is_virtual ? "true" : "false",
        quoted(device.driver).c_str(), quoted(device.peer_id).c_str());
  }
  return 0;
}

int record(Host* host, const std::string& kind, const std::string& name, uint32_t seconds) {
  Recorder recorder(&host->clock(), seconds);
  std::unique_ptr<Stream> stream;
  Error error = host->open_capture(capture_request(host, kind, name), &recorder, &stream);
  if (error) return fail(error);
  recorder.set_format(stream->info().format);
  error = stream->start();
  if (error) return fail(error);
  Sleep(seconds * 1000);
  stream->stop();
  recorder.print(stream->info());
  return recorder.lost() ? fail(recorder.error()) : 0;
}

int render(Host* host, const std::string& name, uint32_t seconds, double hz, double db,
           uint32_t latency_ms, uint32_t stall_ms) {
  Tone tone(&host->clock(), hz, db, seconds);
  std::unique_ptr<Stream> stream;
  RenderRequest request = render_request(host, name);
  request.latency_ms = latency_ms;
  Error error = host->open_render(request, &tone, &stream);
  if (error) return fail(error);
  tone.set_format(stream->info().format);
  error = stream->start();
  if (error) return fail(error);
  Sleep(seconds * 500);
  tone.stall(stall_ms * kNsPerMs);
  Sleep(seconds * 500);
  stream->stop();
  tone.print(stream->info());
  return tone.lost() ? fail(tone.error()) : 0;
}

template <class Listener>
int wait_for_loss(Stream* stream, Listener* listener, uint32_t seconds) {
  Error error = stream->start();
  if (error) return fail(error);
  std::printf("{\"running\":true}\n");
  std::fflush(stdout);
  for (uint32_t i = 0; i < seconds * 100 && !listener->lost(); ++i) Sleep(10);
  stream->stop();
  stream->stop();
  if (!listener->lost()) return fail(Error::make(ErrorCode::kTimeout, "the stream was not lost"));
  fail(listener->error());
  std::printf("{\"lostAtNs\":%lld}\n", static_cast<long long>(listener->lost_at()));
  return 0;
}

int lose(Host* host, const std::string& kind, const std::string& name, uint32_t seconds) {
  std::unique_ptr<Stream> stream;
  Recorder recorder(&host->clock(), seconds);
  Tone tone(&host->clock(), 440, -12, seconds);
  const bool plays = kind == "render";
  const Error error =
      plays ? host->open_render(render_request(host, name), &tone, &stream)
            : host->open_capture(capture_request(host, kind, name), &recorder, &stream);
  if (error) return fail(error);
  tone.set_format(stream->info().format);
  recorder.set_format(stream->info().format);
  return plays ? wait_for_loss(stream.get(), &tone, seconds)
               : wait_for_loss(stream.get(), &recorder, seconds);
}

int watch(Host* host, uint32_t seconds) {
  Watcher watcher;
  host->watch(&watcher);
  std::printf("{\"watching\":true}\n");
  std::fflush(stdout);
  for (uint32_t i = 0; i < seconds * 100 && watcher.changes() == 0; ++i) Sleep(10);
  Sleep(200);
  host->watch(nullptr);
  std::printf("{\"changes\":%u}\n", watcher.changes());
  return list(host);
}

int churn(Host* host, uint32_t count) {
  std::vector<DeviceInfo> devices;
  host->list_devices(&devices);
  std::string input, output;
  for (const DeviceInfo& device : devices) {
    if (device.default_console) (device.flow == Flow::kInput ? input : output) = device.id;
  }
  uintptr_t settled = 0;
  const int64_t begin = host->clock().now();
  for (uint32_t i = 0; i < count; ++i) {
    Recorder recorder(&host->clock(), 0);
    Tone tone(&host->clock(), 440, -30, 0);
    std::unique_ptr<Stream> stream;
    Error error;
    if (i % 3 == 2) {
      RenderRequest request;
      request.device_id = output;
      error = host->open_render(request, &tone, &stream);
    } else {
      CaptureRequest request;
      request.kind =
          i % 3 == 0 ? CaptureRequest::Kind::kMicrophone : CaptureRequest::Kind::kLoopback;
      request.device_id = i % 3 == 0 ? input : output;
      error = host->open_capture(request, &recorder, &stream);
    }
    if (error) return fail(error);
    recorder.set_format(stream->info().format);
    tone.set_format(stream->info().format);
    // Every fourth is closed without having run.
    if (i % 4 != 0) error = stream->start();
    if (error) return fail(error);
    if (i % 4 == 2) Sleep(15);
    stream.reset();
    if (i == count / 2) settled = handles();
  }
  std::printf("{\"opens\":%u,\"highestHandleHalfway\":%lu,\"highestHandle\":%lu,\"msEach\":%.2f}\n",
              count, static_cast<unsigned long>(settled), static_cast<unsigned long>(handles()),
              static_cast<double>(host->clock().now() - begin) / kNsPerMs / count);
  return handles() > settled ? 1 : 0;
}

int errors(Host* host) {
  Recorder recorder(&host->clock(), 1);
  std::unique_ptr<Stream> stream;
  std::vector<DeviceInfo> devices;
  host->list_devices(&devices);
  CaptureRequest request;
  for (const char* id :
       {"nothing", "", "{0.0.1.00000000}.{00000000-0000-0000-0000-000000000000}"}) {
    request.device_id = id;
    fail(host->open_capture(request, &recorder, &stream));
  }
  for (const DeviceInfo& device : devices) {
    if (device.flow == Flow::kOutput) request.device_id = device.id;
  }
  fail(host->open_capture(request, &recorder, &stream));
  Cable cable;
  fail(host->make_cable("patchcord", Format(), &cable));
  return stream == nullptr ? 0 : 1;
}

int run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "list";
  const auto text = [&](int i) { return std::string(argc > i ? argv[i] : ""); };
  const auto number = [&](int i) { return argc > i ? std::atof(argv[i]) : 0; };
  const auto count = [&](int i) { return static_cast<uint32_t>(number(i)); };
  const std::unique_ptr<Host> host = connect();
  if (host == nullptr) return 1;
  if (command == "list") return list(host.get());
  if (command == "capture" || command == "loopback") {
    return record(host.get(), command, text(2), count(3));
  }
  if (command == "render") {
    return render(host.get(), text(2), count(3), number(4), number(5), count(6), count(7));
  }
  if (command == "lost") return lose(host.get(), text(2), text(3), count(4));
  if (command == "watch") return watch(host.get(), count(2));
  if (command == "churn") return churn(host.get(), count(2));
  if (command == "errors") return errors(host.get());
  return fail(Error::make(ErrorCode::kUnsupported, "no such command: " + command));
}

}  // namespace
}  // namespace patchcord

int main(int argc, char** argv) {
  const int result = patchcord::run(argc, argv);
#ifndef NDEBUG
  const int references = patchcord::live_com_references;
  std::printf("{\"comReferences\":%d}\n", references);
  if (references != 0) return 1;
#endif
  return result;
}
