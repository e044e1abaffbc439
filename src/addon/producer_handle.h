// The common part of sources and mixers for JavaScript: taps and links start at their producer.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/graph/producer.h"
#include "../core/time/anchor.h"
#include "../core/time/clock.h"

namespace patchcord {

class ProducerHandle {
 public:
  virtual std::shared_ptr<Producer> producer() const = 0;
  virtual uint32_t sample_rate() const = 0;
  virtual uint32_t channels() const = 0;
  // whether rounding its samples to integers needs noise
  virtual bool dithers() const { return false; }

 protected:
  ~ProducerHandle() = default;
};

}  // namespace patchcord
