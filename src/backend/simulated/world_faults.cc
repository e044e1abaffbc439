#include <cmath>

#include "world.h"
#include "world_errors.h"

namespace patchcord {

Error World::drift(const std::string& id, double ppm) {
  return script(id, [&](Entry& entry) {
    if (!(std::fabs(ppm) <= kMaxDriftPpm))
      return out_of_range("the drift must be -100000 to 100000 ppm");
    entry.card->set_drift(ppm);
    return Error::none();
  });
}

Error World::deny(const std::string& id, bool denied) {
  return script(id, [&](Entry& entry) {
    entry.denied = denied;
    return Error::none();
  });
}

Error World::die(const std::string& id, bool dead) {
  return script(id, [&](Entry& entry) {
    entry.card->set_dead(entry.side, dead);
    return Error::none();
  });
}

Error World::mute(const std::string& id, bool muted) {
  return script(id, [&](Entry& entry) {
    entry.muted = muted;
    apply_volume(entry);
    changed();
    return Error::none();
  });
}

Error World::volume(const std::string& id, double volume) {
  return script(id, [&](Entry& entry) {
    if (!(volume >= 0 && volume <= 1)) return out_of_range("a volume must be 0 to 1");
    entry.volume = volume;
    apply_volume(entry);
    changed();
    return Error::none();
  });
}

void World::apply_volume(Entry& entry) {
  entry.card->set_volume(entry.side, entry.volume, entry.muted);
}

Error World::glitch(const std::string& id, int64_t frames) {
  return script(id, [&](Entry& entry) {
    if (frames < 1) return out_of_range("a glitch must lose 1 frame or more");
    entry.card->glitch(entry.side, frames);
    return Error::none();
  });
}

Error World::stall(const std::string& id) {
  return script(id, [](Entry& entry) {
    entry.card->stall(entry.side, true);
    return Error::none();
  });
}

Error World::resume(const std::string& id) {
  return script(id, [](Entry& entry) {
    entry.card->stall(entry.side, false);
    return Error::none();
  });
}

Error World::late(const std::string& id, int64_t by_ns) {
  return script(id, [&](Entry& entry) {
    if (by_ns < 0) return out_of_range("the delay of a delivery must be 0 ns or more");
    entry.card->late(by_ns);
    return Error::none();
  });
}

Error World::delay(const std::string& id, int64_t by_ns) {
  return script(id, [&](Entry& entry) {
    if (by_ns < 0 || by_ns > kMaxDelayNs) return out_of_range("a delay must be 0 to 10 s");
    entry.card->delay(entry.side, by_ns);
    return Error::none();
  });
}

Error World::jitter(const std::string& id, int64_t up_to_ns) {
  return script(id, [&](Entry& entry) {
    if (up_to_ns < 0) return out_of_range("jitter must be 0 ns or more");
    entry.card->jitter(up_to_ns);
    return Error::none();
  });
}

Error World::stamps(const std::string& id, int64_t offset_ns, int64_t jitter_ns) {
  return script(id, [&](Entry& entry) {
    if (jitter_ns < 0) return out_of_range("jitter must be 0 ns or more");
    entry.card->stamps(entry.side, offset_ns, jitter_ns);
    return Error::none();
  });
}

}  // namespace patchcord
