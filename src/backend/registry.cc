#include "registry.h"

#include "simulated/simulated_host.h"
#if defined(_WIN32)
#include "wasapi/wasapi_host.h"
#elif defined(__linux__)
#include "pulse/pulse_host.h"
#endif

namespace patchcord {
namespace {

// A simulated system of its own, with the standard devices.
Error open_standard_world(std::unique_ptr<Host>* host) {
  std::shared_ptr<World> world;
  if (Error error = World::create(WorldDescription::standard(), &world)) return error;
  *host = open_simulated_host(world);
  return Error::none();
}

}  // namespace

std::vector<std::string> backend_names() {
#if defined(_WIN32)
  return {"wasapi"};
#elif defined(__linux__)
  return {"pulse"};
#else
  return {};
#endif
}

Error open_host(const std::string& name, std::unique_ptr<Host>* host) {
  if (name == "simulated") return open_standard_world(host);
#if defined(_WIN32)
  if (name == "wasapi") return open_wasapi_host(host);
#elif defined(__linux__)
  if (name == "pulse") return open_pulse_host(host);
#endif
  std::string known;
  for (const std::string& one : backend_names()) known += (known.empty() ? "" : ", ") + one;
  return Error::make(ErrorCode::kBackendUnavailable,
                     "this build has no audio backend called '" + name + "'",
                     known.empty() ? "use SimulatedAudio of patchcord/testing on this platform"
                                   : "backends of this build: " + known + ", simulated");
}

}  // namespace patchcord
