#include "wave_format.h"

#include <cstring>

namespace patchcord {

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
