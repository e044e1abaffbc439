// The counters of losses on the links of one destination, including former links.
#pragma once

#include <napi.h>

#include "../core/graph/live_input.h"

namespace patchcord {

class LinkCounters {
 public:
  // JS thread, before a link is removed.
  void keep(const LiveInput& link) {
    linked_ = true;
    starvations_ += static_cast<double>(link.stats().starvations);
    starved_frames_ += static_cast<double>(link.stats().starved_frames);
    resyncs_ += static_cast<double>(link.stats().resyncs);
    lost_frames_ += static_cast<double>(link.lost_frames());
  }

  // JS thread. `now`: the present link, or null. Sets nothing if there never was a link.
  void tell(Napi::Object value, const LiveInput* now) const {
    LinkCounters sum = *this;
    if (now != nullptr) sum.keep(*now);
    if (!sum.linked_) return;
    value.Set("starvations", sum.starvations_);
    value.Set("starvedFrames", sum.starved_frames_);
    value.Set("resyncs", sum.resyncs_);
    value.Set("lostFrames", sum.lost_frames_);
  }

 private:
  bool linked_ = false;
  double starvations_ = 0, starved_frames_ = 0, resyncs_ = 0, lost_frames_ = 0;
};

}  // namespace patchcord
