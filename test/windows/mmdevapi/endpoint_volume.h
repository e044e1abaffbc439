// IAudioEndpointVolume and IAudioMeterInformation of an endpoint.
#pragma once

#include <memory>
#include <vector>

#include "../../../src/backend/backend.h"
#include "../../../src/backend/wasapi/meter_information.h"
#include "counted_object.h"
#include "volumes.h"

namespace patchcord {

// One control for all channels: setting one of them sets them all.
class EndpointVolume final : public CountedObject<IAudioEndpointVolume> {
 public:
  explicit EndpointVolume(const DeviceInfo& device) : device_(device) {}

  HRESULT STDMETHODCALLTYPE
  RegisterControlChangeNotify(IAudioEndpointVolumeCallback* callback) override;
  HRESULT STDMETHODCALLTYPE
  UnregisterControlChangeNotify(IAudioEndpointVolumeCallback* callback) override;
  HRESULT STDMETHODCALLTYPE GetChannelCount(UINT* count) override;
  HRESULT STDMETHODCALLTYPE SetMasterVolumeLevel(float db, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE SetMasterVolumeLevelScalar(float scalar, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetMasterVolumeLevel(float* db) override;
  HRESULT STDMETHODCALLTYPE GetMasterVolumeLevelScalar(float* scalar) override;
  HRESULT STDMETHODCALLTYPE SetChannelVolumeLevel(UINT channel, float db, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE SetChannelVolumeLevelScalar(UINT channel, float scalar,
                                                        LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetChannelVolumeLevel(UINT channel, float* db) override;
  HRESULT STDMETHODCALLTYPE GetChannelVolumeLevelScalar(UINT channel, float* scalar) override;
  HRESULT STDMETHODCALLTYPE SetMute(BOOL mute, LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE GetMute(BOOL* mute) override;
  HRESULT STDMETHODCALLTYPE GetVolumeStepInfo(UINT* step, UINT* count) override;
  HRESULT STDMETHODCALLTYPE VolumeStepUp(LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE VolumeStepDown(LPCGUID context) override;
  HRESULT STDMETHODCALLTYPE QueryHardwareSupport(DWORD* mask) override;
  HRESULT STDMETHODCALLTYPE GetVolumeRange(float* least, float* most, float* increment) override;

 private:
  HRESULT enter(const char* call) const;
  HRESULT set(const char* call, const Volumes::Level& level, LPCGUID context);
  HRESULT get(const char* call, Volumes::Level* level) const;
  HRESULT step(const char* call, int by, LPCGUID context);

  const DeviceInfo device_;
};

// Peaks of the last period: of what a microphone hears, or an output plays.
class EndpointMeter final : public CountedObject<IAudioMeterInformation> {
 public:
  static HRESULT make(const DeviceInfo& device, REFIID iid, void** object);

  HRESULT STDMETHODCALLTYPE GetPeakValue(float* peak) override;
  HRESULT STDMETHODCALLTYPE GetMeteringChannelCount(UINT* count) override;
  HRESULT STDMETHODCALLTYPE GetChannelsPeakValues(UINT32 count, float* peaks) override;
  HRESULT STDMETHODCALLTYPE QueryHardwareSupport(DWORD* mask) override;

 private:
  class Ear;

  EndpointMeter(const DeviceInfo& device, std::unique_ptr<Ear> ear);
  ~EndpointMeter() override;
  HRESULT read(const char* call, std::vector<float>* peaks) const;

  const DeviceInfo device_;
  const std::unique_ptr<Ear> ear_;
  std::unique_ptr<Stream> stream_;  // last: it ends before its listener
};

}  // namespace patchcord
