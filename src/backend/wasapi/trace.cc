#include "trace.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "endpoint_property.h"
#include "formats.h"
#include "handle.h"
#include "wasapi_devices.h"

namespace patchcord {
namespace {

constexpr DWORD kRoundMs = 200;
constexpr char kHeader[] = "patchcord-trace 1\n";

std::wstring variable(const wchar_t* name) {
  wchar_t value[MAX_PATH];
  const DWORD length = GetEnvironmentVariableW(name, value, MAX_PATH);
  return length < MAX_PATH ? std::wstring(value, length) : std::wstring();
}

template <class... Values>
std::string print(const char* format, Values... values) {
  char text[200];
  std::snprintf(text, sizeof(text), format, values...);
  return text;
}

std::string hex(HRESULT result) { return print("0x%08lX", static_cast<unsigned long>(result)); }

// The version that programs see without a manifest stops at Windows 8.
std::string system_version() {
  struct Version {
    ULONG size, major, minor, build, platform;
    WCHAR service_pack[128];
  };
  const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  const auto find = [ntdll](const char* name) {
    return reinterpret_cast<void*>(GetProcAddress(ntdll, name));
  };
  std::string lines;
  if (const auto get = reinterpret_cast<LONG(WINAPI*)(Version*)>(find("RtlGetVersion"))) {
    Version version = {};
    version.size = sizeof(version);
    get(&version);
    lines += print("windows %lu.%lu.%lu\n", version.major, version.minor, version.build);
  }
  if (const auto wine = reinterpret_cast<const char* (*)()>(find("wine_get_version"))) {
    lines += print("wine %s\n", wine());
  }
  return lines;
}

// <rate> <channels> <bits> <valid bits> <tag> <channel mask>
std::string text_of(const WAVEFORMATEX* wave, size_t bytes) {
  WAVEFORMATEXTENSIBLE all = {};
  std::memcpy(&all, wave, std::min(sizeof(all), bytes));
  const bool extensible = wave->wFormatTag == WAVE_FORMAT_EXTENSIBLE && bytes >= sizeof(all);
  return print("%lu %u %u %u %lu 0x%lX", wave->nSamplesPerSec, wave->nChannels,
               wave->wBitsPerSample,
               extensible ? all.Samples.wValidBitsPerSample : wave->wBitsPerSample,
               extensible ? all.SubFormat.Data1 : static_cast<DWORD>(wave->wFormatTag),
               extensible ? all.dwChannelMask : 0);
}

std::string text_of(const TraceRecord& record) {
  const std::string result = hex(record.result);
  switch (record.kind) {
    case TraceRecord::Kind::kWake:
      return print("wake %lld %d", record.time, record.signalled ? 1 : 0);
    case TraceRecord::Kind::kStart:
      return print("start %lld %s", record.time, result.c_str());
    case TraceRecord::Kind::kBuffer:
      return print("buffer %s %u 0x%lX %llu %llu", result.c_str(), record.frames, record.flags,
                   record.position, record.stamp);
    case TraceRecord::Kind::kPadding:
      return print("padding %s %u", result.c_str(), record.frames);
    case TraceRecord::Kind::kPosition:
      return print("position %s %llu %llu", result.c_str(), record.position, record.stamp);
    case TraceRecord::Kind::kWritten:
      return print("written %s %u", result.c_str(), record.frames);
    case TraceRecord::Kind::kLost:
      return print("lost %s", result.c_str());
  }
  return {};
}

}  // namespace

// The file while at least one stream is traced. Its thread writes what the audio threads note.
class TraceFile {
 public:
  // The same for all streams that are open at once.
  static std::shared_ptr<TraceFile> current() {
    static std::mutex& mutex = *new std::mutex;
    static std::weak_ptr<TraceFile>& known = *new std::weak_ptr<TraceFile>;
    const std::wstring path = variable(L"PATCHCORD_TRACE");
    if (path.empty()) return nullptr;
    std::lock_guard<std::mutex> lock(mutex);
    std::shared_ptr<TraceFile> file = known.lock();
    if (file && file->path_ == path) return file;
    std::FILE* const opened = _wfopen(path.c_str(), L"ab");
    if (opened == nullptr) return nullptr;
    file = std::make_shared<TraceFile>(path, opened);
    known = file;
    return file;
  }

  TraceFile(std::wstring path, std::FILE* file) : path_(std::move(path)), file_(file) {
    std::fseek(file_, 0, SEEK_END);
    if (std::ftell(file_) == 0) write(kHeader + system_version());
    thread_ = std::thread([this] {
      while (WaitForSingleObject(quit_.get(), kRoundMs) == WAIT_TIMEOUT) round();
    });
  }
  // On the thread of the last stream.
  ~TraceFile() {
    SetEvent(quit_.get());
    thread_.join();
    std::fclose(file_);
  }

  void add(StreamTrace* stream) {
    std::lock_guard<std::mutex> lock(mutex_);
    streams_.push_back(stream);
  }
  void remove(StreamTrace* stream) {
    std::lock_guard<std::mutex> lock(mutex_);
    write(stream->take());
    streams_.erase(std::find(streams_.begin(), streams_.end(), stream));
  }
  void say(const std::string& text) {
    std::lock_guard<std::mutex> lock(mutex_);
    write(text);
  }
  uint32_t next_number() { return ++count_; }

 private:
  void round() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (StreamTrace* stream : streams_) write(stream->take());
  }
  void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
  }

  const std::wstring path_;
  std::FILE* const file_;
  std::mutex mutex_;
  std::vector<StreamTrace*> streams_;
  std::atomic<uint32_t> count_{0};
  Handle quit_{make_latch()};
  std::thread thread_;
};

std::unique_ptr<StreamTrace> StreamTrace::begin() {
  std::shared_ptr<TraceFile> file = TraceFile::current();
  if (!file) return nullptr;
  return std::unique_ptr<StreamTrace>(new StreamTrace(std::move(file)));
}

StreamTrace::StreamTrace(std::shared_ptr<TraceFile> file)
    : file_(std::move(file)), number_(file_->next_number()) {
  file_->add(this);
}

StreamTrace::~StreamTrace() { file_->remove(this); }

void StreamTrace::note(TraceRecord record) noexcept {
  record.time = real_clock().now();
  const uint32_t at = written_.load(std::memory_order_relaxed);
  if (at - taken_.load(std::memory_order_acquire) >= kRecords) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  ring_[at % kRecords] = record;
  written_.store(at + 1, std::memory_order_release);
}

std::string StreamTrace::take() {
  const std::string prefix = std::to_string(number_) + " ";
  const uint32_t end = written_.load(std::memory_order_acquire);
  std::string lines;
  uint32_t at = taken_.load(std::memory_order_relaxed);
  for (; at != end; ++at) lines += prefix + text_of(ring_[at % kRecords]) + "\n";
  taken_.store(at, std::memory_order_release);
  const uint32_t dropped = dropped_.exchange(0, std::memory_order_relaxed);
  if (dropped > 0) lines += prefix + "dropped " + std::to_string(dropped) + "\n";
  return lines;
}

void StreamTrace::say(const std::string& line) {
  file_->say(take() + std::to_string(number_) + " " + line + "\n");
}

void StreamTrace::describe(IMMDevice* device) {
  ComPtr<IAudioClient> client;
  if (SUCCEEDED(device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client.receive()))) {
    WAVEFORMATEX* raw = nullptr;
    const HRESULT result = client->GetMixFormat(&raw);
    const CoMem<WAVEFORMATEX> mix(raw);
    const std::string text = mix ? text_of(raw, sizeof(*raw) + raw->cbSize) : std::string("-");
    say("mix " + hex(result) + " " + text);
    REFERENCE_TIME standard = 0;
    REFERENCE_TIME shortest = 0;
    const HRESULT told = client->GetDevicePeriod(&standard, &shortest);
    say(print("periods %s %lld %lld", hex(told).c_str(), standard, shortest));
    ComPtr<IAudioClient3> client3;
    const HRESULT found = client->QueryInterface(__uuidof(IAudioClient3), client3.receive());
    UINT32 periods[4] = {};
    const HRESULT asked = FAILED(found) || !mix
                              ? found
                              : client3->GetSharedModeEnginePeriod(
                                    mix.get(), &periods[0], &periods[1], &periods[2], &periods[3]);
    say(print("engine %s %u %u %u %u", hex(asked).c_str(), periods[0], periods[1], periods[2],
              periods[3]));
  }
  ComPtr<IPropertyStore> store;
  DWORD count = 0;
  if (FAILED(device->OpenPropertyStore(STGM_READ, store.receive()))) return;
  Format format;
  WAVEFORMATEXTENSIBLE wave = {};
  if (read_device_format(device, &wave, &format)) {
    say("device " + text_of(&wave.Format, sizeof(wave)));
  }
  store->GetCount(&count);
  for (DWORD i = 0; i < count; ++i) {
    PROPERTYKEY key = {};
    if (FAILED(store->GetAt(i, &key))) continue;
    wchar_t id[40] = {};
    StringFromGUID2(key.fmtid, id, 40);
    say("property " + to_utf8(id) + print(" %lu", key.pid));
  }
  if (variable(L"PATCHCORD_TRACE_NAMES").empty()) return;
  say("name " + EndpointProperty(store.get(), PKEY_Device_FriendlyName).text());
}

void StreamTrace::describe(const CallResult& opened, const StreamInfo& info) {
  say("open " + hex(opened.result) + " " + opened.call);
  if (opened.failed()) return;
  say(print("format %u %u", info.format.sample_rate, info.format.channels));
  say(print("buffered %u %u", info.buffer_frames, info.period_frames));
}

}  // namespace patchcord
