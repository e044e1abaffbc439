#include "../../src/core/signal/format.h"

#include <cfloat>
#include <cstdint>
#include <limits>

#include "check.h"
#include "random_signal.h"

using namespace patchcord;

namespace {

constexpr SampleFormat kAll[] = {SampleFormat::kU8,      SampleFormat::kS16, SampleFormat::kS24,
                                 SampleFormat::kS24In32, SampleFormat::kS32, SampleFormat::kF32,
                                 SampleFormat::kF64};

template <typename T>
T written(float sample, SampleFormat format) {
  T value{};
  from_float(&sample, format, &value, 1);
  return value;
}

template <typename T>
float read(T value, SampleFormat format) {
  float sample;
  to_float(&value, format, &sample, 1);
  return sample;
}

int32_t written_s24(float sample) {
  uint8_t bytes[3];
  from_float(&sample, SampleFormat::kS24, bytes, 1);
  return static_cast<int32_t>(bytes[0] << 8 | bytes[1] << 16 |
                              static_cast<uint32_t>(bytes[2]) << 24) >>
         8;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST("every s16 and u8 value survives the way to float and back") {
  for (int value = INT16_MIN; value <= INT16_MAX; ++value) {
    const auto sample = static_cast<int16_t>(value);
    CHECK(written<int16_t>(read(sample, SampleFormat::kS16), SampleFormat::kS16) == sample);
  }
  for (int value = 0; value <= UINT8_MAX; ++value) {
    const auto sample = static_cast<uint8_t>(value);
    CHECK(written<uint8_t>(read(sample, SampleFormat::kU8), SampleFormat::kU8) == sample);
  }
}

TEST("s24, packed or in four bytes, survives bit for bit; s32 keeps its upper 24 bits") {
  RandomSignal random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto value = static_cast<int32_t>(random.bits()) >> 8;
    const uint8_t packed[3] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                               static_cast<uint8_t>(value >> 16)};
    float sample;
    to_float(packed, SampleFormat::kS24, &sample, 1);
    CHECK(sample == static_cast<float>(value) / 8388608.0f);
    CHECK(written_s24(sample) == value);
    // Whatever a driver leaves in the padding is not sound.
    const uint32_t padded = static_cast<uint32_t>(value) << 8 | (random.bits() & 0xff);
    CHECK(read(padded, SampleFormat::kS24In32) == sample);
    CHECK(written<uint32_t>(sample, SampleFormat::kS24In32) == static_cast<uint32_t>(value) << 8);
    CHECK(written<int32_t>(sample, SampleFormat::kS32) == value * 256);
    CHECK(read(value * 256, SampleFormat::kS32) == sample);
  }
}

TEST("float to integer rounds to nearest, ties to even, and clips") {
  CHECK(written<int16_t>(0.5f / 32768, SampleFormat::kS16) == 0);
  CHECK(written<int16_t>(1.5f / 32768, SampleFormat::kS16) == 2);
  CHECK(written<int16_t>(-0.5f / 32768, SampleFormat::kS16) == 0);
  CHECK(written<int16_t>(-1.5f / 32768, SampleFormat::kS16) == -2);
  CHECK(written<int16_t>(2.6f / 32768, SampleFormat::kS16) == 3);
  CHECK(written<int16_t>(1.0f, SampleFormat::kS16) == INT16_MAX);
  CHECK(written<int16_t>(-1.0f, SampleFormat::kS16) == INT16_MIN);
  CHECK(written<int16_t>(-7.0f, SampleFormat::kS16) == INT16_MIN);
  CHECK(written_s24(1.0f) == 8388607);
  CHECK(written_s24(-1.0f) == -8388608);
  CHECK(written<int32_t>(1.0f, SampleFormat::kS32) == INT32_MAX);
  CHECK(written<int32_t>(-1.0f, SampleFormat::kS32) == INT32_MIN);
  CHECK(written<int32_t>(FLT_MAX, SampleFormat::kS32) == INT32_MAX);
  CHECK(written<uint8_t>(1.0f, SampleFormat::kU8) == 255);
  CHECK(written<uint8_t>(-2.0f, SampleFormat::kU8) == 0);
  CHECK(written<uint8_t>(0.0f, SampleFormat::kU8) == 128);
}

TEST("what is not finite is silent as a float; infinity is full scale as an integer") {
  CHECK(read(kNan, SampleFormat::kF32) == 0);
  CHECK(read(-kInf, SampleFormat::kF32) == 0);
  CHECK(read(std::numeric_limits<double>::quiet_NaN(), SampleFormat::kF64) == 0);
  CHECK(read(1e300, SampleFormat::kF64) == 0);
  CHECK(written<float>(kNan, SampleFormat::kF32) == 0);
  CHECK(written<float>(kInf, SampleFormat::kF32) == 0);
  CHECK(written<double>(kNan, SampleFormat::kF64) == 0);
  CHECK(written<int16_t>(kNan, SampleFormat::kS16) == 0);
  CHECK(written<int32_t>(kNan, SampleFormat::kS32) == 0);
  CHECK(written_s24(kNan) == 0);
  CHECK(written<uint8_t>(kNan, SampleFormat::kU8) == 128);
  CHECK(written<int16_t>(kInf, SampleFormat::kS16) == INT16_MAX);
  CHECK(written<int16_t>(-kInf, SampleFormat::kS16) == INT16_MIN);
  CHECK(written<float>(3.5f, SampleFormat::kF32) == 3.5f);
}

// Any bytes, any count, any alignment: a finite result within the format's range, nothing read or
// written beside the block (AddressSanitizer watches), and stable after one round.
TEST("fuzz: any bytes, at any alignment, become finite samples and the same bytes ever after") {
  RandomSignal random(2);
  for (int round = 0; round < 4000; ++round) {
    const SampleFormat format = kAll[random.whole(0, 6)];
    const bool is_float = format == SampleFormat::kF32 || format == SampleFormat::kF64;
    const size_t count = random.whole(0, 67);
    const size_t size = count * bytes_per_sample(format);
    const size_t shift = random.whole(0, 7);
    // Exactly as long as needed, the start off by `shift`.
    std::vector<uint8_t> from(shift + size), to(shift + size), again(shift + size);
    for (uint8_t& byte : from) byte = static_cast<uint8_t>(random.bits() >> 40);
    std::vector<float> samples(count), second(count);
    to_float(from.data() + shift, format, samples.data(), count);
    for (const float sample : samples) {
      CHECK(std::isfinite(sample));
      CHECK(is_float || (sample >= -1 && sample <= 1));
    }
    from_float(samples.data(), format, to.data() + shift, count);
    to_float(to.data() + shift, format, second.data(), count);
    from_float(second.data(), format, again.data() + shift, count);
    CHECK(to == again);
    if (format != SampleFormat::kS32) CHECK(samples == second);
  }
}
