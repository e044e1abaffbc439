// Random commands on the simulated system, whose devices come, go and change under them.
#include "sequences.h"

#include "../../src/backend/checked_host.h"
#include "../../src/backend/simulated/simulated_host.h"

using namespace patchcord;

namespace {

void disturb(World& world, uint32_t random) {
  static const std::vector<std::string> kDevices = {"mic", "webcam", "speakers", "headset"};
  const std::string& device = kDevices[random / 16 % kDevices.size()];
  switch (random % 8) {
    case 0:
    case 1:
      (void)world.unplug(device);
      return;
    case 2:
    case 3:
      (void)world.plug(device);
      return;
    case 4:
      (void)world.set_default(device, Role::kConsole);
      return;
    case 5:
      (void)world.set_format(
          device, {random / 64 % 2 ? 44100u : 48000u, 1 + random / 128 % 2, SampleFormat::kS16});
      return;
    case 6:
      world.server_gone();
      world.server_back();
      return;
    default:
      (void)world.play(device, tone(997, 0.25));
  }
}

}  // namespace

TEST("random commands while simulated devices come and go") {
  sequences::run(150, [](uint32_t number) {
    WorldDescription description;
    for (const char* id : {"mic", "webcam", "speakers", "headset"}) {
      DeviceDescription device;
      device.id = device.name = id;
      device.flow = id[0] == 'm' || id[0] == 'w' ? Flow::kInput : Flow::kOutput;
      device.format = {48000, 2, SampleFormat::kF32};
      description.devices.push_back(device);
    }
    std::shared_ptr<World> world;
    CHECK(!World::create(description, &world));
    const std::unique_ptr<Host> host = check_contract(open_simulated_host(world));
    const sequences::Places places{{"mic", "webcam"}, {"speakers", "headset"}};
    sequences::Sequence(
        *host, places, [&](uint32_t random) { disturb(*world, random); }, number)
        .run();
  });
}
