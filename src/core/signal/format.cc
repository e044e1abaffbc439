#include "format.h"

#include <cfloat>
#include <cmath>
#include <cstring>

#include "dither.h"

namespace patchcord {
namespace {

// For little-endian hosts only; all supported systems are.

template <typename T>
T load(const uint8_t* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void store(uint8_t* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

bool finite(float x) noexcept { return std::fabs(x) <= FLT_MAX; }

// Rounds to nearest, ties to even, without a call: adding 1.5 * 2^52 pushes the fraction out of the
// mantissa, whose low word is then the integer. Valid for |x| < 2^31.
int32_t round_to_int(double x) noexcept {
  const double shifted = x + 6755399441055744.0;
  uint64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return static_cast<int32_t>(static_cast<uint32_t>(bits));
}

// Converts to an integer of `kBits`; `noise` is in units of it. The comparisons are ordered so that
// NaN becomes 0.
template <int kBits>
int32_t quantize(float sample, double noise = 0) noexcept {
  constexpr double kScale = static_cast<double>(int64_t{1} << (kBits - 1));
  const double x = static_cast<double>(sample) * kScale + noise;
  const double below = x < kScale - 1 ? x : (x >= kScale - 1 ? kScale - 1 : 0.0);
  return round_to_int(below > -kScale ? below : -kScale);
}

void store_s16(uint8_t* at, int32_t value) noexcept { store(at, static_cast<int16_t>(value)); }

void store_s24(uint8_t* at, int32_t value) noexcept {
  const uint32_t bits = static_cast<uint32_t>(value);
  at[0] = static_cast<uint8_t>(bits);
  at[1] = static_cast<uint8_t>(bits >> 8);
  at[2] = static_cast<uint8_t>(bits >> 16);
}

template <size_t kBytes, typename Convert>
void read_each(const void* source, float* destination, size_t samples, Convert convert) noexcept {
  const uint8_t* from = static_cast<const uint8_t*>(source);
  for (size_t i = 0; i < samples; ++i) destination[i] = convert(from + i * kBytes);
}

template <size_t kBytes, typename Convert>
void write_each(const float* source, void* destination, size_t samples, Convert convert) noexcept {
  uint8_t* to = static_cast<uint8_t*>(destination);
  for (size_t i = 0; i < samples; ++i) convert(source[i], to + i * kBytes);
}

}  // namespace

void to_float(const void* source, SampleFormat format, float* destination,
              size_t samples) noexcept {
  switch (format) {
    case SampleFormat::kU8:
      return read_each<1>(source, destination, samples, [](const uint8_t* at) {
        return static_cast<float>(*at - 128) * 0x1p-7f;
      });
    case SampleFormat::kS16:
      return read_each<2>(source, destination, samples, [](const uint8_t* at) {
        return static_cast<float>(load<int16_t>(at)) * 0x1p-15f;
      });
    case SampleFormat::kS24:
      return read_each<3>(source, destination, samples, [](const uint8_t* at) {
        const uint32_t high = static_cast<uint32_t>(at[0]) << 8 |
                              static_cast<uint32_t>(at[1]) << 16 |
                              static_cast<uint32_t>(at[2]) << 24;
        return static_cast<float>(static_cast<int32_t>(high)) * 0x1p-31f;
      });
    case SampleFormat::kS24In32:
      // The low byte is padding that a driver may leave undefined.
      return read_each<4>(source, destination, samples, [](const uint8_t* at) {
        return static_cast<float>(static_cast<int32_t>(load<uint32_t>(at) & 0xffffff00u)) *
               0x1p-31f;
      });
    case SampleFormat::kS32:
      return read_each<4>(source, destination, samples, [](const uint8_t* at) {
        return static_cast<float>(load<int32_t>(at)) * 0x1p-31f;
      });
    case SampleFormat::kF32:
      return read_each<4>(source, destination, samples, [](const uint8_t* at) {
        const float sample = load<float>(at);
        return finite(sample) ? sample : 0.0f;
      });
    case SampleFormat::kF64:
      // The value is compared before it is narrowed: a value beyond the range of float counts as
      // infinite.
      return read_each<8>(source, destination, samples, [](const uint8_t* at) {
        const double sample = load<double>(at);
        return std::fabs(sample) <= static_cast<double>(FLT_MAX) ? static_cast<float>(sample)
                                                                 : 0.0f;
      });
  }
}

void from_float(const float* source, SampleFormat format, void* destination,
                size_t samples) noexcept {
  switch (format) {
    case SampleFormat::kU8:
      return write_each<1>(source, destination, samples, [](float sample, uint8_t* at) {
        *at = static_cast<uint8_t>(quantize<8>(sample) + 128);
      });
    case SampleFormat::kS16:
      return write_each<2>(source, destination, samples,
                           [](float sample, uint8_t* at) { store_s16(at, quantize<16>(sample)); });
    case SampleFormat::kS24:
      return write_each<3>(source, destination, samples,
                           [](float sample, uint8_t* at) { store_s24(at, quantize<24>(sample)); });
    case SampleFormat::kS24In32:
      return write_each<4>(source, destination, samples, [](float sample, uint8_t* at) {
        store(at, static_cast<uint32_t>(quantize<24>(sample)) << 8);
      });
    case SampleFormat::kS32:
      return write_each<4>(source, destination, samples,
                           [](float sample, uint8_t* at) { store(at, quantize<32>(sample)); });
    case SampleFormat::kF32:
      return write_each<4>(source, destination, samples, [](float sample, uint8_t* at) {
        store(at, finite(sample) ? sample : 0.0f);
      });
    case SampleFormat::kF64:
      return write_each<8>(source, destination, samples, [](float sample, uint8_t* at) {
        store(at, finite(sample) ? static_cast<double>(sample) : 0.0);
      });
  }
}

void from_float(const float* source, SampleFormat format, void* destination, size_t samples,
                Dither& dither) noexcept {
  if (format == SampleFormat::kS16) {
    return write_each<2>(source, destination, samples, [&dither](float sample, uint8_t* at) {
      store_s16(at, quantize<16>(sample, dither.next(sample)));
    });
  }
  if (format == SampleFormat::kS24) {
    return write_each<3>(source, destination, samples, [&dither](float sample, uint8_t* at) {
      store_s24(at, quantize<24>(sample, dither.next(sample)));
    });
  }
  from_float(source, format, destination, samples);
}

}  // namespace patchcord
