// Calls methods of the standard world's endpoints that the addon does not call, and prints the
// results as one JSON object. mmdevapi.test.ts has the expected values.
//
//   engine_probe.exe
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include "../../src/backend/wasapi/com_support.h"
#include "../../src/backend/wasapi/formats.h"
#include "../../src/backend/wasapi/handle.h"
#include "../../src/backend/wasapi/meter_information.h"
#include "../../src/backend/wasapi/wasapi_devices.h"

namespace patchcord {
namespace {

constexpr DWORD kLongestWaitMs = 10000;

void report(const char* name, HRESULT result) {
  std::printf("\"%s\":\"0x%08lX\",", name, static_cast<unsigned long>(result));
}
void report_number(const char* name, double number) { std::printf("\"%s\":%.6g,", name, number); }

class VolumeListener final : public IAudioEndpointVolumeCallback {
 public:
  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void** object) override {
    *object = nullptr;
    return E_NOINTERFACE;
  }
  ULONG STDMETHODCALLTYPE AddRef() override { return ++references; }
  ULONG STDMETHODCALLTYPE Release() override { return --references; }
  HRESULT STDMETHODCALLTYPE OnNotify(AUDIO_VOLUME_NOTIFICATION_DATA* data) override {
    muted = data->bMuted != FALSE;
    SetEvent(told.get());
    return S_OK;
  }

  std::atomic<ULONG> references{1};
  std::atomic<bool> muted{false};
  const Handle told{make_pulse()};
};

class SessionListener final : public IAudioSessionNotification {
 public:
  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void** object) override {
    *object = nullptr;
    return E_NOINTERFACE;
  }
  ULONG STDMETHODCALLTYPE AddRef() override { return ++references; }
  ULONG STDMETHODCALLTYPE Release() override { return --references; }
  HRESULT STDMETHODCALLTYPE OnSessionCreated(IAudioSessionControl*) override {
    SetEvent(told.get());
    return S_OK;
  }

  std::atomic<ULONG> references{1};
  const Handle told{make_pulse()};
};

template <class Interface>
HRESULT activate(IMMDevice* device, ComPtr<Interface>* made) {
  return device->Activate(__uuidof(Interface), CLSCTX_ALL, nullptr, made->receive());
}

bool is_told(const Handle& event) {
  return WaitForSingleObject(event.get(), kLongestWaitMs) == WAIT_OBJECT_0;
}

void probe_volume(IMMDevice* device) {
  ComPtr<IAudioEndpointVolume> volume;
  report("volume", activate(device, &volume));
  VolumeListener listener;
  volume->RegisterControlChangeNotify(&listener);
  report("mute", volume->SetMute(TRUE, nullptr));
  report("muteAgain", volume->SetMute(TRUE, nullptr));
  report_number("told", is_told(listener.told) && listener.muted);
  volume->SetMute(FALSE, nullptr);
  report("unregister", volume->UnregisterControlChangeNotify(&listener));
  report_number("listenerReferences", listener.references);
  report("tooLoud", volume->SetMasterVolumeLevelScalar(1.5f, nullptr));
  volume->SetMasterVolumeLevelScalar(0.5f, nullptr);
  float db = 0;
  volume->GetMasterVolumeLevel(&db);
  report_number("halfDb", static_cast<double>(db));
  volume->SetMasterVolumeLevelScalar(1.0f, nullptr);
}

void probe_meter(IMMDevice* device) {
  ComPtr<IAudioMeterInformation> meter;
  report("meter", activate(device, &meter));
  float peak = 0;
  for (DWORD waited = 0; peak == 0 && waited < kLongestWaitMs; waited += 10) {
    Sleep(10);
    meter->GetPeakValue(&peak);
  }
  Sleep(50);  // a whole period of the tone, which began in the midst of one
  float peaks[2] = {};
  report("peaks", meter->GetChannelsPeakValues(2, peaks));
  report_number("left", static_cast<double>(peaks[0]));
  report_number("right", static_cast<double>(peaks[1]));
  report("threePeaks", meter->GetChannelsPeakValues(3, peaks));
}

// The program that plays, the system's sounds, and a new one: of this program.
void probe_sessions(IMMDevice* device) {
  ComPtr<IAudioSessionManager2> manager;
  report("manager", activate(device, &manager));
  SessionListener listener;
  manager->RegisterSessionNotification(&listener);
  ComPtr<IAudioSessionEnumerator> sessions;
  report("sessions", manager->GetSessionEnumerator(sessions.receive()));
  int count = 0;
  sessions->GetCount(&count);
  report_number("sessionCount", count);
  report("noSession", sessions->GetSession(count, ComPtr<IAudioSessionControl>().receive()));
  for (int i = 0; i < count; ++i) {
    ComPtr<IAudioSessionControl> session;
    ComPtr<IAudioSessionControl2> control;
    ComPtr<ISimpleAudioVolume> volume;
    ComPtr<IAudioMeterInformation> meter;
    sessions->GetSession(i, session.receive());
    session->QueryInterface(__uuidof(IAudioSessionControl2), control.receive());
    session->QueryInterface(__uuidof(ISimpleAudioVolume), volume.receive());
    session->QueryInterface(__uuidof(IAudioMeterInformation), meter.receive());
    DWORD pid = 0;
    const HRESULT known = control->GetProcessId(&pid);
    if (control->IsSystemSoundsSession() == S_OK) {
      report("systemSoundsProcess", known);
      continue;
    }
    report_number("pid", pid);
    AudioSessionState state = AudioSessionStateInactive;
    control->GetState(&state);
    report_number("active", state == AudioSessionStateActive);
    float peak = 0;
    meter->GetPeakValue(&peak);
    report_number("sessionPeak", static_cast<double>(peak));
    volume->SetMute(TRUE, nullptr);
    meter->GetPeakValue(&peak);
    report_number("mutedPeak", static_cast<double>(peak));
    volume->SetMute(FALSE, nullptr);
  }
  ComPtr<IAudioSessionControl> own;
  report("own", manager->GetAudioSessionControl(nullptr, 0, own.receive()));
  report_number("created", is_told(listener.told));
  report("unregisterSessions", manager->UnregisterSessionNotification(&listener));
  report_number("sessionListenerReferences", listener.references);
}

void probe_client3(IMMDevice* device) {
  ComPtr<IAudioClient3> client;
  report("client3", activate(device, &client));
  AudioClientProperties properties = {};
  properties.cbSize = sizeof(properties);
  report("properties", client->SetClientProperties(&properties));
  properties.Options = AUDCLNT_STREAMOPTIONS_RAW;
  report("raw", client->SetClientProperties(&properties));
  REFERENCE_TIME least = 0;
  REFERENCE_TIME most = 0;
  WAVEFORMATEX* raw = nullptr;
  client->GetMixFormat(&raw);
  const CoMem<WAVEFORMATEX> wave(raw);
  report("bufferLimits", client->GetBufferSizeLimits(wave.get(), TRUE, &least, &most));
  UINT32 standard = 0;
  UINT32 fundamental = 0;
  UINT32 shortest = 0;
  UINT32 longest = 0;
  report("enginePeriod", client->GetSharedModeEnginePeriod(wave.get(), &standard, &fundamental,
                                                           &shortest, &longest));
  report_number("standardPeriod", standard);
  report_number("shortestPeriod", shortest);
  report("autoconvert", client->InitializeSharedAudioStream(AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM,
                                                            shortest, wave.get(), nullptr));
  report("locked", client->InitializeSharedAudioStream(0, shortest + 1, wave.get(), nullptr));
  report("tooShort", client->InitializeSharedAudioStream(0, 1, wave.get(), nullptr));
  report("granted", client->InitializeSharedAudioStream(AUDCLNT_STREAMFLAGS_EVENTCALLBACK, shortest,
                                                        wave.get(), nullptr));
  report("notStartedWithoutEvent", client->Start());
  report("stopped", client->Stop());
}

HRESULT initialize_exclusive(IAudioClient* client, const WAVEFORMATEX* wave, REFERENCE_TIME period,
                             REFERENCE_TIME duration) {
  return client->Initialize(AUDCLNT_SHAREMODE_EXCLUSIVE, AUDCLNT_STREAMFLAGS_EVENTCALLBACK,
                            duration, period, wave, nullptr);
}

// As the documentation has an application do it: what is not aligned tells what would be. The
// driver has one format, which is not the mix's.
void probe_exclusive(IMMDevice* device) {
  const WAVEFORMATEXTENSIBLE described = to_wave_format({44100, 2, SampleFormat::kS16});
  const WAVEFORMATEX* const wave = &described.Format;
  constexpr REFERENCE_TIME kMs = kReferencePerMs;
  const auto initialize = [&](REFERENCE_TIME period, REFERENCE_TIME duration) {
    ComPtr<IAudioClient> client;
    activate(device, &client);
    return initialize_exclusive(client.get(), wave, period, duration);
  };
  report("exclusiveTooLong", initialize(600 * kMs, 600 * kMs));
  report("exclusiveUnequal", initialize(10 * kMs, 20 * kMs));
  ComPtr<IAudioClient> client;
  activate(device, &client);
  report("exclusiveUnaligned", initialize_exclusive(client.get(), wave, 10 * kMs, 10 * kMs));
  UINT32 frames = 0;
  report("alignedSize", client->GetBufferSize(&frames));
  report_number("alignedFrames", frames);
  report("spoilt", initialize_exclusive(client.get(), wave, 10 * kMs, 10 * kMs));
  activate(device, &client);
  const REFERENCE_TIME period = (kReferencePerSecond * frames + wave->nSamplesPerSec / 2) /
                                static_cast<REFERENCE_TIME>(wave->nSamplesPerSec);
  report("exclusiveAligned", initialize_exclusive(client.get(), wave, period, period));
  report("heldExclusively", initialize(period, period));
  const Handle event(make_pulse());
  report("noEvent", client->SetEventHandle(nullptr));
  report("event", client->SetEventHandle(event.get()));
  report("secondEvent", client->SetEventHandle(event.get()));
  ComPtr<IAudioCaptureClient> capture;
  client->GetService(__uuidof(IAudioCaptureClient), capture.receive());
  BYTE* data = nullptr;
  UINT32 got = 7;
  DWORD flags = 7;
  report("exclusiveEmpty", capture->GetBuffer(&data, &got, &flags, nullptr, nullptr));
  report_number("flagsLeft", flags);
  client->Start();
  while (capture->GetBuffer(&data, &got, &flags, nullptr, nullptr) != S_OK) Sleep(1);
  report_number("firstFlags", flags);
  client->Stop();
  report("resetWhileHeld", client->Reset());
  capture->ReleaseBuffer(got);
  report("reset", client->Reset());
}

// Shared mode accepts every valid sample type at the rate and the channels of the mix.
void probe_shared_formats(IMMDevice* device) {
  const auto initialize = [device](const WAVEFORMATEX* wave, DWORD flags, REFERENCE_TIME period) {
    ComPtr<IAudioClient> client;
    activate(device, &client);
    return client->Initialize(AUDCLNT_SHAREMODE_SHARED, flags, 0, period, wave, nullptr);
  };
  ComPtr<IAudioClient> client;
  activate(device, &client);
  WAVEFORMATEX* raw = nullptr;
  client->GetMixFormat(&raw);
  const CoMem<WAVEFORMATEX> mix(raw);
  Format format;
  from_wave_format(raw, sizeof(*raw) + raw->cbSize, &format);
  report_number("mixIsFloat", format.sample_format == SampleFormat::kF32);
  REFERENCE_TIME period = 0;
  client->GetDevicePeriod(&period, nullptr);
  report_number("devicePeriod", static_cast<double>(period));
  const auto as = [&](uint32_t rate, uint32_t channels, SampleFormat samples) {
    return to_wave_format({rate, channels, samples});
  };
  WAVEFORMATEXTENSIBLE wave = as(44100, 2, SampleFormat::kS24In32);
  report("sharedInteger", initialize(&wave.Format, 0, 0));
  report("sharedPeriod", initialize(&wave.Format, 0, 10 * kReferencePerMs));
  wave.Format.nBlockAlign++;
  report("badBlockAlign", initialize(&wave.Format, 0, 0));
  wave = as(44100, 2, SampleFormat::kS16);
  wave.Format.nAvgBytesPerSec++;
  report("badBytesPerSecond", initialize(&wave.Format, 0, 0));
  wave = as(44100, 2, SampleFormat::kF32);
  wave.Samples.wValidBitsPerSample = 0;
  report("noValidBits", initialize(&wave.Format, 0, 0));
  wave = as(44100, 2, SampleFormat::kS16);
  wave.Format.cbSize = 10;
  report("shortExtensible", initialize(&wave.Format, 0, 0));
  wave = as(44100, 4, SampleFormat::kS16);
  wave.Format.wFormatTag = WAVE_FORMAT_PCM;
  wave.Format.cbSize = 0;
  report("plainWithFour", initialize(&wave.Format, 0, 0));
  wave = as(44100, 2, SampleFormat::kF64);
  report("sharedDouble", initialize(&wave.Format, 0, 0));
  wave = as(48000, 2, SampleFormat::kF32);
  report("otherRate", initialize(&wave.Format, 0, 0));
  WAVEFORMATEX* closest = nullptr;
  report("otherRateSupported",
         client->IsFormatSupported(AUDCLNT_SHAREMODE_SHARED, &wave.Format, &closest));
  report_number("closestRate", closest != nullptr ? closest->nSamplesPerSec : 0);
  CoTaskMemFree(closest);
  wave = as(44100, 1, SampleFormat::kS16);
  report("otherChannels", initialize(&wave.Format, 0, 0));
  report("converted", initialize(&wave.Format, AUDCLNT_STREAMFLAGS_AUTOCONVERTPCM, 0));
  report("unknownFlag", initialize(&wave.Format, 1, 0));
  report("unknownMode",
         client->Initialize(static_cast<AUDCLNT_SHAREMODE>(2), 0, 0, 0, mix.get(), nullptr));
  ComPtr<IAudioClient2> client2;
  activate(device, &client2);
  AudioClientProperties properties = {};
  properties.cbSize = offsetof(AudioClientProperties, Options);
  properties.eCategory = AudioCategory_Media;
  report("oldProperties", client2->SetClientProperties(&properties));
  report("mediaOfMicrophone",
         client2->Initialize(AUDCLNT_SHAREMODE_SHARED, 0, 0, 0, mix.get(), nullptr));
  properties.bIsOffload = TRUE;
  activate(device, &client2);
  report("offload", client2->SetClientProperties(&properties));
}

// Polls until the condition holds, or for a second.
template <class Holds>
bool holds_soon(Holds holds) {
  for (int waited = 0; waited < 1000; waited += 5) {
    if (holds()) return true;
    Sleep(5);
  }
  return false;
}

// A stream that is not filled, then stopped with something in hand.
void probe_position(IMMDevice* device) {
  ComPtr<IAudioClient> client;
  activate(device, &client);
  WAVEFORMATEX* raw = nullptr;
  client->GetMixFormat(&raw);
  const CoMem<WAVEFORMATEX> wave(raw);
  client->Initialize(AUDCLNT_SHAREMODE_SHARED, AUDCLNT_STREAMFLAGS_EVENTCALLBACK,
                     200 * kReferencePerMs, 0, wave.get(), nullptr);
  const Handle event(make_pulse());
  client->SetEventHandle(event.get());
  ComPtr<IAudioRenderClient> render;
  ComPtr<IAudioClock> clock;
  client->GetService(__uuidof(IAudioRenderClient), render.receive());
  client->GetService(__uuidof(IAudioClock), clock.receive());
  UINT64 frequency = 0;
  clock->GetFrequency(&frequency);
  UINT64 frames_written = 0;
  const auto write = [&](UINT32 frames) {
    BYTE* data = nullptr;
    render->GetBuffer(frames, &data);
    render->ReleaseBuffer(frames, AUDCLNT_BUFFERFLAGS_SILENT);
    frames_written += frames;
  };
  const auto position = [&] {
    UINT64 units = 0;
    clock->GetPosition(&units, nullptr);
    return units * wave->nSamplesPerSec / frequency;
  };
  UINT64 last = 0;
  bool went_back = false;
  const auto is_starved = [&] {
    const UINT64 now = position();
    went_back = went_back || now < last;
    last = now;
    return now == frames_written;
  };
  write(1000);
  client->Start();
  report_number("starvedIsAllWritten", holds_soon(is_starved));
  for (int i = 0; i < 20; ++i) {
    is_starved();
    Sleep(5);
  }
  write(4000);
  for (int i = 0; i < 6; ++i) {
    is_starved();
    Sleep(5);
  }
  client->Stop();
  is_starved();
  report_number("positionWentBack", went_back);
  UINT32 padding = 0;
  client->GetCurrentPadding(&padding);
  const UINT64 stopped_at = position();
  report_number("stopLeavesPadding", stopped_at + padding == frames_written);
  ResetEvent(event.get());
  report_number("eventsAfterStop", is_told(event) && is_told(event));
  report_number("positionStands", position() == stopped_at);
  client->Reset();
  ResetEvent(event.get());
  report_number("eventsAfterReset", is_told(event) && is_told(event));
  report_number("positionAfterReset", static_cast<double>(position()));
}

// A microphone that is not read.
void probe_overrun(IMMDevice* device) {
  ComPtr<IAudioClient> client;
  activate(device, &client);
  WAVEFORMATEX* raw = nullptr;
  client->GetMixFormat(&raw);
  const CoMem<WAVEFORMATEX> wave(raw);
  // Not a whole number of periods.
  client->Initialize(AUDCLNT_SHAREMODE_SHARED, 0, 25 * kReferencePerMs, 0, wave.get(), nullptr);
  UINT32 buffer = 0;
  client->GetBufferSize(&buffer);
  REFERENCE_TIME period = 0;
  client->GetDevicePeriod(&period, nullptr);
  report_number("buffersWholePeriods",
                buffer % to_frames(period, static_cast<uint32_t>(wave->nSamplesPerSec)) == 0);
  client->Start();
  UINT32 padding = 0;
  report_number("overrunFills", holds_soon([&] {
                  client->GetCurrentPadding(&padding);
                  return padding == buffer;
                }));
  Sleep(30);
  client->GetCurrentPadding(&padding);
  report_number("overrunStaysFull", padding == buffer);
}

void probe_enumerator(IMMDeviceEnumerator* enumerator) {
  ComPtr<IMMDeviceEnumerator> another;
  create_enumerator(&another);
  report_number("oneEnumerator", another.get() == enumerator);
}

void probe_refused_exclusive(IMMDevice* device) {
  ComPtr<IAudioClient> client;
  activate(device, &client);
  WAVEFORMATEX* raw = nullptr;
  client->GetMixFormat(&raw);
  const CoMem<WAVEFORMATEX> wave(raw);
  report("exclusiveRefused", initialize_exclusive(client.get(), wave.get(), 10 * kReferencePerMs,
                                                  10 * kReferencePerMs));
}

void probe_properties(IMMDevice* device) {
  ComPtr<IPropertyStore> store;
  device->OpenPropertyStore(STGM_READ, store.receive());
  PROPVARIANT value;
  PropVariantInit(&value);
  const PROPERTYKEY unknown = {{1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}}, 12};
  report("missingProperty", store->GetValue(unknown, &value));
  report_number("missingType", value.vt);
  report("setProperty", store->SetValue(unknown, value));
  report("unknownAccess", device->OpenPropertyStore(3, store.receive()));
}

int run() {
  const Apartment apartment;
  ComPtr<IMMDeviceEnumerator> enumerator;
  if (create_enumerator(&enumerator).failed()) return 1;
  ComPtr<IMMDevice> speakers;
  ComPtr<IMMDevice> mic;
  if (FAILED(enumerator->GetDefaultAudioEndpoint(eRender, eConsole, speakers.receive()))) return 1;
  if (FAILED(enumerator->GetDefaultAudioEndpoint(eCapture, eConsole, mic.receive()))) return 1;
  std::printf("{");
  probe_volume(speakers.get());
  probe_meter(speakers.get());
  probe_sessions(speakers.get());
  probe_client3(speakers.get());
  probe_shared_formats(mic.get());
  probe_exclusive(mic.get());
  probe_refused_exclusive(speakers.get());
  probe_properties(mic.get());
  probe_position(speakers.get());
  probe_overrun(mic.get());
  probe_enumerator(enumerator.get());
  std::printf("\"complete\":true}\n");
  return 0;
}

}  // namespace
}  // namespace patchcord

int main() { return patchcord::run(); }
