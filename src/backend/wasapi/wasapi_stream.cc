#include "wasapi_stream.h"

#include <utility>

#include "../../core/time/clock.h"
#include "formats.h"
#include "wasapi_devices.h"

namespace patchcord {
namespace {

// Without the flag, and on Windows before 1803, which refuses it, a timer waits for the next tick
// of 15.6 ms.
HANDLE make_timer() {
  const HANDLE timer = CreateWaitableTimerExW(
      nullptr, nullptr, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
  return timer != nullptr ? timer : CreateWaitableTimerExW(nullptr, nullptr, 0, TIMER_ALL_ACCESS);
}

}  // namespace

class WasapiStream::Run {
 public:
  Run(const std::string& device_id, std::unique_ptr<StreamWork> work,
      std::shared_ptr<Announcer> announcer)
      : announcer_(std::move(announcer)), work_(std::move(work)) {
    info_.device_id = device_id;
  }

  void live();  // runs on the audio thread

  // The control thread.
  const StreamInfo& info() const { return info_; }
  const Handle& answered() const { return answered_; }
  Error take_answer() { return std::move(answer_); }  // after answered()
  void start() { SetEvent(start_.get()); }
  void stop() { SetEvent(stop_.get()); }
  void silence() { gate_.shut(); }

 private:
  Error prepare(StreamWork* work);
  CallResult open(StreamWork* work, IMMDevice* device);
  Error explain(const CallResult& failure, const std::string& attempt,
                const StreamWork& work) const;
  bool wait_for_start();
  void stream(StreamWork* work);
  void answer(Error error);
  void note(const TraceRecord& record) const noexcept {
    if (trace_) trace_->note(record);
  }

  StreamInfo info_;  // written before the first answer
  Error answer_;     // set before answered_
  Gate gate_;
  const std::shared_ptr<Announcer> announcer_;

  Handle stop_{make_latch()};
  Handle start_{make_pulse()};
  Handle answered_{make_pulse()};
  Handle wake_{make_pulse()};

  std::unique_ptr<StreamWork> work_;
  std::unique_ptr<StreamTrace> trace_;  // the audio thread's
};

// Control thread.

Error WasapiStream::open(const std::string& device_id, std::unique_ptr<StreamWork> work,
                         std::shared_ptr<Announcer> announcer, EndpointWatch* watch,
                         std::unique_ptr<Stream>* stream) {
  std::unique_ptr<WasapiStream> opened(
      new WasapiStream(std::make_shared<Run>(device_id, std::move(work), std::move(announcer))));
  Error error = opened->wait_for_answer("opening the device");
  opened->watch_ = watch;
  if (!error) *stream = std::move(opened);
  return error;
}

WasapiStream::WasapiStream(std::shared_ptr<Run> run)
    : run_(std::move(run)), thread_([run = run_] { run->live(); }) {}

const StreamInfo& WasapiStream::info() const { return run_->info(); }

Error WasapiStream::start() {
  if (!thread_.runs()) {
    return Error::make(ErrorCode::kBackend, "starting a stream that was stopped",
                       "open the device again");
  }
  if (started_) return Error::none();
  started_ = true;
  if (watch_ != nullptr) watched_ = watch_->add(run_->info().device_id);
  run_->start();
  return wait_for_answer("starting the stream");
}

void WasapiStream::stop() {
  run_->stop();
  if (!thread_.end()) run_->silence();
  // From here on no thread reads it.
  if (watched_) watch_->remove(std::exchange(watched_, nullptr));
}

EndpointState WasapiStream::endpoint() const noexcept {
  return watched_ ? EndpointWatch::state(*watched_) : EndpointState();
}

Error WasapiStream::wait_for_answer(const char* attempt) {
  if (wait_for(run_->answered())) return run_->take_answer();
  // If the call ever returns, the thread finds itself stopped, and calls no listener.
  run_->stop();
  run_->silence();
  thread_.leave_behind();
  return timeout_error(attempt, run_->info().device_id);
}

// Audio thread from here on.

void WasapiStream::Run::live() {
  const ThreadPriority priority(Priority::kAudio);
  const Apartment apartment;
  // Declared after the apartment, so that the last reference is released before COM is.
  const std::unique_ptr<StreamWork> work = std::move(work_);
  // Written to its end before the thread is.
  const struct EndOfTrace {
    std::unique_ptr<StreamTrace>& trace;
    ~EndOfTrace() { trace.reset(); }
  } end_of_trace{trace_};
  trace_ = StreamTrace::begin();
  work->set_trace(trace_.get());
  info_.realtime = priority.answer();
  Error error = prepare(work.get());
  const bool ready = !error;
  answer(std::move(error));
  if (!ready || !wait_for_start()) return;

  const CallResult started = work->start();
  note({TraceRecord::Kind::kStart, false, started.result});
  answer(started.failed() ? explain(started, "starting the stream", *work) : Error::none());
  if (!started.failed()) stream(work.get());
}

Error WasapiStream::Run::explain(const CallResult& failure, const std::string& attempt,
                                 const StreamWork& work) const {
  Error error = to_error(failure, attempt, info_.device_id);
  if (work.flow() == Flow::kInput) explain_denied_microphone(attempt, &error);
  return error;
}

CallResult WasapiStream::Run::open(StreamWork* work, IMMDevice* device) {
  if (trace_) {
    const char* const flow = work->flow() == Flow::kInput ? "input" : "output";
    trace_->say(std::string("stream ") + (device == nullptr ? "process" : flow) + " " +
                work->attempt());
    if (device != nullptr) trace_->describe(device);
  }
  const CallResult opened = work->open(device, wake_.get(), &info_);
  if (trace_) trace_->describe(opened, info_);
  return opened;
}

Error WasapiStream::Run::prepare(StreamWork* work) {
  if (!work->has_device()) {
    const CallResult opened = open(work, nullptr);
    return opened.failed() ? to_error(opened, work->attempt()) : Error::none();
  }
  ComPtr<IMMDeviceEnumerator> enumerator;
  const CallResult created = create_enumerator(&enumerator);
  if (created.failed()) return to_error(created, "reaching the audio system", info_.device_id);
  ComPtr<IMMDevice> device;
  Error error = find_device(enumerator.get(), info_.device_id, work->flow(), &device);
  if (error) return error;
  const CallResult opened = open(work, device.get());
  if (info_.granted.api.empty()) info_.granted.api = "wasapi";
  return opened.failed() ? explain(opened, work->attempt(), *work) : Error::none();
}

bool WasapiStream::Run::wait_for_start() {
  const HANDLE events[] = {stop_.get(), start_.get()};
  return WaitForMultipleObjects(2, events, FALSE, INFINITE) == WAIT_OBJECT_0 + 1;
}

void WasapiStream::Run::stream(StreamWork* work) {
  const Handle timer(make_timer());
  const HANDLE events[] = {stop_.get(), wake_.get(), timer.get()};
  LARGE_INTEGER longest_wait;  // negative: relative
  longest_wait.QuadPart = -work->longest_wait_ns() / kNsPerReference;
  for (;;) {
    // The device's events are not enough: they stop when it is removed, and loopback has none while
    // nothing plays.
    SetWaitableTimer(timer.get(), &longest_wait, 0, nullptr, nullptr, FALSE);
    const DWORD woken_by = WaitForMultipleObjects(3, events, FALSE, INFINITE);
    if (woken_by == WAIT_OBJECT_0) return;
    const bool signalled = woken_by == WAIT_OBJECT_0 + 1;
    note(TraceRecord::wake(signalled));
    const CallResult turned = work->turn(&gate_, signalled);
    if (!turned.failed()) continue;
    note({TraceRecord::Kind::kLost, false, turned.result});
    const Error error = explain(turned, "streaming", *work);
    const Gate::Pass pass(&gate_);
    if (!pass) return;
    // First, so that a stream that is opened after the loss finds a new connection.
    announcer_->failed(error);
    work->lost(error);
    return;
  }
}

void WasapiStream::Run::answer(Error error) {
  announcer_->failed(error);
  answer_ = std::move(error);
  SetEvent(answered_.get());
}

}  // namespace patchcord
