// The compared resamplers, ours and others, behind one interface.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

constexpr size_t kChannels = 2;
constexpr size_t kBlock = 480;  // frames in one call

class Engine {
 public:
  virtual ~Engine() = default;
  // Takes all of `in`; returns the frames written to `out`, which has room for all of them.
  virtual size_t run(const float* in, size_t frames, float* out, size_t room) = 0;
  // Sets the input frames per output frame, relative to nominal, from here on. Returns false if it
  // cannot.
  virtual bool set_ratio(double) { return false; }
};

struct EngineKind {
  std::string name;
  bool moves;  // its ratio may change while it runs
  // Null if it does not support these rates. Rates need not be whole.
  std::function<std::unique_ptr<Engine>(double in_rate, double out_rate)> make;
};

// The engines that were installed when this was compiled.
std::vector<EngineKind> engine_kinds();
