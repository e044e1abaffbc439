#include "endpoint_watch.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "com_support.h"
#include "meter_information.h"
#include "wasapi_devices.h"

namespace patchcord {
namespace {

constexpr DWORD kRoundMs = 250;

// The controls of one endpoint. If the endpoint is gone, or the service has stopped, the next call
// fails, and the next round opens the controls again.
class Controls {
 public:
  explicit Controls(std::string id) : id_(std::move(id)) {}

  EndpointState read() {
    EndpointState state;
    if (!volume_ && !reach()) return state;
    BOOL muted = FALSE;
    if (FAILED(volume_->GetMute(&muted)) ||
        FAILED(volume_->GetMasterVolumeLevelScalar(&state.volume))) {
      volume_.receive();
      meter_.receive();
      return EndpointState();
    }
    state.known = true;
    state.muted = muted != FALSE;
    float peak = 0;
    if (meter_ && SUCCEEDED(meter_->GetPeakValue(&peak))) state.peak = peak;
    return state;
  }

 private:
  bool reach() {
    ComPtr<IMMDeviceEnumerator> enumerator;
    if (create_enumerator(&enumerator).failed()) return false;
    ComPtr<IMMDevice> device;
    if (FAILED(enumerator->GetDevice(to_wide(id_).c_str(), device.receive()))) return false;
    // Wine has no meters.
    device->Activate(__uuidof(IAudioMeterInformation), CLSCTX_ALL, nullptr, meter_.receive());
    return SUCCEEDED(
        device->Activate(__uuidof(IAudioEndpointVolume), CLSCTX_ALL, nullptr, volume_.receive()));
  }

  const std::string id_;
  ComPtr<IAudioEndpointVolume> volume_;
  ComPtr<IAudioMeterInformation> meter_;
};

}  // namespace

struct EndpointWatch::Entry {
  explicit Entry(const std::string& id) : controls(std::make_unique<Controls>(id)) {}

  Shown<EndpointState> state;
  std::unique_ptr<Controls> controls;  // used by the thread
  bool removed = false;                // under the mutex
  Handle released{make_latch()};
};

class EndpointWatch::Rounds {
 public:
  void live();  // runs on the thread

  // The control thread.
  void add(std::shared_ptr<Entry> entry) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      entries_.push_back(std::move(entry));
    }
    SetEvent(changed_.get());
  }
  void remove(Entry* entry) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      entry->removed = true;
    }
    SetEvent(changed_.get());
  }
  void quit() { SetEvent(quit_.get()); }

 private:
  using Entries = std::vector<std::shared_ptr<Entry>>;

  bool round();

  Handle quit_{make_latch()};
  Handle changed_{make_pulse()};
  std::mutex mutex_;  // never held during a call into the system
  Entries entries_;
};

void EndpointWatch::Rounds::live() {
  const Apartment apartment;
  const HANDLE events[] = {quit_.get(), changed_.get()};
  bool watching = false;
  while (WaitForMultipleObjects(2, events, FALSE, watching ? kRoundMs : INFINITE) !=
         WAIT_OBJECT_0) {
    watching = round();
  }
}

// Releases what was removed and reads the rest. Returns whether there is any.
bool EndpointWatch::Rounds::round() {
  Entries present;
  Entries removed;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& entry : entries_) (entry->removed ? removed : present).push_back(entry);
    entries_ = present;
  }
  for (const auto& entry : removed) {
    entry->controls.reset();
    SetEvent(entry->released.get());
  }
  for (const auto& entry : present) entry->state.store(entry->controls->read());
  return !present.empty();
}

EndpointWatch::EndpointWatch() : rounds_(std::make_shared<Rounds>()) {}

EndpointWatch::~EndpointWatch() { rounds_->quit(); }

std::shared_ptr<EndpointWatch::Entry> EndpointWatch::add(const std::string& id) {
  auto entry = std::make_shared<Entry>(id);
  if (thread_ == nullptr) {
    thread_ = std::make_unique<SystemThread>([rounds = rounds_] { rounds->live(); });
  }
  rounds_->add(entry);
  return entry;
}

void EndpointWatch::remove(const std::shared_ptr<Entry>& entry) {
  rounds_->remove(entry.get());
  if (!thread_->runs() || wait_for(entry->released)) return;
  rounds_->quit();
  thread_->leave_behind();
}

EndpointState EndpointWatch::state(const Entry& entry) { return entry.state.load(); }

}  // namespace patchcord
