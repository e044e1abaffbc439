// Random commands on a PulseAudio server, while its default devices change and its sources and
// sinks are suspended under them.
#include <string>

#include "../../src/backend/checked_host.h"
#include "../../src/backend/pulse/pulse_host.h"
#include "sequences.h"

using namespace patchcord;

#ifdef __SANITIZE_THREAD__
// As in pulse_test.cc: libpulse is not instrumented.
extern "C" const char* __tsan_default_options() { return "ignore_interceptors_accesses=1"; }
extern "C" const char* __tsan_default_suppressions() { return "race:^pa_mutex_lock$\n"; }
#endif

namespace {

void disturb(uint32_t random) {
  static const std::vector<std::string> kCommands = {
      "set-default-sink headset",  "set-default-sink speakers", "suspend-sink speakers 1",
      "suspend-sink speakers 0",   "suspend-source mic 1",      "suspend-source mic 0",
      "set-source-mute mic toggle"};
  if (random % 4 != 0) return;  // each starts a process
  const std::string command = "pactl " + kCommands[random / 4 % kCommands.size()] + " >/dev/null";
  CHECK(std::system(command.c_str()) == 0);
}

}  // namespace

TEST("random commands while a server's devices change") {
  sequences::run(40, [](uint32_t number) {
    std::unique_ptr<Host> host;
    CHECK(!open_pulse_host(&host));
    if (!host) return;
    host = check_contract(std::move(host));
    const sequences::Places places{{"mic", "micfeed.monitor"}, {"speakers", "headset"}};
    sequences::Sequence(*host, places, disturb, number).run();
  });
}
