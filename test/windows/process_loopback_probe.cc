// Captures what a process plays, through ActivateAudioInterfaceAsync, and prints what the interface
// answered, one JSON object. The program that loads mmdevapi.dll by itself, as an app does that
// also runs where the function is absent.
//
//   process_loopback_probe.exe PID include|exclude FRAMES FILE [sta|not-agile]
//
// FILE gets FRAMES frames of 48 kHz stereo floats. Exits with 1 when that could not be had within
// 10 s of waiting. `sta`: asks from a single-threaded apartment. `not-agile`: with a handler that
// is no agile object.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../../src/backend/wasapi/com_object.h"
#include "../../src/backend/wasapi/com_support.h"
#include "../../src/backend/wasapi/formats.h"
#include "../../src/backend/wasapi/handle.h"
#include "../../src/backend/wasapi/process_loopback_params.h"

namespace patchcord {
namespace {

constexpr DWORD kLongestWaitMs = 10000;
constexpr uint32_t kRate = 48000;

class Handler final : public ComObject<IActivateAudioInterfaceCompletionHandler> {
 public:
  explicit Handler(bool agile) : agile_(agile) {}

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override {
    if (iid != __uuidof(IAgileObject) || agile_) return ComObject::QueryInterface(iid, object);
    *object = nullptr;
    return E_NOINTERFACE;
  }
  HRESULT STDMETHODCALLTYPE ActivateCompleted(IActivateAudioInterfaceAsyncOperation*) override {
    SetEvent(completed_.get());
    return S_OK;
  }

  bool wait() const {
    return WaitForSingleObject(completed_.get(), kLongestWaitMs) == WAIT_OBJECT_0;
  }

 private:
  const bool agile_;
  const Handle completed_{make_latch()};
};

WAVEFORMATEX floats() {
  WAVEFORMATEX wave = {};
  wave.wFormatTag = WAVE_FORMAT_IEEE_FLOAT;
  wave.nChannels = 2;
  wave.nSamplesPerSec = kRate;
  wave.wBitsPerSample = 32;
  wave.nBlockAlign = 8;
  wave.nAvgBytesPerSec = kRate * 8;
  return wave;
}

void report(const char* name, HRESULT result) {
  std::printf("\"%s\":\"0x%08lX\",", name, static_cast<unsigned long>(result));
}

// The methods that the documentation of this interface does not promise.
void report_absent(IAudioClient* client) {
  WAVEFORMATEX* wave = nullptr;
  report("getMixFormat", client->GetMixFormat(&wave));
  const WAVEFORMATEX asked = floats();
  report("isFormatSupported", client->IsFormatSupported(AUDCLNT_SHAREMODE_SHARED, &asked, &wave));
  REFERENCE_TIME period = 0;
  report("getDevicePeriod", client->GetDevicePeriod(&period, nullptr));
  UINT32 padding = 0;
  report("getCurrentPadding", client->GetCurrentPadding(&padding));
  ComPtr<IAudioClient2> client2;
  report("audioClient2", client->QueryInterface(__uuidof(IAudioClient2), client2.receive()));
  ComPtr<IAudioClock> clock;
  report("audioClock", client->GetService(__uuidof(IAudioClock), clock.receive()));
}

struct Captured {
  std::vector<float> samples;
  uint32_t packets = 0;
  uint32_t silent = 0;
  UINT64 highest_position = 0;
  int64_t worst_stamp_ns = 0;  // from where the frames before it end
};

bool capture(IAudioClient* client, size_t frames, Captured* captured) {
  const Handle wake(make_pulse());
  ComPtr<IAudioCaptureClient> service;
  if (FAILED(client->SetEventHandle(wake.get())) ||
      FAILED(client->GetService(__uuidof(IAudioCaptureClient), service.receive())) ||
      FAILED(client->Start())) {
    return false;
  }
  UINT64 first_stamp = 0;
  while (captured->samples.size() < frames * 2) {
    if (WaitForSingleObject(wake.get(), kLongestWaitMs) != WAIT_OBJECT_0) return false;
    for (;;) {
      BYTE* data = nullptr;
      UINT32 count = 0;
      DWORD flags = 0;
      UINT64 position = 0;
      UINT64 stamp = 0;
      const HRESULT got = service->GetBuffer(&data, &count, &flags, &position, &stamp);
      if (got == AUDCLNT_S_BUFFER_EMPTY) break;
      if (FAILED(got)) return false;
      if (captured->packets == 0) first_stamp = stamp;
      const int64_t expected = static_cast<int64_t>(first_stamp + captured->samples.size() / 2 *
                                                                      kReferencePerSecond / kRate);
      const int64_t off = std::llabs(static_cast<int64_t>(stamp) - expected) * kNsPerReference;
      if (off > captured->worst_stamp_ns) captured->worst_stamp_ns = off;
      if (position > captured->highest_position) captured->highest_position = position;
      ++captured->packets;
      const size_t old = captured->samples.size();
      captured->samples.resize(old + count * 2);
      if ((flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0) {
        ++captured->silent;
      } else {
        std::memcpy(&captured->samples[old], data, count * 8);
      }
      service->ReleaseBuffer(count);
    }
  }
  captured->samples.resize(frames * 2);
  return SUCCEEDED(client->Stop());
}

bool save(const std::vector<float>& samples, const char* path) {
  std::FILE* const file = std::fopen(path, "wb");
  if (file == nullptr) return false;
  const bool written =
      std::fwrite(samples.data(), sizeof(float), samples.size(), file) == samples.size();
  return std::fclose(file) == 0 && written;
}

using Activate = HRESULT(WINAPI*)(LPCWSTR, REFIID, PROPVARIANT*,
                                  IActivateAudioInterfaceCompletionHandler*,
                                  IActivateAudioInterfaceAsyncOperation**);

bool run(int count, char** words) {
  const std::string how = count > 5 ? words[5] : "";
  CoInitializeEx(nullptr, how == "sta" ? COINIT_APARTMENTTHREADED : COINIT_MULTITHREADED);
  const HMODULE library = LoadLibraryW(L"mmdevapi.dll");
  const auto activate = reinterpret_cast<Activate>(
      reinterpret_cast<void*>(GetProcAddress(library, "ActivateAudioInterfaceAsync")));
  if (activate == nullptr) return false;

  ProcessLoopbackParams params = {};
  params.type = ProcessLoopbackParams::kProcessLoopbackType;
  params.pid = static_cast<DWORD>(std::strtoul(words[1], nullptr, 10));
  params.mode = std::strcmp(words[2], "exclude") == 0 ? ProcessLoopbackParams::kExcludeTree
                                                      : ProcessLoopbackParams::kIncludeTree;
  PROPVARIANT value;
  PropVariantInit(&value);
  value.vt = VT_BLOB;
  value.blob.cbSize = sizeof(params);
  value.blob.pBlobData = reinterpret_cast<BYTE*>(&params);

  const ComPtr<Handler> handler(new Handler(how != "not-agile"));
  ComPtr<IActivateAudioInterfaceAsyncOperation> operation;
  const HRESULT called = activate(kProcessLoopbackDevice, __uuidof(IAudioClient), &value,
                                  handler.get(), operation.receive());
  report("call", called);
  if (FAILED(called)) return false;
  if (!handler->wait()) return false;

  HRESULT activated = E_FAIL;
  ComPtr<IUnknown> object;
  report("completion", operation->GetActivateResult(&activated, object.receive()));
  report("activation", activated);
  if (!object) return false;
  ComPtr<IAudioClient> client;
  report("audioClient", object->QueryInterface(__uuidof(IAudioClient), client.receive()));

  const WAVEFORMATEX wave = floats();
  const HRESULT initialized = client->Initialize(
      AUDCLNT_SHAREMODE_SHARED, AUDCLNT_STREAMFLAGS_LOOPBACK | AUDCLNT_STREAMFLAGS_EVENTCALLBACK,
      200 * kReferencePerMs, 0, &wave, nullptr);
  report("initialize", initialized);
  if (FAILED(initialized)) return false;
  report_absent(client.get());

  Captured captured;
  const bool complete = capture(client.get(), std::strtoul(words[3], nullptr, 10), &captured);
  std::printf("\"packets\":%u,\"silent\":%u,\"highestPosition\":%llu,\"worstStampUs\":%.1f,",
              captured.packets, captured.silent,
              static_cast<unsigned long long>(captured.highest_position),
              static_cast<double>(captured.worst_stamp_ns) / 1000);
  return complete && save(captured.samples, words[4]);
}

}  // namespace
}  // namespace patchcord

int main(int count, char** words) {
  if (count < 5) return 2;
  std::printf("{");
  const bool complete = patchcord::run(count, words);
  std::printf("\"complete\":%s}\n", complete ? "true" : "false");
  return complete ? 0 : 1;
}
