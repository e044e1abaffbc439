// How a microphone that is made is called: what people read, and the ids that programs remember.
#pragma once

#include <cstdint>
#include <string>

namespace patchcord {
namespace pulse {

struct CableName {
  std::string label;       // of the microphone, as it can stand in a module's argument
  std::string shown;       // the same, as the server shows it
  std::string sink;        // what is played to
  std::string microphone;  // the source
};

// The same for the same `wanted` and `copy`, in every process and on every day: programs find the
// microphone again. `copy` counts from 1, where several of one name are there at once.
// `quoting_varies`: as ServerTraits has it.
CableName cable_name(const std::string& wanted, uint32_t copy, bool quoting_varies);

}  // namespace pulse
}  // namespace patchcord
