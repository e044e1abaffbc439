// The volume controls of endpoints: those of the sound settings.
#pragma once

#include <endpointvolume.h>

#include <map>
#include <mutex>
#include <string>

#include "../../../src/backend/simulated/world.h"
#include "callbacks.h"

namespace patchcord {

class Volumes {
 public:
  struct Level {
    float scalar = 1.0f;
    bool muted = false;
    bool operator==(const Level& other) const {
      return scalar == other.scalar && muted == other.muted;
    }
  };

  Volumes(World* world, CallbackThread* thread) : listeners(thread), world_(world) {}

  // Any thread.
  Level of(const std::string& id) const;
  // Sets what the world plays or hears, and tells who registered: `context` is the caller's.
  Error set(const std::string& id, const Level& level, const GUID& context = {});

  Listeners<IAudioEndpointVolumeCallback> listeners;  // by endpoint

 private:
  World* const world_;
  mutable std::mutex mutex_;
  std::map<std::string, Level> levels_;
};

}  // namespace patchcord
