#include "formats.h"

#include <cstring>

#include "../../core/signal/speakers.h"

namespace patchcord {
namespace {

// KSDATAFORMAT_SUBTYPE_*: the format's tag, then always the same twelve bytes.
GUID subformat(WORD tag) {
  return {tag, 0x0000, 0x0010, {0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71}};
}

bool is_tagged(const GUID& guid) {
  const GUID tagged = subformat(static_cast<WORD>(guid.Data1));
  return std::memcmp(&guid, &tagged, sizeof(tagged)) == 0;
}

bool to_sample_format(uint32_t tag, uint32_t container_bits, uint32_t valid_bits,
                      SampleFormat* sample_format) {
  if (tag == WAVE_FORMAT_IEEE_FLOAT) {
    if (container_bits != 32 && container_bits != 64) return false;
    *sample_format = container_bits == 32 ? SampleFormat::kF32 : SampleFormat::kF64;
    return true;
  }
  if (tag != WAVE_FORMAT_PCM) return false;
  switch (container_bits) {
    case 8:
      *sample_format = SampleFormat::kU8;
      return true;
    case 16:
      *sample_format = SampleFormat::kS16;
      return true;
    case 24:
      *sample_format = SampleFormat::kS24;
      return true;
    case 32:
      *sample_format = valid_bits == 24 ? SampleFormat::kS24In32 : SampleFormat::kS32;
      return true;
    default:
      return false;
  }
}

// Windows' 5.1 has side speakers. Windows has no name for layouts of 3, 5 and 7 channels, so these
// get no mask.
DWORD speakers(uint32_t channels) {
  if (channels == 6) return 0x60F;
  return channels == 3 || channels == 5 || channels == 7 ? 0 : usual_speakers(channels);
}

}  // namespace

bool from_wave_format(const WAVEFORMATEX* wave, size_t bytes, Format* format) {
  if (bytes < sizeof(PCMWAVEFORMAT)) return false;
  uint32_t tag = wave->wFormatTag;
  uint32_t valid_bits = wave->wBitsPerSample;
  if (tag == WAVE_FORMAT_EXTENSIBLE) {
    WAVEFORMATEXTENSIBLE extensible;
    if (bytes < sizeof(extensible)) return false;
    std::memcpy(&extensible, wave, sizeof(extensible));
    if (!is_tagged(extensible.SubFormat)) return false;
    tag = extensible.SubFormat.Data1;
    valid_bits = extensible.Samples.wValidBitsPerSample;
  }
  Format read;
  read.sample_rate = wave->nSamplesPerSec;
  read.channels = wave->nChannels;
  if (read.sample_rate < kMinSampleRate || read.sample_rate > kMaxSampleRate) return false;
  if (read.channels < 1 || read.channels > kMaxChannels) return false;
  if (!to_sample_format(tag, wave->wBitsPerSample, valid_bits, &read.sample_format)) return false;
  *format = read;
  return true;
}

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

}  // namespace patchcord
