#include "wave_format.h"

#include <cstring>

namespace patchcord {
namespace {

constexpr WORD kExtraBytes = sizeof(WAVEFORMATEXTENSIBLE) - sizeof(WAVEFORMATEX);
constexpr uint32_t kLastSpeaker = 0x20000;  // SPEAKER_TOP_BACK_RIGHT

struct Described {
  bool is_float = false;
  bool known = true;  // the kind of samples
  WORD bits = 0, valid_bits = 0;
  uint32_t mask = 0;
};

Described read(const WAVEFORMATEX* wave) {
  Described described;
  WORD tag = wave->wFormatTag;
  described.bits = described.valid_bits = wave->wBitsPerSample;
  if (tag == WAVE_FORMAT_EXTENSIBLE) {
    WAVEFORMATEXTENSIBLE extensible;
    std::memcpy(&extensible, wave, sizeof(extensible));
    described.valid_bits = extensible.Samples.wValidBitsPerSample;
    described.mask = extensible.dwChannelMask;
    tag = static_cast<WORD>(extensible.SubFormat.Data1);
  }
  described.is_float = tag == WAVE_FORMAT_IEEE_FLOAT;
  described.known = described.is_float || tag == WAVE_FORMAT_PCM;
  return described;
}

// Whether the description is valid and its kind of samples is known.
bool is_consistent(const WAVEFORMATEX* wave, const Described& described) {
  if (wave->nChannels == 0 || wave->nSamplesPerSec == 0) return false;
  if (wave->nBlockAlign != wave->nChannels * described.bits / 8) return false;
  if (wave->nAvgBytesPerSec != wave->nSamplesPerSec * wave->nBlockAlign) return false;
  if (described.valid_bits == 0 || described.valid_bits > described.bits) return false;
  if (described.mask >= 2 * kLastSpeaker) return false;
  if (described.is_float) return described.bits == 32 || described.bits == 64;
  return described.bits == 8 || described.bits == 16 || described.bits == 24 ||
         described.bits == 32;
}

}  // namespace

WAVEFORMATEX* allocate_wave_format(const Format& format, std::optional<uint32_t> mask) {
  WAVEFORMATEXTENSIBLE wave = to_wave_format(format);
  if (mask) wave.dwChannelMask = *mask;
  void* const memory = CoTaskMemAlloc(sizeof(wave));
  if (memory != nullptr) std::memcpy(memory, &wave, sizeof(wave));
  return static_cast<WAVEFORMATEX*>(memory);
}

bool describes(const WAVEFORMATEX* wave, const Format& format) {
  Format described;
  return from_wave_format(wave, sizeof(*wave) + wave->cbSize, &described) && described == format;
}

std::optional<uint32_t> mask_of(const WAVEFORMATEX* wave) {
  if (wave->wFormatTag != WAVE_FORMAT_EXTENSIBLE || wave->cbSize < kExtraBytes) return {};
  return read(wave).mask;
}

HRESULT judge_shared(const WAVEFORMATEX* wave, const Format& mix, bool converts, Format* format) {
  const bool extensible = wave->wFormatTag == WAVE_FORMAT_EXTENSIBLE;
  if (extensible && wave->cbSize < kExtraBytes) return E_INVALIDARG;
  if (!extensible && wave->nChannels > 2) return E_INVALIDARG;
  const Described described = read(wave);
  if (described.known && !is_consistent(wave, described)) return E_INVALIDARG;
  if (!from_wave_format(wave, sizeof(*wave) + wave->cbSize, format)) {
    return AUDCLNT_E_UNSUPPORTED_FORMAT;
  }
  const bool partly = !described.is_float && described.valid_bits < described.bits;
  if (partly && format->sample_format != SampleFormat::kS24In32) {
    return AUDCLNT_E_UNSUPPORTED_FORMAT;
  }
  if (format->sample_format == SampleFormat::kF64) return AUDCLNT_E_UNSUPPORTED_FORMAT;
  const bool same = format->sample_rate == mix.sample_rate && format->channels == mix.channels;
  return same || converts ? S_OK : AUDCLNT_E_UNSUPPORTED_FORMAT;
}

}  // namespace patchcord
