// Our formats in Windows' description. The other way is src/backend/wasapi/formats.h.
#pragma once

#include "../../../src/backend/wasapi/formats.h"

namespace patchcord {

// In memory that the caller of a COM method frees; null when there is none.
WAVEFORMATEX* allocate_wave_format(const Format& format);

// Whether a caller's description is of `format`.
bool describes(const WAVEFORMATEX* wave, const Format& format);

}  // namespace patchcord
