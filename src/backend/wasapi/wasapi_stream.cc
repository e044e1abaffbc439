#include "wasapi_stream.h"

#include <utility>

#include "formats.h"
#include "wasapi_devices.h"

namespace patchcord {
namespace {

constexpr DWORD kOpenTimeoutMs = 10000;

// Without the flag, and on Windows before 1803 with it refused, a timer waits for the next tick of
// 15.6 ms.
HANDLE make_timer() {
  const HANDLE timer = CreateWaitableTimerExW(
      nullptr, nullptr, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
  return timer != nullptr ? timer : CreateWaitableTimerExW(nullptr, nullptr, 0, TIMER_ALL_ACCESS);
}

}  // namespace

Error WasapiStream::open(const std::string& device_id, std::unique_ptr<StreamWork> work,
                         std::unique_ptr<Stream>* stream) {
  std::unique_ptr<WasapiStream> opened(new WasapiStream(device_id, std::move(work)));
  if (WaitForSingleObject(opened->answered_.get(), kOpenTimeoutMs) != WAIT_OBJECT_0) {
    // A hanging driver holds the audio thread inside the system, where it can neither be waited for
    // nor ended. It keeps the object, and finds itself stopped if the call ever returns.
    SetEvent(opened->stop_.get());
    opened->thread_.detach();
    opened.release();
    Error error = Error::make(ErrorCode::kTimeout, "opening the device took over 10 s",
                              "unplug the device, or update its driver");
    error.device_id = device_id;
    return error;
  }
  Error error = std::move(opened->answer_);
  if (!error) *stream = std::move(opened);
  return error;
}

WasapiStream::WasapiStream(const std::string& device_id, std::unique_ptr<StreamWork> work)
    : work_(std::move(work)) {
  info_.device_id = device_id;
  thread_ = std::thread([this] { live(); });
}

WasapiStream::~WasapiStream() { stop(); }

Error WasapiStream::start() {
  if (!thread_.joinable()) {
    return Error::make(ErrorCode::kBackend, "starting a stream that was stopped",
                       "open the device again");
  }
  if (started_) return Error::none();
  started_ = true;
  SetEvent(start_.get());
  WaitForSingleObject(answered_.get(), INFINITE);
  return std::move(answer_);
}

void WasapiStream::stop() {
  if (!thread_.joinable()) return;
  SetEvent(stop_.get());
  thread_.join();
}

// Audio thread from here on.

void WasapiStream::live() {
  const ThreadPriority priority(Priority::kAudio);
  const Apartment apartment;
  // Declared after the apartment, so that the last reference goes before COM does.
  const std::unique_ptr<StreamWork> work = std::move(work_);
  info_.realtime = priority.raised();
  Error error = prepare(work.get());
  const bool ready = !error;
  answer(std::move(error));
  if (!ready || !wait_for_start()) return;

  const CallResult started = work->start();
  answer(started.failed() ? to_error(started, "starting the stream", info_.device_id)
                          : Error::none());
  if (!started.failed()) run(work.get());
}

Error WasapiStream::prepare(StreamWork* work) {
  ComPtr<IMMDeviceEnumerator> enumerator;
  const CallResult created = create_enumerator(&enumerator);
  if (created.failed()) return to_error(created, "reaching the audio system", info_.device_id);
  ComPtr<IMMDevice> device;
  Error error = find_device(enumerator.get(), info_.device_id, work->flow(), &device);
  if (error) return error;
  const CallResult opened = work->open(device.get(), wake_.get(), &info_);
  return opened.failed() ? to_error(opened, "opening the device", info_.device_id) : Error::none();
}

bool WasapiStream::wait_for_start() {
  const HANDLE events[] = {stop_.get(), start_.get()};
  return WaitForMultipleObjects(2, events, FALSE, INFINITE) == WAIT_OBJECT_0 + 1;
}

void WasapiStream::run(StreamWork* work) {
  const Handle timer(make_timer());
  const HANDLE events[] = {stop_.get(), wake_.get(), timer.get()};
  LARGE_INTEGER longest_wait;  // negative: relative
  longest_wait.QuadPart = -work->longest_wait_ns() / kNsPerReference;
  for (;;) {
    // The device's events are not to be trusted alone: they stop when it is removed, and loopback
    // has none while nothing plays.
    SetWaitableTimer(timer.get(), &longest_wait, 0, nullptr, nullptr, FALSE);
    if (WaitForMultipleObjects(3, events, FALSE, INFINITE) == WAIT_OBJECT_0) return;
    const CallResult turned = work->turn();
    if (turned.failed()) {
      work->lost(to_error(turned, "streaming", info_.device_id));
      return;
    }
  }
}

void WasapiStream::answer(Error error) {
  answer_ = std::move(error);
  SetEvent(answered_.get());
}

}  // namespace patchcord
