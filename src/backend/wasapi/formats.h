// Conversion between Windows' descriptions of a format and ours.
#pragma once

#include "../../core/signal/format.h"
#include "windows_sdk.h"

namespace patchcord {

// Returns false if the engine has no such format: compressed, over 32 channels, outside 8 to 384
// kHz. `bytes` is the real size of `wave`, because a property in the registry may be cut short.
bool from_wave_format(const WAVEFORMATEX* wave, size_t bytes, Format* format);

// As the audio engine describes its mixes: always extensible.
WAVEFORMATEXTENSIBLE to_wave_format(const Format& format);

// REFERENCE_TIME counts 100 ns.
constexpr REFERENCE_TIME kReferencePerSecond = 10000000;
constexpr REFERENCE_TIME kReferencePerMs = 10000;
constexpr int64_t kNsPerReference = 100;

constexpr uint32_t to_frames(REFERENCE_TIME duration, uint32_t sample_rate) {
  return static_cast<uint32_t>((duration * sample_rate + kReferencePerSecond / 2) /
                               kReferencePerSecond);
}

}  // namespace patchcord
