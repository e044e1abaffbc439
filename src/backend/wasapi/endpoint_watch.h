// Mute, volume and meter of the endpoints that streams are open on, read four times a second. These
// calls go to the audio service, may take their time and may hang: they have a thread of their own,
// so that neither audio nor control threads wait for them.
#pragma once

#include <memory>
#include <string>

#include "../../core/graph/life_signs.h"
#include "../../core/shown.h"
#include "system_thread.h"

namespace patchcord {

class EndpointWatch {
 public:
  struct Entry;  // one stream's interest in one endpoint

  EndpointWatch();
  ~EndpointWatch();
  EndpointWatch(const EndpointWatch&) = delete;
  EndpointWatch& operator=(const EndpointWatch&) = delete;

  // Control thread.
  std::shared_ptr<Entry> add(const std::string& id);
  // When it returns, all that COM has of the endpoint is released, unless a driver hangs. Then
  // nobody's endpoint is watched any more.
  void remove(const std::shared_ptr<Entry>& entry);

  // Any thread; neither locks nor waits.
  static EndpointState state(const Entry& entry);

 private:
  class Rounds;  // the thread's side, which both hold

  const std::shared_ptr<Rounds> rounds_;
  std::unique_ptr<SystemThread> thread_;  // from the first endpoint on
};

}  // namespace patchcord
