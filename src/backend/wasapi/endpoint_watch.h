// Mute, volume and meter of the endpoints with open streams, read four times a second. These calls
// go to the audio service, may take long and may hang. They have their own thread, so that neither
// audio nor control threads wait for them.
#pragma once

#include <memory>
#include <string>

#include "../../core/graph/life_signs.h"
#include "../../core/shown.h"
#include "system_thread.h"

namespace patchcord {

class EndpointWatch {
 public:
  struct Entry;  // one stream's registration for one endpoint

  EndpointWatch();
  ~EndpointWatch();
  EndpointWatch(const EndpointWatch&) = delete;
  EndpointWatch& operator=(const EndpointWatch&) = delete;

  // Control thread.
  std::shared_ptr<Entry> add(const std::string& id);
  // After it returns, all COM objects of the endpoint are released, unless a driver hangs. In that
  // case no endpoint is watched any more.
  void remove(const std::shared_ptr<Entry>& entry);

  // Any thread; neither locks nor waits.
  static EndpointState state(const Entry& entry);

 private:
  class Rounds;  // the thread's state, referenced by both sides

  const std::shared_ptr<Rounds> rounds_;
  std::unique_ptr<SystemThread> thread_;  // exists from the first endpoint on
};

}  // namespace patchcord
