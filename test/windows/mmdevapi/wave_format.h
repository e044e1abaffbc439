// Our formats in Windows' description, and Windows' judgement of descriptions. The plain other way
// is src/backend/wasapi/formats.h.
#pragma once

#include <cstdint>
#include <optional>

#include "../../../src/backend/wasapi/formats.h"

namespace patchcord {

// In memory that the caller of a COM method frees; null when there is none. `mask`: the speakers,
// where they are not the usual ones.
WAVEFORMATEX* allocate_wave_format(const Format& format, std::optional<uint32_t> mask = {});

// Whether a caller's description is of `format`.
bool describes(const WAVEFORMATEX* wave, const Format& format);

// The channel mask of an extensible description; nothing of a plain one.
std::optional<uint32_t> mask_of(const WAVEFORMATEX* wave);

// Shared mode's result for a description: S_OK for every valid sample type at the rate and the
// channels of the mix, and with `converts` (AUTOCONVERTPCM) at all others.
HRESULT judge_shared(const WAVEFORMATEX* wave, const Format& mix, bool converts, Format* format);

// The audio engine's mix format: always floats.
constexpr Format mix_of(const Format& device) {
  return {device.sample_rate, device.channels, SampleFormat::kF32};
}

}  // namespace patchcord
