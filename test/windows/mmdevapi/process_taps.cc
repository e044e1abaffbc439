#include "process_taps.h"

#include <algorithm>
#include <utility>

namespace patchcord {

class ProcessTaps::TapStream final : public Stream {
 public:
  TapStream(ProcessTaps* taps, std::string id, std::unique_ptr<Stream> loopback)
      : taps_(taps), id_(std::move(id)), loopback_(std::move(loopback)) {}
  ~TapStream() override {
    loopback_ = nullptr;
    taps_->close(id_);
  }

  const StreamInfo& info() const override { return loopback_->info(); }
  Error start() override { return loopback_->start(); }
  void stop() override { loopback_->stop(); }

 private:
  ProcessTaps* const taps_;
  const std::string id_;
  std::unique_ptr<Stream> loopback_;
};

ProcessTaps::ProcessTaps() { World::create({}, &world_); }

void ProcessTaps::set_parent(uint32_t pid, uint32_t parent) {
  std::lock_guard<std::mutex> lock(mutex_);
  parents_[pid] = parent;
  update();
}

void ProcessTaps::set_silence(Silence silence) {
  std::lock_guard<std::mutex> lock(mutex_);
  silence_ = silence;
}

void ProcessTaps::service(bool runs) {
  if (runs) {
    world_->server_back();
  } else {
    world_->server_gone();
  }
}

void ProcessTaps::play(const std::string& output, uint32_t pid, SignalPtr signal) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto same = [&](const Sound& s) { return s.output == output && s.pid == pid; };
  sounds_.erase(std::remove_if(sounds_.begin(), sounds_.end(), same), sounds_.end());
  if (signal != nullptr) sounds_.push_back({output, pid, std::move(signal)});
  update();
}

Error ProcessTaps::open(uint32_t pid, Mode mode, const Format& format, CaptureListener* listener,
                        std::unique_ptr<Stream>* stream) {
  std::lock_guard<std::mutex> lock(mutex_);
  const std::string id = "tap-" + std::to_string(++taps_made_);
  DeviceDescription device;
  device.id = device.name = id;
  device.flow = Flow::kOutput;
  device.format = format;
  device.idle_silence = silence_ == Silence::kPackets;
  if (Error error = world_->add_device(device)) return error;
  CaptureRequest request;
  request.kind = CaptureRequest::Kind::kLoopback;
  request.device_id = id;
  std::unique_ptr<Stream> loopback;
  if (Error error = world_->open_capture(request, listener, &loopback)) return error;
  taps_.push_back({id, pid, mode});
  update();
  *stream = std::make_unique<TapStream>(this, id, std::move(loopback));
  return Error::none();
}

void ProcessTaps::close(const std::string& id) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    taps_.erase(
        std::remove_if(taps_.begin(), taps_.end(), [&](const Tap& tap) { return tap.id == id; }),
        taps_.end());
  }
  world_->remove_device(id);
}

void ProcessTaps::update() {
  for (const Tap& tap : taps_) {
    std::vector<SignalPtr> heard;
    for (const Sound& sound : sounds_) {
      if (hears(tap, sound.pid)) heard.push_back(sound.signal);
    }
    if (heard.empty()) {
      world_->stop(tap.id);
    } else {
      world_->play(tap.id, sum(std::move(heard)));
    }
  }
}

bool ProcessTaps::hears(const Tap& tap, uint32_t pid) const {
  return is_in_tree(pid, tap.pid) == (tap.mode == Mode::kIncludeTree);
}

bool ProcessTaps::is_in_tree(uint32_t pid, uint32_t root) const {
  // A script may have made a circle of parents.
  for (size_t depth = 0; pid != kNobody && depth <= parents_.size(); ++depth) {
    if (pid == root) return true;
    const auto parent = parents_.find(pid);
    if (parent == parents_.end()) return false;
    pid = parent->second;
  }
  return false;
}

}  // namespace patchcord
