// The simulated Windows audio engine of this process: the world, and what Windows has beside it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "../../../src/backend/simulated/world.h"
#include "faults.h"
#include "notifier.h"
#include "policies.h"
#include "process_taps.h"
#include "sessions.h"
#include "volumes.h"

namespace patchcord {

struct Engine {
  // Made at the first use; lives as long as the process, whose end stops its threads.
  static Engine& get();

  explicit Engine(std::shared_ptr<World> made)
      : world(std::move(made)),
        notifier(world, &service_run),
        callbacks(world->clock()),
        volumes(world.get(), &callbacks),
        sessions(world.get(), &taps, &callbacks) {}

  std::shared_ptr<World> world;
  // Which run of the audio service this is. Enumerators and registrations end with their run.
  std::atomic<uint32_t> service_run{0};
  ProcessTaps taps;
  Faults faults;
  Policies policies;
  Notifier notifier;
  CallbackThread callbacks;
  Volumes volumes;
  Sessions sessions;
  std::string first_script_error;
};

// At the top of every method: a scripted fault answers instead of it.
#define PATCHCORD_SCRIPTED(endpoint, call)                                        \
  do {                                                                            \
    HRESULT scripted;                                                             \
    if (Engine::get().faults.strikes(endpoint, call, &scripted)) return scripted; \
  } while (false)

}  // namespace patchcord
