// The resamplers that are compared, ours and others, behind one face.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

constexpr size_t kChannels = 2;
constexpr size_t kBlock = 480;  // frames given at a time

class Engine {
 public:
  virtual ~Engine() = default;
  // Takes all of `in`; returns the frames written to `out`, which has room for whatever comes.
  virtual size_t run(const float* in, size_t frames, float* out, size_t room) = 0;
  // Input frames per output frame relative to nominal, from here on. False: it cannot.
  virtual bool set_ratio(double) { return false; }
};

struct EngineKind {
  std::string name;
  bool moves;  // its ratio may change while it runs
  // Null: it cannot do these rates. Rates need not be whole.
  std::function<std::unique_ptr<Engine>(double in_rate, double out_rate)> make;
};

// All that were there when this was compiled.
std::vector<EngineKind> engine_kinds();
