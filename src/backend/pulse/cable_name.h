// How a microphone or an output that is made is called: what people read, and the ids that programs
// remember.
#pragma once

#include <cstdint>
#include <string>

namespace patchcord {
namespace pulse {

struct CableName {
  std::string label;       // what people read, as it can stand in a module's argument
  std::string shown;       // the same, as the server shows it
  std::string sink;        // of a microphone: what is played to
  std::string microphone;  // the source
  std::string speaker;     // of an output without a microphone: the sink
};

// The same for the same `wanted` and `copy`, in every process and on every day: programs find the
// device again. `copy` counts from 1, where several of one name are there at once.
// `quoting_varies`: as ServerTraits has it.
CableName cable_name(const std::string& wanted, uint32_t copy, bool quoting_varies);

}  // namespace pulse
}  // namespace patchcord
