// The delay of a plain Windows program that plays to a cable, for comparison with a sink. It plays
// clicks as in the documentation of IAudioRenderClient, woken by the event and filling all free
// space in a buffer of the system's own choice, and records them at the cable's other end.
//
//   render_client.exe OUTPUT INPUT SECONDS
//
// Prints a JSON list: for each click the milliseconds from the moment that its buffer was filled,
// plus its place in that, to its time by the capture stream's timestamps. OUTPUT and INPUT are
// parts of the devices' names.
#include <audioclient.h>
#include <functiondiscoverykeys_devpkey.h>
#include <mmdeviceapi.h>
#include <windows.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <vector>

namespace {

constexpr UINT32 kClickEvery = 12000;  // frames
constexpr float kClick = 0.8f;
constexpr DWORD kLongestWaitMs = 20;
constexpr double kSettleMs = 2000;
constexpr double kMsPerReference = 1e-4;
// The error of Wine's timestamps, once or several times, from 25.6 hours after the machine's start:
// the product of the counter and 10^7 overflows.
constexpr double kOverflowMs = 18446744073709551616.0 / 1e7 * kMsPerReference;

[[noreturn]] void fail(const char* what, long result) {
  std::fprintf(stderr, "%s: 0x%08lX\n", what, static_cast<unsigned long>(result));
  std::exit(1);
}

void check(HRESULT result, const char* what) {
  if (FAILED(result)) fail(what, result);
}

// On the clock of the capture stream's timestamps.
double now_ms() {
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency);
  return 1000.0 * static_cast<double>(count.QuadPart) / static_cast<double>(frequency.QuadPart);
}

double stamp_ms(UINT64 stamp) {
  const double told = static_cast<double>(static_cast<INT64>(stamp)) * kMsPerReference;
  return told + std::nearbyint((now_ms() - told) / kOverflowMs) * kOverflowMs;
}

IAudioClient* open(IMMDeviceEnumerator* enumerator, EDataFlow flow, const wchar_t* wanted) {
  IMMDeviceCollection* devices = nullptr;
  check(enumerator->EnumAudioEndpoints(flow, DEVICE_STATE_ACTIVE, &devices), "EnumAudioEndpoints");
  UINT count = 0;
  devices->GetCount(&count);
  for (UINT i = 0; i < count; ++i) {
    IMMDevice* device = nullptr;
    IPropertyStore* store = nullptr;
    PROPVARIANT name;
    PropVariantInit(&name);
    check(devices->Item(i, &device), "Item");
    check(device->OpenPropertyStore(STGM_READ, &store), "OpenPropertyStore");
    store->GetValue(PKEY_Device_FriendlyName, &name);
    if (name.vt != VT_LPWSTR || std::wcsstr(name.pwszVal, wanted) == nullptr) continue;
    IAudioClient* client = nullptr;
    check(device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr,
                           reinterpret_cast<void**>(&client)),
          "Activate");
    return client;
  }
  fail("no such device", static_cast<long>(count));
}

WAVEFORMATEX* start(IAudioClient* client, HANDLE event) {
  WAVEFORMATEX* format = nullptr;
  check(client->GetMixFormat(&format), "GetMixFormat");
  check(client->Initialize(AUDCLNT_SHAREMODE_SHARED, AUDCLNT_STREAMFLAGS_EVENTCALLBACK, 0, 0,
                           format, nullptr),
        "Initialize");
  check(client->SetEventHandle(event), "SetEventHandle");
  return format;
}

struct Player {
  explicit Player(IAudioClient* opened) : client(opened) {}

  void turn() {
    UINT32 padding = 0;
    check(client->GetCurrentPadding(&padding), "GetCurrentPadding");
    const UINT32 frames = size - padding;
    BYTE* data = nullptr;
    if (frames == 0) return;
    check(render->GetBuffer(frames, &data), "GetBuffer");
    auto* samples = reinterpret_cast<float*>(data);
    const double now = now_ms();
    for (UINT32 i = 0; i < frames; ++i, ++written) {
      const bool click = written % kClickEvery == 0;
      if (click) clicks.push_back(now + 1000.0 * i / rate);
      for (WORD c = 0; c < channels; ++c) samples[i * channels + c] = click ? kClick : 0.0f;
    }
    check(render->ReleaseBuffer(frames, 0), "ReleaseBuffer");
  }

  IAudioClient* const client;
  IAudioRenderClient* render = nullptr;
  UINT32 size = 0;
  WORD channels = 0;
  double rate = 0;
  UINT64 written = 0;
  std::vector<double> clicks;  // when they were delivered, ms
};

}  // namespace

int wmain(int argc, wchar_t** argv) {
  if (argc != 4) return 2;
  CoInitializeEx(nullptr, COINIT_MULTITHREADED);
  IMMDeviceEnumerator* enumerator = nullptr;
  check(CoCreateInstance(__uuidof(MMDeviceEnumerator), nullptr, CLSCTX_ALL,
                         __uuidof(IMMDeviceEnumerator), reinterpret_cast<void**>(&enumerator)),
        "CoCreateInstance");
  const HANDLE events[] = {CreateEventW(nullptr, FALSE, FALSE, nullptr),
                           CreateEventW(nullptr, FALSE, FALSE, nullptr)};
  Player player(open(enumerator, eRender, argv[1]));
  const WAVEFORMATEX* format = start(player.client, events[0]);
  player.channels = format->nChannels;
  player.rate = format->nSamplesPerSec;
  check(player.client->GetBufferSize(&player.size), "GetBufferSize");
  check(player.client->GetService(__uuidof(IAudioRenderClient),
                                  reinterpret_cast<void**>(&player.render)),
        "GetService");
  IAudioClient* const ear = open(enumerator, eCapture, argv[2]);
  format = start(ear, events[1]);
  IAudioCaptureClient* capture = nullptr;
  check(ear->GetService(__uuidof(IAudioCaptureClient), reinterpret_cast<void**>(&capture)),
        "GetService");
  SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_TIME_CRITICAL);
  player.turn();
  player.client->Start();
  ear->Start();

  const double begin = now_ms();
  const double end = begin + 1000 * std::wcstod(argv[3], nullptr);
  const char* separator = "[";
  while (now_ms() < end) {
    WaitForMultipleObjects(2, events, FALSE, kLongestWaitMs);
    player.turn();
    BYTE* data = nullptr;
    UINT32 frames = 0;
    DWORD flags = 0;
    UINT64 stamp = 0;
    while (capture->GetBuffer(&data, &frames, &flags, nullptr, &stamp) == S_OK && frames > 0) {
      const auto* samples = reinterpret_cast<const float*>(data);
      for (UINT32 i = 0; i < frames && !(flags & AUDCLNT_BUFFERFLAGS_SILENT); ++i) {
        if (samples[i * format->nChannels] < kClick / 2) continue;
        const double heard = stamp_ms(stamp) + 1000.0 * i / format->nSamplesPerSec;
        double from = -1;
        for (const double click : player.clicks) {
          if (click < heard) from = click;
        }
        if (from < begin + kSettleMs) continue;
        std::printf("%s%.3f", separator, heard - from);
        separator = ",";
      }
      capture->ReleaseBuffer(frames);
    }
  }
  std::printf("%s]\n", *separator == '[' ? "[" : "");
  std::fflush(stdout);
  // Wine's driver has its own threads; a process that ends while they run may hang.
  player.client->Stop();
  ear->Stop();
  capture->Release();
  player.render->Release();
  ear->Release();
  player.client->Release();
  return 0;
}
