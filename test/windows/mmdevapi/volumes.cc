#include "volumes.h"

namespace patchcord {

Volumes::Level Volumes::of(const std::string& id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = levels_.find(id);
  return found == levels_.end() ? Level() : found->second;
}

Error Volumes::set(const std::string& id, const Level& level, const GUID& context) {
  if (Error error = world_->volume(id, static_cast<double>(level.scalar))) return error;
  if (Error error = world_->mute(id, level.muted)) return error;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    levels_[id] = level;
  }
  listeners.tell(id, [level, context](IAudioEndpointVolumeCallback* callback) {
    AUDIO_VOLUME_NOTIFICATION_DATA data = {};
    data.guidEventContext = context;
    data.bMuted = level.muted;
    data.fMasterVolume = level.scalar;
    data.nChannels = 1;
    data.afChannelVolumes[0] = level.scalar;
    callback->OnNotify(&data);
  });
  return Error::none();
}

}  // namespace patchcord
