#include "arrival_capture.h"

#include <algorithm>

#include "formats.h"
#include "stream_client.h"

namespace patchcord {
namespace {

// A microphone always delivers. These interfaces do not say that its device is gone, or that the
// audio service has restarted.
constexpr int64_t kWatchdog = 250 * kNsPerMs;
constexpr int64_t kLongestWithout = 2 * kNsPerSecond;

WAVEFORMATEX plain_format(uint32_t sample_rate, uint32_t channels) {
  WAVEFORMATEX wave = {};
  wave.wFormatTag = WAVE_FORMAT_PCM;
  wave.nChannels = static_cast<WORD>(channels);
  wave.nSamplesPerSec = sample_rate;
  wave.wBitsPerSample = 16;
  wave.nBlockAlign = static_cast<WORD>(channels * 2);
  wave.nAvgBytesPerSec = sample_rate * wave.nBlockAlign;
  return wave;
}

}  // namespace

// The mix format needs no conversion. A Windows that does not take its description takes plain
// integers.
CallResult ArrivalCapture::connect_in_some_format(IMMDevice* device, HANDLE wake,
                                                  StreamInfo* info) {
  ComPtr<IAudioClient> client;
  HRESULT result = device->Activate(__uuidof(IAudioClient), CLSCTX_ALL, nullptr, client.receive());
  if (FAILED(result)) return {result, "IMMDevice::Activate(IAudioClient)"};
  WAVEFORMATEX* raw = nullptr;
  result = client->GetMixFormat(&raw);
  if (FAILED(result)) return {result, "IAudioClient::GetMixFormat"};
  const CoMem<WAVEFORMATEX> mix(raw);
  const uint32_t channels = std::min<uint32_t>(mix->nChannels, 2);
  const WAVEFORMATEX plain[] = {plain_format(mix->nSamplesPerSec, channels), plain_format(48000, 2),
                                plain_format(44100, 1)};
  CallResult connected{AUDCLNT_E_UNSUPPORTED_FORMAT, "IAudioClient::GetMixFormat"};
  for (const WAVEFORMATEX* wave :
       {static_cast<const WAVEFORMATEX*>(mix.get()), &plain[0], &plain[1], &plain[2]}) {
    if (!from_wave_format(wave, sizeof(*wave) + wave->cbSize, &info->format)) continue;
    connected = connect(wave, wake);
    if (connected.result == AUDCLNT_E_UNSUPPORTED_FORMAT) continue;
    set_speakers(wave, info);
    break;
  }
  return connected;
}

CallResult ArrivalCapture::open(IMMDevice* device, HANDLE wake, StreamInfo* info) {
  const CallResult found = find(device);
  if (found.failed()) return found;
  const CallResult connected = connect_in_some_format(device, wake, info);
  if (connected.failed()) return connected;
  device->QueryInterface(__uuidof(IMMDevice), device_.receive());
  frame_bytes_ = static_cast<uint32_t>(bytes_per_frame(info->format));
  sample_rate_ = info->format.sample_rate;
  losses_ = ArrivalLosses(sample_rate_);
  info->period_frames = sample_rate_ / 100;
  info->timing.fetch_stamps = true;
  info->granted.api = api();
  const Wish none = Wish::refused("only WASAPI has this choice");
  if (options_.low_latency) info->granted.low_latency = none;
  if (options_.raw) info->granted.raw = none;
  if (options_.category != Category::kOther) info->granted.category = none;
  return {};
}

CallResult ArrivalCapture::start() {
  last_packet_ = last_look_ = now();
  return run();
}

CallResult ArrivalCapture::turn(Gate* gate, bool) noexcept {
  const int64_t before = last_packet_;
  const CallResult drained = drain(gate);
  if (drained.failed() || last_packet_ != before) return drained;
  if (const Gate::Pass pass(gate); pass) listener_.on_idle(false);
  if (now() - std::max(last_packet_, last_look_) < kWatchdog) return {};
  last_look_ = now();
  DWORD state = 0;
  const HRESULT result = device_->GetState(&state);
  if (FAILED(result)) return {result, "IMMDevice::GetState"};
  const bool gone = state != DEVICE_STATE_ACTIVE || now() - last_packet_ > kLongestWithout;
  return {gone ? AUDCLNT_E_DEVICE_INVALIDATED : S_OK, "IMMDevice::GetState"};
}

void ArrivalCapture::deliver(Gate* gate, const void* data, uint32_t bytes,
                             uint32_t behind) noexcept {
  Packet packet;
  packet.data = data;
  packet.frames = bytes / frame_bytes_;
  if (packet.frames == 0) return;
  last_packet_ = now();
  const int64_t frames = packet.frames + behind / frame_bytes_;
  packet.time = last_packet_ - frames * kNsPerSecond / sample_rate_;
  note({TraceRecord::Kind::kBuffer, false, S_OK, packet.frames, 0, 0,
        static_cast<UINT64>(packet.time / kNsPerReference)});
  position_ += losses_.find(position_ + frames, last_packet_);
  packet.position = position_;
  position_ += packet.frames;
  if (const Gate::Pass pass(gate); pass) listener_.on_packet(packet);
}

}  // namespace patchcord
