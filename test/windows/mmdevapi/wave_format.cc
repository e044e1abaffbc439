#include "wave_format.h"

#include <cstring>

namespace patchcord {
namespace {

// KSDATAFORMAT_SUBTYPE_*: the format's tag, then always the same.
GUID subformat(WORD tag) {
  return {tag, 0x0000, 0x0010, {0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71}};
}

// Where the speakers stand. Beyond 7.1 Windows leaves them unnamed.
DWORD speakers(uint32_t channels) {
  switch (channels) {
    case 1:
      return 0x4;  // KSAUDIO_SPEAKER_MONO: front centre
    case 2:
      return 0x3;
    case 4:
      return 0x33;
    case 6:
      return 0x60F;  // 5.1 with side speakers
    case 8:
      return 0x63F;
    default:
      return 0;
  }
}

}  // namespace

WAVEFORMATEXTENSIBLE to_wave_format(const Format& format) {
  WAVEFORMATEXTENSIBLE wave = {};
  const bool is_float =
      format.sample_format == SampleFormat::kF32 || format.sample_format == SampleFormat::kF64;
  const WORD bits = static_cast<WORD>(bytes_per_sample(format.sample_format) * 8);
  wave.Format.wFormatTag = WAVE_FORMAT_EXTENSIBLE;
  wave.Format.nChannels = static_cast<WORD>(format.channels);
  wave.Format.nSamplesPerSec = format.sample_rate;
  wave.Format.nBlockAlign = static_cast<WORD>(bytes_per_frame(format));
  wave.Format.nAvgBytesPerSec = format.sample_rate * wave.Format.nBlockAlign;
  wave.Format.wBitsPerSample = bits;
  wave.Format.cbSize = sizeof(wave) - sizeof(wave.Format);
  wave.Samples.wValidBitsPerSample = format.sample_format == SampleFormat::kS24In32 ? 24 : bits;
  wave.dwChannelMask = speakers(format.channels);
  wave.SubFormat = subformat(is_float ? WAVE_FORMAT_IEEE_FLOAT : WAVE_FORMAT_PCM);
  return wave;
}

WAVEFORMATEX* allocate_wave_format(const Format& format) {
  const WAVEFORMATEXTENSIBLE wave = to_wave_format(format);
  void* const memory = CoTaskMemAlloc(sizeof(wave));
  if (memory != nullptr) std::memcpy(memory, &wave, sizeof(wave));
  return static_cast<WAVEFORMATEX*>(memory);
}

bool describes(const WAVEFORMATEX* wave, const Format& format) {
  Format described;
  return from_wave_format(wave, sizeof(*wave) + wave->cbSize, &described) && described == format;
}

}  // namespace patchcord
