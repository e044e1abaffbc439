// The names of a microphone or an output that this package makes: the label that people read, and
// the ids that programs remember.
#pragma once

#include <cstdint>
#include <string>

namespace patchcord {
namespace pulse {

struct CableName {
  std::string label;       // the label, in a form for a module's argument
  std::string shown;       // the label as the server shows it
  std::string sink;        // for a microphone: the sink that is played to
  std::string microphone;  // for a microphone: the source
  std::string speaker;     // for an output without a microphone: the sink
};

// Returns the same names for the same `wanted` and `copy`, in every process at any time, so that
// programs find the device again. `copy` counts from 1 if several devices have the same label.
// `quoting_varies`: as in ServerTraits.
CableName cable_name(const std::string& wanted, uint32_t copy, bool quoting_varies);

}  // namespace pulse
}  // namespace patchcord
