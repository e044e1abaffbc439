// Random commands to an engine graph on real devices of a Host, as the addon would give them: one
// thread connects and reads, a control thread opens, leaves and closes devices, the backend's and
// the clock's threads carry the sound. The sanitizers judge, and so does every reader: a timeline
// has no gap. A sequence is named by its number: PATCHCORD_SEQUENCES=<first>:<count>.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../src/backend/backend.h"
#include "../../src/core/graph/frame_queue.h"
#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "../../src/core/graph/written_queue.h"
#include "check.h"

namespace sequences {

using namespace patchcord;

// The control thread: what is asked of it is done in order.
class Control {
 public:
  Control() : thread_([this] { run(); }) {}
  ~Control() {
    post(nullptr);
    thread_.join();
  }
  void post(std::function<void()> work) {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_one();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !queue_.empty(); });
      std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (!work) return;
      work();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::thread thread_;
};

// A device's place, control thread: a stream, or the clock task that stands in for it.
class Slot {
 public:
  virtual ~Slot() { close(); }
  virtual void stand_in() noexcept = 0;
  void leave(Clock& clock) {
    if (!stream_) return;
    close();
    absence_ = clock.start("absence", Priority::kAudio, [this](int64_t now) {
      stand_in();
      return now + 10 * kNsPerMs;
    });
  }
  void close() {
    absence_.reset();
    if (stream_) stream_->stop();
    stream_.reset();
  }

 protected:
  std::unique_ptr<Stream> stream_;

 private:
  std::unique_ptr<Clock::Task> absence_;
};

class Capture final : public CaptureListener, public Slot {
 public:
  Capture(Clock& clock, const SourceNode::Config& config) : node(clock, config) {}
  ~Capture() { close(); }
  void open(Host& host, const CaptureRequest& request) {
    std::unique_ptr<Stream> stream;
    if (host.open_capture(request, this, &stream)) return;
    close();
    stream_ = std::move(stream);
    node.open(stream_->info().format);
    if (stream_->start()) leave(host.clock());
  }
  void stand_in() noexcept override { node.absent(); }
  void on_packet(const Packet& packet) noexcept override {
    node.packet(packet.data, packet.frames, packet.position, packet.time, packet.discontinuity);
  }
  void on_idle(bool quiet) noexcept override { node.idle(quiet); }
  void on_lost(const Error&) noexcept override { lost.store(true); }

  SourceNode node;
  std::atomic<bool> lost{false};
};

class Render final : public RenderListener, public Slot {
 public:
  explicit Render(Clock& clock) : node(clock) {}
  ~Render() { close(); }
  void open(Host& host, const RenderRequest& request) {
    std::unique_ptr<Stream> stream;
    if (host.open_render(request, this, &stream)) return;
    close();
    stream_ = std::move(stream);
    node.open(stream_->info().format);
    opened.store(true);
    if (stream_->start()) leave(host.clock());
  }
  void stand_in() noexcept override { node.absent(); }
  void on_render(void* data, uint32_t frames, int64_t play_time) noexcept override {
    node.render(data, frames, play_time);
  }
  void on_underrun(uint32_t frames, bool here) noexcept override { node.underrun(frames, here); }
  void on_lost(const Error&) noexcept override { lost.store(true); }

  SinkNode node;
  std::atomic<bool> opened{false}, lost{false};
};

struct Places {
  std::vector<std::string> inputs, outputs;
};

// Frames that any reader got: a run in which there are none has tried nothing.
inline uint64_t& read_frames() {
  static uint64_t frames = 0;
  return frames;
}

// One sequence. `disturb` does something to the devices, by a random number.
class Sequence {
 public:
  Sequence(Host& host, const Places& places, std::function<void(uint32_t)> disturb, uint32_t seed)
      : host_(host), places_(places), disturb_(std::move(disturb)), random_(seed) {}

  void run() {
    for (uint32_t left = 8 + below(24); left > 0; --left) {
      step();
      if (below(3) == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(below(4000)));
      }
      read_all();
    }
    // Everything at once, in any order, as destroy() does.
    for (auto& sink : sinks_) {
      control_.post([sink] { sink->close(); });
    }
    for (auto& source : sources_) {
      control_.post([source] {
        source->close();
        source->node.finish();
      });
    }
    pump_.reset();
    std::mutex mutex;
    std::condition_variable over;
    bool done = false;
    control_.post([&] {
      std::lock_guard<std::mutex> lock(mutex);
      done = true;
      over.notify_one();
    });
    std::unique_lock<std::mutex> lock(mutex);
    over.wait(lock, [&] { return done; });
    read_all();
    for (const Reader& reader : readers_) {
      if (!reader.source->node.stats().packets) continue;
      CHECK(reader.queue->ended());
    }
  }

 private:
  struct Reader {
    std::shared_ptr<Capture> source;
    std::shared_ptr<FrameQueue> queue;
    bool begun = false;
    uint64_t next = 0;
  };
  struct Link {
    std::shared_ptr<Capture> source;
    std::shared_ptr<LiveInput> live;
  };

  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  template <typename T>
  T pick(const std::vector<T>& all) {
    return all[below(static_cast<uint32_t>(all.size()))];
  }

  void step() {
    switch (below(20)) {
      case 0:
      case 1:
        return open_source();
      case 2:
        return open_sink();
      case 3:
      case 4:
        return with(sources_, [this](auto source) { reopen(source, below(2) == 0); });
      case 5:
        return with(sinks_, [this](auto sink) { reopen(sink); });
      case 6:
        return with(sources_, [this](auto source) { leave(source); });
      case 7:
        return with(sinks_, [this](auto sink) { leave(sink); });
      case 8:
        return with(sources_, [this](auto source) {
          control_.post([source] {
            source->close();
            source->node.finish();
          });
        });
      case 9:
      case 10:
        return with(sources_, [this](auto source) { attach(source); });
      case 11:
        return detach();
      case 12:
      case 13:
        return with(sources_, [this](auto source) { link(source); });
      case 14:
        return unlink();
      case 15:
        return with(sinks_, [this](auto sink) { publish(*sink); });
      case 16:
        return with(sources_, [this](auto source) {
          source->node.set_enabled(below(2) == 0);
          (void)source->node.meter().snapshot();
          (void)source->node.anchor().time_at(480);
          source->node.events()->take();
        });
      case 17:
        if (pump_) {
          pump_.reset();
        } else if (driver_ == nullptr) {
          pump_ = host_.clock().start("pump", Priority::kAudio,
                                      [mixer = mixer_](int64_t now) { return mixer->pump(now); });
        }
        return;
      default:
        return disturb_(random_());
    }
  }

  template <typename T, typename Do>
  void with(const std::vector<T>& all, Do act) {
    if (!all.empty()) act(pick(all));
  }

  void open_source() {
    if (sources_.size() >= 6) return;
    SourceNode::Config config;
    config.sample_rate = pick(std::vector<uint32_t>{48000, 44100, 16000});
    config.channels = 1 + below(2);
    config.host_clock = below(2) == 0;
    config.start = host_.clock().now();
    config.fills_idle = below(2) == 0;
    auto source = std::make_shared<Capture>(host_.clock(), config);
    sources_.push_back(source);
    reopen(source, config.fills_idle);
  }

  void reopen(const std::shared_ptr<Capture>& source, bool loopback) {
    CaptureRequest request;
    request.kind = loopback ? CaptureRequest::Kind::kLoopback : CaptureRequest::Kind::kMicrophone;
    request.device_id = pick(loopback ? places_.outputs : places_.inputs);
    request.preferred = {48000, 2, SampleFormat::kF32};
    control_.post([this, source, request] { source->open(host_, request); });
  }

  void open_sink() {
    if (sinks_.size() >= 3) return;
    sinks_.push_back(std::make_shared<Render>(host_.clock()));
    reopen(sinks_.back());
  }

  void reopen(const std::shared_ptr<Render>& sink) {
    RenderRequest request;
    request.device_id = pick(places_.outputs);
    request.preferred = {48000, 2, SampleFormat::kF32};
    control_.post([this, sink, request] { sink->open(host_, request); });
  }

  template <typename T>
  void leave(const std::shared_ptr<T>& one) {
    control_.post([this, one] { one->leave(host_.clock()); });
  }

  void attach(const std::shared_ptr<Capture>& source) {
    const SourceNode::Config& config = source->node.config();
    auto queue = std::make_shared<FrameQueue>(config.channels, config.sample_rate, 4800);
    source->node.attach(queue, nullptr);
    readers_.push_back({source, queue});
  }

  void detach() {
    if (readers_.empty()) return;
    const uint32_t at = below(static_cast<uint32_t>(readers_.size()));
    readers_[at].source->node.detach(readers_[at].queue.get());
    readers_.erase(readers_.begin() + at);
  }

  void link(const std::shared_ptr<Capture>& source) {
    if (links_.size() >= 6) return;
    const SourceNode::Config& config = source->node.config();
    auto queue = std::make_shared<FrameQueue>(config.channels, config.sample_rate, 48000);
    auto live = std::make_shared<LiveInput>(queue, 48000, 2);
    source->node.attach(queue, nullptr);
    links_.push_back({source, live});
    publish_mixer();
  }

  void unlink() {
    if (links_.empty()) return;
    const Link link = links_.back();
    links_.pop_back();
    publish_mixer();
    link.source->node.detach(link.live->queue().get());
  }

  void publish_mixer() {
    std::vector<MixerNode::Input> inputs;
    for (const Link& link : links_) {
      MixerNode::Input input;
      input.controls = std::make_shared<InputControls>(2, 48000);
      input.live = link.live;
      input.connection = ++connection_;
      input.events = events_;
      inputs.push_back(std::move(input));
    }
    mixer_->publish(std::move(inputs));
  }

  // The sink plays written bytes, the mixer, or nothing.
  void publish(Render& sink) {
    if (!sink.opened.load()) return;
    if (driver_ == &sink) {
      sink.node.publish(nullptr, nullptr);
      mixer_->release_driver();
      driver_ = nullptr;
      return;
    }
    const Format& format = sink.node.format();
    if (driver_ == nullptr && !pump_ && below(2) == 0) {
      driver_ = &sink;
      sink.node.publish(nullptr, std::make_shared<RateAdapter>(mixer_, 48000, 2, format.sample_rate,
                                                               format.channels));
      return;
    }
    WrittenInput::Config config;
    config.format = {44100, 2, SampleFormat::kS16};
    config.rate = format.sample_rate;
    config.channels = format.channels;
    auto written = std::make_shared<WrittenQueue>(std::make_shared<NodeEvents>());
    written->open(config);
    const std::vector<int16_t> samples(2 * 2000, 1000);
    written->write(samples.data(), 2000);
    written->end();
    sink.node.publish(written, nullptr);
  }

  void read_all() {
    for (Reader& reader : readers_) {
      for (int turns = 0; turns < 100; ++turns) {
        const FrameQueue::Span span = reader.queue->front(480);
        if (span.frames == 0) break;
        if (reader.begun) CHECK(span.frame == reader.next);
        reader.begun = true;
        reader.next = span.frame + span.frames;
        read_frames() += span.frames;
        reader.queue->advance(span.frames);
      }
    }
  }

  Host& host_;
  const Places& places_;
  const std::function<void(uint32_t)> disturb_;
  std::mt19937 random_;
  std::shared_ptr<NodeEvents> events_ = std::make_shared<NodeEvents>();  // of the mixer's inputs
  std::vector<std::shared_ptr<Capture>> sources_;
  std::vector<std::shared_ptr<Render>> sinks_;
  std::vector<Reader> readers_;
  std::vector<Link> links_;
  uint64_t connection_ = 0;
  Render* driver_ = nullptr;
  std::shared_ptr<MixerNode> mixer_ = std::make_shared<MixerNode>(MixerNode::Config{});
  std::unique_ptr<Clock::Task> pump_;
  Control control_;  // last: what it still does needs the rest
};

// Runs `count` sequences, or those that the environment names.
inline void run(uint32_t count, const std::function<void(uint32_t)>& each) {
  uint32_t first = 1;
  if (const char* wanted = std::getenv("PATCHCORD_SEQUENCES")) {
    std::sscanf(wanted, "%u:%u", &first, &count);
  }
  for (uint32_t number = first; number < first + count; ++number) {
    const int before = check::failures().load();
    each(number);
    if (check::failures().load() != before) std::printf("  in sequence %u\n", number);
  }
  CHECK(read_frames() > 0);
}

}  // namespace sequences
