#include "formats.h"

#include <cstring>

namespace patchcord {
namespace {

// Every subformat of an extensible format is its tag followed by these twelve bytes.
bool is_tagged(const GUID& subformat) {
  static const GUID kBase = {0, 0x0000, 0x0010, {0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71}};
  return subformat.Data2 == kBase.Data2 && subformat.Data3 == kBase.Data3 &&
         std::memcmp(subformat.Data4, kBase.Data4, sizeof(kBase.Data4)) == 0;
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

}  // namespace patchcord
