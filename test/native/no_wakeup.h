// Where nobody waits for a node's events.
#pragma once

#include "../../src/core/graph/producer.h"

namespace patchcord {

class NoWakeup final : public Wakeup {
 public:
  void wake() noexcept override {}
};

}  // namespace patchcord
