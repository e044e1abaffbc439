#include "endpoint_volume.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string>
#include <utility>

#include "../../../src/core/signal/format.h"
#include "engine.h"
#include "results.h"

namespace patchcord {
namespace {

// As of most drivers.
constexpr float kLeastDb = -65.25f;
constexpr float kMostDb = 0.0f;
constexpr float kIncrementDb = 0.75f;
constexpr UINT kSteps = 51;

float to_db(float scalar) {
  return scalar > 0 ? std::max(kLeastDb, 20.0f * std::log10(scalar)) : kLeastDb;
}

float to_scalar(float db) { return db <= kLeastDb ? 0.0f : std::pow(10.0f, db / 20.0f); }

}  // namespace

HRESULT EndpointVolume::enter(const char* call) const {
  PATCHCORD_SCRIPTED(device_.id, call);
  return S_OK;
}

HRESULT EndpointVolume::get(const char* call, Volumes::Level* level) const {
  const HRESULT entered = enter(call);
  *level = Engine::get().volumes.of(device_.id);
  return entered;
}

// S_FALSE: nothing changed, and no callback is called.
HRESULT EndpointVolume::set(const char* call, const Volumes::Level& level, LPCGUID context) {
  const HRESULT entered = enter(call);
  if (entered != S_OK) return entered;
  if (!(level.scalar >= 0.0f && level.scalar <= 1.0f)) return E_INVALIDARG;
  Volumes& volumes = Engine::get().volumes;
  if (level == volumes.of(device_.id)) return S_FALSE;
  const Error error = volumes.set(device_.id, level, context == nullptr ? GUID{} : *context);
  return error ? AUDCLNT_E_DEVICE_INVALIDATED : S_OK;
}

HRESULT EndpointVolume::RegisterControlChangeNotify(IAudioEndpointVolumeCallback* callback) {
  if (callback == nullptr) return E_POINTER;
  const HRESULT entered = enter("IAudioEndpointVolume::RegisterControlChangeNotify");
  if (entered == S_OK) Engine::get().volumes.listeners.add(device_.id, callback);
  return entered;
}

HRESULT EndpointVolume::UnregisterControlChangeNotify(IAudioEndpointVolumeCallback* callback) {
  if (callback == nullptr) return E_POINTER;
  return Engine::get().volumes.listeners.remove(device_.id, callback) ? S_OK : E_INVALIDARG;
}

HRESULT EndpointVolume::GetChannelCount(UINT* count) {
  if (count == nullptr) return E_POINTER;
  *count = device_.format.channels;
  return enter("IAudioEndpointVolume::GetChannelCount");
}

HRESULT EndpointVolume::SetMasterVolumeLevel(float db, LPCGUID context) {
  if (!(db >= kLeastDb && db <= kMostDb)) return E_INVALIDARG;
  Volumes::Level level = Engine::get().volumes.of(device_.id);
  level.scalar = to_scalar(db);
  return set("IAudioEndpointVolume::SetMasterVolumeLevel", level, context);
}

HRESULT EndpointVolume::SetMasterVolumeLevelScalar(float scalar, LPCGUID context) {
  Volumes::Level level = Engine::get().volumes.of(device_.id);
  level.scalar = scalar;
  return set("IAudioEndpointVolume::SetMasterVolumeLevelScalar", level, context);
}

HRESULT EndpointVolume::GetMasterVolumeLevel(float* db) {
  if (db == nullptr) return E_POINTER;
  Volumes::Level level;
  const HRESULT got = get("IAudioEndpointVolume::GetMasterVolumeLevel", &level);
  *db = to_db(level.scalar);
  return got;
}

HRESULT EndpointVolume::GetMasterVolumeLevelScalar(float* scalar) {
  if (scalar == nullptr) return E_POINTER;
  Volumes::Level level;
  const HRESULT got = get("IAudioEndpointVolume::GetMasterVolumeLevelScalar", &level);
  *scalar = level.scalar;
  return got;
}

HRESULT EndpointVolume::SetChannelVolumeLevel(UINT channel, float db, LPCGUID context) {
  return channel < device_.format.channels ? SetMasterVolumeLevel(db, context) : E_INVALIDARG;
}

HRESULT EndpointVolume::SetChannelVolumeLevelScalar(UINT channel, float scalar, LPCGUID context) {
  return channel < device_.format.channels ? SetMasterVolumeLevelScalar(scalar, context)
                                           : E_INVALIDARG;
}

HRESULT EndpointVolume::GetChannelVolumeLevel(UINT channel, float* db) {
  return channel < device_.format.channels ? GetMasterVolumeLevel(db) : E_INVALIDARG;
}

HRESULT EndpointVolume::GetChannelVolumeLevelScalar(UINT channel, float* scalar) {
  return channel < device_.format.channels ? GetMasterVolumeLevelScalar(scalar) : E_INVALIDARG;
}

HRESULT EndpointVolume::SetMute(BOOL mute, LPCGUID context) {
  Volumes::Level level = Engine::get().volumes.of(device_.id);
  level.muted = mute != FALSE;
  return set("IAudioEndpointVolume::SetMute", level, context);
}

HRESULT EndpointVolume::GetMute(BOOL* mute) {
  if (mute == nullptr) return E_POINTER;
  Volumes::Level level;
  const HRESULT got = get("IAudioEndpointVolume::GetMute", &level);
  *mute = level.muted;
  return got;
}

HRESULT EndpointVolume::GetVolumeStepInfo(UINT* step, UINT* count) {
  if (step == nullptr && count == nullptr) return E_POINTER;
  Volumes::Level level;
  const HRESULT got = get("IAudioEndpointVolume::GetVolumeStepInfo", &level);
  if (step != nullptr) *step = static_cast<UINT>(std::lround(level.scalar * (kSteps - 1)));
  if (count != nullptr) *count = kSteps;
  return got;
}

HRESULT EndpointVolume::step(const char* call, int by, LPCGUID context) {
  Volumes::Level level = Engine::get().volumes.of(device_.id);
  const float stepped = level.scalar + static_cast<float>(by) / (kSteps - 1);
  level.scalar = std::clamp(stepped, 0.0f, 1.0f);
  return set(call, level, context);
}

HRESULT EndpointVolume::VolumeStepUp(LPCGUID context) {
  return step("IAudioEndpointVolume::VolumeStepUp", 1, context);
}

HRESULT EndpointVolume::VolumeStepDown(LPCGUID context) {
  return step("IAudioEndpointVolume::VolumeStepDown", -1, context);
}

// Software does it all.
HRESULT EndpointVolume::QueryHardwareSupport(DWORD* mask) {
  if (mask == nullptr) return E_POINTER;
  *mask = 0;
  return enter("IAudioEndpointVolume::QueryHardwareSupport");
}

HRESULT EndpointVolume::GetVolumeRange(float* least, float* most, float* increment) {
  if (least == nullptr || most == nullptr || increment == nullptr) return E_POINTER;
  *least = kLeastDb;
  *most = kMostDb;
  *increment = kIncrementDb;
  return enter("IAudioEndpointVolume::GetVolumeRange");
}

// Hears the endpoint as a stream of a program would.
class EndpointMeter::Ear final : public CaptureListener {
 public:
  explicit Ear(const Format& format) : format_(format), samples_(format.channels) {}

  std::vector<float> peaks() const {
    std::vector<float> peaks;
    for (uint32_t c = 0; c < format_.channels; ++c) peaks.push_back(peaks_[c].load());
    return peaks;
  }

 private:
  void on_packet(const Packet& packet) noexcept override {
    std::array<float, kMaxChannels> peaks{};
    const auto* const bytes = static_cast<const uint8_t*>(packet.data);
    const size_t frame_bytes = bytes_per_frame(format_);
    for (uint32_t i = 0; bytes != nullptr && i < packet.frames; ++i) {
      to_float(bytes + i * frame_bytes, format_.sample_format, samples_.data(), format_.channels);
      for (uint32_t c = 0; c < format_.channels; ++c) {
        peaks[c] = std::max(peaks[c], std::fabs(samples_[c]));
      }
    }
    for (uint32_t c = 0; c < format_.channels; ++c) peaks_[c].store(peaks[c]);
  }
  void on_idle(bool) noexcept override {
    for (auto& peak : peaks_) peak.store(0);
  }
  void on_lost(const Error&) noexcept override { on_idle(false); }

  const Format format_;
  std::vector<float> samples_;
  std::array<std::atomic<float>, kMaxChannels> peaks_{};
};

EndpointMeter::EndpointMeter(const DeviceInfo& device, std::unique_ptr<Ear> ear)
    : device_(device), ear_(std::move(ear)) {}

EndpointMeter::~EndpointMeter() = default;

HRESULT EndpointMeter::make(const DeviceInfo& device, REFIID iid, void** object) {
  auto ear = std::make_unique<Ear>(device.format);
  const ComPtr<EndpointMeter> meter(new EndpointMeter(device, std::move(ear)));
  CaptureRequest request;
  request.kind = device.flow == Flow::kInput ? CaptureRequest::Kind::kMicrophone
                                             : CaptureRequest::Kind::kLoopback;
  request.device_id = device.id;
  Error error =
      Engine::get().world->open_capture(request, meter->ear_.get(), &meter.get()->stream_);
  if (!error) error = meter->stream_->start();
  if (error) return to_result(error);
  return meter->QueryInterface(iid, object);
}

HRESULT EndpointMeter::read(const char* call, std::vector<float>* peaks) const {
  PATCHCORD_SCRIPTED(device_.id, call);
  const Policy policy = Engine::get().policies.of(device_.id);
  *peaks =
      policy.meter ? std::vector<float>(device_.format.channels, *policy.meter) : ear_->peaks();
  return S_OK;
}

HRESULT EndpointMeter::GetPeakValue(float* peak) {
  if (peak == nullptr) return E_POINTER;
  *peak = 0;
  std::vector<float> peaks;
  const HRESULT result = read("IAudioMeterInformation::GetPeakValue", &peaks);
  if (result == S_OK) *peak = *std::max_element(peaks.begin(), peaks.end());
  return result;
}

HRESULT EndpointMeter::GetMeteringChannelCount(UINT* count) {
  if (count == nullptr) return E_POINTER;
  *count = device_.format.channels;
  PATCHCORD_SCRIPTED(device_.id, "IAudioMeterInformation::GetMeteringChannelCount");
  return S_OK;
}

HRESULT EndpointMeter::GetChannelsPeakValues(UINT32 count, float* values) {
  if (values == nullptr) return E_POINTER;
  if (count != device_.format.channels) return E_INVALIDARG;
  std::vector<float> peaks;
  const HRESULT result = read("IAudioMeterInformation::GetChannelsPeakValues", &peaks);
  if (result == S_OK) std::copy(peaks.begin(), peaks.end(), values);
  return result;
}

HRESULT EndpointMeter::QueryHardwareSupport(DWORD* mask) {
  if (mask == nullptr) return E_POINTER;
  *mask = 0;
  return S_OK;
}

}  // namespace patchcord
