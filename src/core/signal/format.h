// The layouts of a block of audio in memory, and the conversion between them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace patchcord {

class Dither;

// Little-endian, interleaved. kS24 is packed in three bytes, kS24In32 carries 24 valid bits in the
// high bytes of four (WASAPI's container); only devices use the latter.
enum class SampleFormat : uint8_t { kS16, kS24, kS32, kF32, kS24In32, kU8, kF64 };

constexpr uint32_t kMinSampleRate = 8000;
constexpr uint32_t kMaxSampleRate = 384000;
constexpr uint32_t kMaxChannels = 32;

struct Format {
  uint32_t sample_rate = 48000;
  uint32_t channels = 2;
  SampleFormat sample_format = SampleFormat::kF32;

  bool operator==(const Format& other) const {
    return sample_rate == other.sample_rate && channels == other.channels &&
           sample_format == other.sample_format;
  }
  bool operator!=(const Format& other) const { return !(*this == other); }
};

constexpr size_t bytes_per_sample(SampleFormat format) {
  switch (format) {
    case SampleFormat::kU8:
      return 1;
    case SampleFormat::kS16:
      return 2;
    case SampleFormat::kS24:
      return 3;
    case SampleFormat::kS32:
    case SampleFormat::kF32:
    case SampleFormat::kS24In32:
      return 4;
    case SampleFormat::kF64:
      return 8;
  }
  return 0;
}

constexpr size_t bytes_per_frame(const Format& format) {
  return bytes_per_sample(format.sample_format) * format.channels;
}

// Any thread. `samples` counts samples, not frames. Integer full scale maps to [-1, 1): a value v
// of an n-bit format is v / 2^(n-1), so s16, s24 and f32 survive a round trip bit for bit. On the
// way back values are rounded to nearest even, clipped, and NaN becomes 0. Neither source nor
// destination needs alignment.
void to_float(const void* source, SampleFormat format, float* destination, size_t samples) noexcept;
void from_float(const float* source, SampleFormat format, void* destination,
                size_t samples) noexcept;

// The same with noise added before the rounding to s16 and s24, one number of `dither` for each
// sample. The other formats get no noise: they are finer than the audio that they are made from.
void from_float(const float* source, SampleFormat format, void* destination, size_t samples,
                Dither& dither) noexcept;

}  // namespace patchcord
