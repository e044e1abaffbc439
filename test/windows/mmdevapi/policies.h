// The properties of a device's driver and settings that the world does not have.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "trace_file.h"

namespace patchcord {

enum class Exclusive : uint8_t { kRefused, kAllowed, kBusy };

// How often streams of a device are open.
struct Claims {
  uint32_t shared = 0;
  uint32_t exclusive = 0;
};

struct Policy {
  uint32_t period_frames = 0;  // of the audio engine; 0: 10 ms
  Exclusive exclusive = Exclusive::kRefused;
  std::optional<float> meter;  // what its meter says, whatever is heard
  int64_t clock_offset = 0;    // ns, of the stamps of its IAudioClock
  bool raw = false;            // whether it has a stream without the communications effects
  bool cancels_echo = false;   // of its streams for communications
  std::string echo_reference;  // the output that a program chose
  bool refuses_mix = false;    // Initialize refuses the mix format itself
  // The buffer of an exclusive output is so many times the period, as of USB's first audio class.
  uint32_t buffer_periods = 1;
  std::optional<uint32_t> mask;         // of its channels; the usual one
  std::optional<uint32_t> form;         // EndpointFormFactor
  std::optional<std::string> name;      // that its user gave it
  std::shared_ptr<const Trace> replay;  // its packets, in place of the world's
  Claims claims;
};

// Any thread.
class Policies {
 public:
  Policy of(const std::string& id) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = policies_.find(id);
    return found == policies_.end() ? Policy() : found->second;
  }
  template <class Change>
  void change(const std::string& id, Change change) {
    std::lock_guard<std::mutex> lock(mutex_);
    change(policies_[id]);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Policy> policies_;
};

}  // namespace patchcord
