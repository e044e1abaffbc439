#include "registry.h"

#include "checked_host.h"
#include "simulated/simulated_host.h"
#if defined(_WIN32)
#include "wasapi/wasapi_host.h"
#elif defined(__linux__)
#include "pulse/pulse_host.h"
#endif

namespace patchcord {
namespace {

Error open_standard_world(std::unique_ptr<Host>* host) {
  std::shared_ptr<World> world;
  if (Error error = World::create(WorldDescription::standard(), &world)) return error;
  *host = open_simulated_host(world);
  return Error::none();
}

// A debug build checks each backend against the contract.
Error open_checked(const Backend& backend, std::unique_ptr<Host>* host) {
  Error error = backend.open(host);
#if defined(DEBUG)
  if (!error) *host = check_contract(std::move(*host));
#endif
  return error;
}

}  // namespace

const std::vector<Backend>& backends() {
  static const std::vector<Backend>& all = *new std::vector<Backend> {
#if defined(_WIN32)
    {"wasapi", open_wasapi_host},
#elif defined(__linux__)
    {"pulse", open_pulse_host},
#endif
  };
  return all;
}

Error open_host(const std::vector<Backend>& known, const std::string& name,
                std::unique_ptr<Host>* host) {
  Error first;
  std::string names;
  for (const Backend& backend : known) {
    names += (names.empty() ? "" : ", ") + std::string(backend.name);
    if (!name.empty() && name != backend.name) continue;
    Error error = open_checked(backend, host);
    if (!error || !name.empty()) return error;
    if (!first) first = std::move(error);
  }
  if (first) return first;
  if (name == "simulated") return open_checked({"simulated", open_standard_world}, host);
  return Error::make(ErrorCode::kBackendUnavailable,
                     name.empty() ? "this build has no audio backend for this platform"
                                  : "this build has no audio backend called '" + name + "'",
                     names.empty() ? "use SimulatedAudio of patchcord/testing on this platform"
                                   : "backends of this build: " + names + ", simulated");
}

}  // namespace patchcord
