#include "endpoint_query.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace pulse {
namespace {

constexpr int64_t kInterval = 250 * kNsPerMs;

}  // namespace

void EndpointQuery::begin(const std::string& id, Flow flow) {
  id_ = id;
  flow_ = flow;
  next_ = 0;
}

void EndpointQuery::end() noexcept {
  // Its callback would find nobody.
  if (question_) connection_.libpulse().pa_operation_cancel(question_);
  connection_.forget(std::exchange(question_, nullptr));
}

void EndpointQuery::ask() noexcept {
  if (question_ || id_.empty()) return;
  const int64_t now = connection_.clock().now();
  if (now < next_) return;
  next_ = now + kInterval;
  const LibPulse& library = connection_.libpulse();
  auto* query = flow_ == Flow::kOutput ? library.pa_context_get_sink_info_by_name
                                       : library.pa_context_get_source_info_by_name;
  question_ = query(connection_.context(), id_.c_str(), on_answer, this);
}

void EndpointQuery::on_answer(pa_context*, const pa_device_info* info, int end, void* self) {
  auto* query = static_cast<EndpointQuery*>(self);
  if (end != 0) {
    query->connection_.forget(std::exchange(query->question_, nullptr));
    return;
  }
  EndpointState state;
  state.known = true;
  state.muted = info->mute != 0;
  const uint32_t* const volumes = info->volume.values;
  const uint32_t loudest = *std::max_element(volumes, volumes + info->volume.channels);
  // Above 1 the server amplifies, which the contract's scale has no place for.
  state.volume = std::min(1.0f, static_cast<float>(loudest) / static_cast<float>(kNormalVolume));
  query->state_.store(state);
}

}  // namespace pulse
}  // namespace patchcord
