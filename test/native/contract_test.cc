// The registry's order, what a backend need not have, and that checked_host.h notices each rule
// that is broken.
#include <memory>
#include <string>
#include <vector>

#include "../../src/backend/checked_host.h"
#include "../../src/backend/registry.h"
#include "check.h"
#include "skeleton/skeleton_host.h"

using namespace patchcord;

namespace {

Error no_server(std::unique_ptr<Host>*) {
  return Error::make(ErrorCode::kBackendUnavailable, "no server", "start one");
}
Error broken_server(std::unique_ptr<Host>*) {
  return Error::make(ErrorCode::kTimeout, "no answer");
}

struct Silent final : CaptureListener, RenderListener, TapListener {
  void on_packet(const Packet&) noexcept override {}
  void on_idle(bool) noexcept override {}
  void on_render(void*, uint32_t, int64_t) noexcept override {}
  void on_underrun(uint32_t, bool) noexcept override {}
  void on_lost(const Error&) noexcept override {}
  void on_tap(const TapEvent&) noexcept override {}
};

// A backend whose streams do what the test says, to their listener.
struct Puppet final : Host {
  struct Strings final : Stream {
    const StreamInfo& info() const override { return opened; }
    Error start() override { return Error::none(); }
    void stop() override {}
    StreamInfo opened;
  };
  Clock& clock() override { return real_clock(); }
  Error list_devices(std::vector<DeviceInfo>*) override { return Error::none(); }
  Error open_capture(const CaptureRequest&, CaptureListener* listener,
                     std::unique_ptr<Stream>* stream) override {
    capture = listener;
    *stream = make();
    return Error::none();
  }
  Error open_render(const RenderRequest&, RenderListener* listener,
                    std::unique_ptr<Stream>* stream) override {
    render = listener;
    *stream = make();
    return Error::none();
  }
  void watch(DeviceListener*) override {}
  static std::unique_ptr<Stream> make() {
    auto stream = std::make_unique<Strings>();
    stream->opened.format = {48000, 2, SampleFormat::kF32};
    return stream;
  }
  CaptureListener* capture = nullptr;
  RenderListener* render = nullptr;
};

std::vector<std::string> broken;
void note(const char* rule) { broken.push_back(rule); }

struct Stage {
  Stage() : puppet(new Puppet), host(check_contract(std::unique_ptr<Host>(puppet), note)) {
    broken.clear();
    CHECK(!host->open_capture({}, &silent, &capture));
    CHECK(!host->open_render({}, &silent, &render));
  }
  Packet packet(int64_t position) {
    Packet one;
    one.frames = 480;
    one.position = position;
    return one;
  }
  bool breaks(const char* rule) {
    const bool is = broken.size() == 1 && broken[0] == rule;
    for (const std::string& each : broken) {
      if (!is) std::printf("  broken: %s\n", each.c_str());
    }
    broken.clear();
    return is;
  }

  Silent silent;
  Puppet* puppet;
  std::unique_ptr<Host> host;
  std::unique_ptr<Stream> capture, render;
};

}  // namespace

TEST("backends are tried in order until one connects") {
  std::unique_ptr<Host> host;
  CHECK(!open_host({{"first", no_server}, {"skeleton", open_skeleton_host}}, "", &host));
  CHECK(host != nullptr);
}

TEST("if none connects, the error is that of the first") {
  std::unique_ptr<Host> host;
  const Error error = open_host({{"first", no_server}, {"second", broken_server}}, "", &host);
  CHECK(error.code == ErrorCode::kBackendUnavailable && error.remedy == "start one" && !host);
}

TEST("a named backend is the only one that is tried") {
  std::unique_ptr<Host> host;
  const std::vector<Backend> known{{"skeleton", open_skeleton_host}, {"second", broken_server}};
  CHECK(open_host(known, "second", &host).code == ErrorCode::kTimeout);
  const Error unknown = open_host(known, "jack", &host);
  CHECK(unknown.code == ErrorCode::kBackendUnavailable);
  CHECK(unknown.remedy == "backends of this build: skeleton, second, simulated");
  CHECK(!host);
  CHECK(!open_host(known, "simulated", &host));
}

TEST("a build without a backend for its platform says so") {
  std::unique_ptr<Host> host;
  const Error error = open_host({}, "", &host);
  CHECK(error.code == ErrorCode::kBackendUnavailable);
  CHECK(error.remedy.find("SimulatedAudio") != std::string::npos);
}

TEST("the skeleton keeps to the contract, and what it lacks fails with the right error") {
  std::unique_ptr<Host> opened;
  CHECK(!open_skeleton_host(&opened));
  const std::unique_ptr<Host> host = check_contract(std::move(opened));
  Silent silent;
  std::vector<DeviceInfo> devices(1);
  CHECK(!host->list_devices(&devices) && devices.empty());

  std::unique_ptr<Stream> stream;
  CaptureRequest capture;
  capture.device_id = "mic";
  const Error missing = host->open_capture(capture, &silent, &stream);
  CHECK(missing.code == ErrorCode::kDeviceNotFound && missing.device_id == "mic" && !stream);
  RenderRequest render;
  render.device_id = "speakers";
  CHECK(host->open_render(render, &silent, &stream).code == ErrorCode::kDeviceNotFound && !stream);

  std::vector<ProcessInfo> processes;
  CHECK(host->list_processes({}, &processes).code == ErrorCode::kUnsupported);
  std::unique_ptr<ProcessStream> sum;
  CHECK(host->open_processes({}, &silent, &silent, &sum).code == ErrorCode::kUnsupported && !sum);
  Cable cable;
  CHECK(!host->makes_cables());
  const Error no_cable = host->make_cable("Microphone", {}, &cable);
  CHECK(no_cable.code == ErrorCode::kUnsupported && !no_cable.remedy.empty());
  Hearing hearing;
  CHECK(!host->ask_hearing("speakers", "mic", &hearing) && hearing.volume == 1);
}

TEST("a stream that keeps to the rules breaks none") {
  Stage stage;
  CHECK(!stage.capture->start());
  stage.puppet->capture->on_packet(stage.packet(0));
  stage.puppet->capture->on_packet(stage.packet(kNoPosition));
  stage.puppet->capture->on_idle(false);
  stage.puppet->capture->on_packet(stage.packet(4800));
  stage.puppet->capture->on_lost(Error::make(ErrorCode::kDeviceLost, "gone"));
  stage.capture->stop();
  stage.capture->stop();
  CHECK(!stage.render->start());
  float frames[2 * 480];
  stage.puppet->render->on_underrun(10, true);
  stage.puppet->render->on_render(frames, 480, kNoTime);
  CHECK(broken.empty());
}

TEST("each rule that a stream breaks is named") {
  Stage stage;
  stage.puppet->capture->on_idle(false);
  CHECK(stage.breaks("a listener is called after start()"));
  stage.puppet->render->on_lost(Error::make(ErrorCode::kDeviceLost, "gone"));
  CHECK(stage.breaks("a loss before start() is what start() returns"));

  CHECK(!stage.capture->start());
  stage.puppet->capture->on_packet(stage.packet(4800));
  stage.puppet->capture->on_packet(stage.packet(0));
  CHECK(stage.breaks("a position never goes back"));
  stage.puppet->capture->on_packet({});
  CHECK(stage.breaks("a packet has frames"));
  stage.puppet->capture->on_lost(Error::none());
  CHECK(stage.breaks("a loss says why"));
  stage.puppet->capture->on_lost(Error::make(ErrorCode::kDeviceLost, "gone"));
  CHECK(stage.breaks("on_lost comes once"));
  stage.puppet->capture->on_idle(false);
  CHECK(stage.breaks("on_lost is the last call"));
  CHECK(!stage.capture->start());
  CHECK(stage.breaks("a stream is started once"));

  Stage other;
  other.render->stop();
  CHECK(!other.render->start());
  CHECK(other.breaks("a stream is not started after stop()"));
  float frames[2];
  other.puppet->render->on_render(frames, 1, kNoTime);
  CHECK(other.breaks("no call comes after stop() has returned"));
}
