// A program that records from a microphone as Windows programs do, by one of the system's three
// ways:
//
//   recorder.exe wasapi|mme|directsound NAME SECONDS FILE
//
// FILE gets the left channel as 32-bit floats; standard output says the sample rate. NAME is a part
// of the microphone's name.
#include <audioclient.h>
#include <dsound.h>
#include <functiondiscoverykeys_devpkey.h>
#include <mmdeviceapi.h>
#include <mmsystem.h>
#include <windows.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <string>
#include <vector>

namespace {

constexpr DWORD kRate = 48000;
constexpr WORD kChannels = 2;
constexpr DWORD kPollMs = 10;

std::wstring wanted;
std::vector<float> heard;
size_t enough;

[[noreturn]] void fail(const char* what, long result) {
  std::fprintf(stderr, "%s: 0x%08lX\n", what, static_cast<unsigned long>(result));
  std::exit(1);
}

bool is_wanted(const wchar_t* name) { return std::wcsstr(name, wanted.c_str()) != nullptr; }

WAVEFORMATEX cd_like() {
  WAVEFORMATEX format = {};
  format.wFormatTag = WAVE_FORMAT_PCM;
  format.nChannels = kChannels;
  format.nSamplesPerSec = kRate;
  format.wBitsPerSample = 16;
  format.nBlockAlign = kChannels * 2;
  format.nAvgBytesPerSec = kRate * format.nBlockAlign;
  return format;
}

void hear(const void* data, size_t bytes) {
  const auto* samples = static_cast<const int16_t*>(data);
  for (size_t i = 0; i + 1 < bytes / 2; i += kChannels) heard.push_back(samples[i] / 32768.0f);
}

void record_mme() {
  UINT device = 0;
  const UINT count = waveInGetNumDevs();
  for (; device < count; ++device) {
    WAVEINCAPSW caps = {};
    waveInGetDevCapsW(device, &caps, sizeof(caps));
    if (is_wanted(caps.szPname)) break;
  }
  if (device == count) fail("no such microphone", count);
  const WAVEFORMATEX format = cd_like();
  HWAVEIN input = nullptr;
  const HANDLE filled = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  const MMRESULT opened =
      waveInOpen(&input, device, &format, reinterpret_cast<DWORD_PTR>(filled), 0, CALLBACK_EVENT);
  if (opened != MMSYSERR_NOERROR) fail("waveInOpen", static_cast<long>(opened));
  constexpr size_t kBuffers = 8;
  std::vector<char> memory[kBuffers];
  WAVEHDR headers[kBuffers] = {};
  for (size_t i = 0; i < kBuffers; ++i) {
    memory[i].resize(kRate / 50 * format.nBlockAlign);
    headers[i].lpData = memory[i].data();
    headers[i].dwBufferLength = static_cast<DWORD>(memory[i].size());
    waveInPrepareHeader(input, &headers[i], sizeof(headers[i]));
    waveInAddBuffer(input, &headers[i], sizeof(headers[i]));
  }
  waveInStart(input);
  for (size_t next = 0; heard.size() < enough;) {
    while (!(headers[next].dwFlags & WHDR_DONE)) WaitForSingleObject(filled, 1000);
    hear(headers[next].lpData, headers[next].dwBytesRecorded);
    headers[next].dwFlags &= ~static_cast<DWORD>(WHDR_DONE);
    waveInAddBuffer(input, &headers[next], sizeof(headers[next]));
    next = (next + 1) % kBuffers;
  }
  waveInReset(input);
  waveInClose(input);
}

BOOL CALLBACK find_microphone(GUID* id, const wchar_t* name, const wchar_t*, void* found) {
  if (id == nullptr || !is_wanted(name)) return TRUE;
  *static_cast<GUID*>(found) = *id;
  return FALSE;
}

void record_directsound() {
  GUID id = {};
  DirectSoundCaptureEnumerateW(find_microphone, &id);
  if (IsEqualGUID(id, GUID{})) fail("no such microphone", 0);
  IDirectSoundCapture* capture = nullptr;
  HRESULT result = DirectSoundCaptureCreate(&id, &capture, nullptr);
  if (FAILED(result)) fail("DirectSoundCaptureCreate", result);
  WAVEFORMATEX format = cd_like();
  DSCBUFFERDESC description = {};
  description.dwSize = sizeof(description);
  description.dwBufferBytes = format.nAvgBytesPerSec;
  description.lpwfxFormat = &format;
  IDirectSoundCaptureBuffer* buffer = nullptr;
  result = capture->CreateCaptureBuffer(&description, &buffer, nullptr);
  if (FAILED(result)) fail("CreateCaptureBuffer", result);
  buffer->Start(DSCBSTART_LOOPING);
  for (DWORD at = 0; heard.size() < enough;) {
    Sleep(kPollMs);
    DWORD readable = 0;
    buffer->GetCurrentPosition(nullptr, &readable);
    const DWORD bytes = (readable + description.dwBufferBytes - at) % description.dwBufferBytes;
    if (bytes == 0) continue;
    void* parts[2] = {};
    DWORD sizes[2] = {};
    result = buffer->Lock(at, bytes, &parts[0], &sizes[0], &parts[1], &sizes[1], 0);
    if (FAILED(result)) fail("Lock", result);
    for (int i = 0; i < 2; ++i) {
      if (parts[i] != nullptr) hear(parts[i], sizes[i]);
    }
    buffer->Unlock(parts[0], sizes[0], parts[1], sizes[1]);
    at = (at + bytes) % description.dwBufferBytes;
  }
  buffer->Stop();
  buffer->Release();
  capture->Release();
}

DWORD record_wasapi() {
  IMMDeviceEnumerator* enumerator = nullptr;
  HRESULT result =
      CoCreateInstance(__uuidof(MMDeviceEnumerator), nullptr, CLSCTX_ALL,
                       __uuidof(IMMDeviceEnumerator), reinterpret_cast<void**>(&enumerator));
  if (FAILED(result)) fail("CoCreateInstance", result);
  IMMDeviceCollection* collection = nullptr;
  enumerator->EnumAudioEndpoints(eCapture, DEVICE_STATE_ACTIVE, &collection);
  UINT count = 0;
  collection->GetCount(&count);
  IMMDevice* device = nullptr;
  for (UINT i = 0; i < count && device == nullptr; ++i) {
    IPropertyStore* store = nullptr;
    PROPVARIANT name;
    PropVariantInit(&name);
    collection->Item(i, &device);
    device->OpenPropertyStore(STGM_READ, &store);
    store->GetValue(PKEY_Device_FriendlyName, &name);
    if (name.vt != VT_LPWSTR || !is_wanted(name.pwszVal)) device = nullptr;
  }
  if (device == nullptr) fail("no such microphone", static_cast<long>(count));
  IAudioClient* client = nullptr;
  device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, reinterpret_cast<void**>(&client));
  WAVEFORMATEX* format = nullptr;
  client->GetMixFormat(&format);
  result = client->Initialize(AUDCLNT_SHAREMODE_SHARED, 0, 2000000, 0, format, nullptr);
  if (FAILED(result)) fail("Initialize", result);
  IAudioCaptureClient* capture = nullptr;
  client->GetService(__uuidof(IAudioCaptureClient), reinterpret_cast<void**>(&capture));
  client->Start();
  while (heard.size() < enough) {
    Sleep(kPollMs);
    BYTE* data = nullptr;
    UINT32 frames = 0;
    DWORD flags = 0;
    while (capture->GetBuffer(&data, &frames, &flags, nullptr, nullptr) == S_OK && frames > 0) {
      const auto* samples = reinterpret_cast<const float*>(data);
      for (UINT32 i = 0; i < frames; ++i) {
        const bool silent = (flags & AUDCLNT_BUFFERFLAGS_SILENT) != 0;
        heard.push_back(silent ? 0.0f : samples[i * format->nChannels]);
      }
      capture->ReleaseBuffer(frames);
    }
  }
  client->Stop();
  return format->nSamplesPerSec;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
  if (argc != 5) return 2;
  const std::wstring way = argv[1];
  wanted = argv[2];
  enough = static_cast<size_t>(std::wcstod(argv[3], nullptr) * kRate);
  CoInitializeEx(nullptr, COINIT_MULTITHREADED);
  DWORD rate = kRate;
  if (way == L"mme") record_mme();
  if (way == L"directsound") record_directsound();
  if (way == L"wasapi") rate = record_wasapi();
  std::FILE* const file = _wfopen(argv[4], L"wb");
  if (file == nullptr) return 3;
  std::fwrite(heard.data(), sizeof(float), heard.size(), file);
  std::fclose(file);
  std::printf("%lu\n", rate);
  return 0;
}
