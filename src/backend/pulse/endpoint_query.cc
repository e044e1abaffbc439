#include "endpoint_query.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace patchcord {
namespace pulse {
namespace {

constexpr int64_t kInterval = 250 * kNsPerMs;

// Above 1 the server amplifies; the contract's scale ends at 1.
float loudest(const pa_cvolume& volume) {
  const uint32_t most = *std::max_element(volume.values, volume.values + volume.channels);
  return std::min(1.0f, static_cast<float>(most) / static_cast<float>(kNormalVolume));
}

}  // namespace

void EndpointQuery::begin(const std::string& id, Flow flow, uint32_t recording) {
  id_ = id;
  flow_ = flow;
  recording_ = recording;
  next_ = 0;
}

void EndpointQuery::end() noexcept {
  // The callback would use a destroyed object.
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
  question_ = query(connection_.context(), id_.c_str(), on_device, this);
}

void EndpointQuery::on_device(pa_context*, const pa_device_info* info, int end, void* self) {
  auto* query = static_cast<EndpointQuery*>(self);
  if (end != 0) {
    query->connection_.forget(std::exchange(query->question_, nullptr));
    if (end > 0 && query->device_.known) {
      query->question_ = query->connection_.libpulse().pa_context_get_source_output_info(
          query->connection_.context(), query->recording_, on_recording, self);
    }
    return;
  }
  query->device_.known = true;
  query->device_.muted = info->mute != 0;
  query->device_.volume = loudest(info->volume);
}

// A mixer has a volume for each stream as well. A change of that by the user is not a fault of the
// device.
void EndpointQuery::on_recording(pa_context*, const pa_source_output_info* info, int end,
                                 void* self) {
  auto* query = static_cast<EndpointQuery*>(self);
  if (end == 0) {
    query->device_.muted = query->device_.muted || info->mute != 0;
    if (info->has_volume) query->device_.volume *= loudest(info->volume);
    return;
  }
  query->connection_.forget(std::exchange(query->question_, nullptr));
  query->state_.store(query->device_);
}

}  // namespace pulse
}  // namespace patchcord
