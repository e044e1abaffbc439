#include "host_entry.h"

#include <algorithm>

namespace patchcord {

Error HostEntry::use(std::shared_ptr<Host>* host) {
  if (closed_) {
    return Error::make(ErrorCode::kBackendUnavailable,
                       "the simulated audio system has been disposed",
                       "construct another SimulatedAudio");
  }
  if (lost_.exchange(false, std::memory_order_acq_rel)) {
    if (host_) host_->watch(nullptr);
    host_.reset();
  }
  if (!host_) {
    std::unique_ptr<Host> connected;
    if (*asked_at_ < failed_at_) return failure_;
    if (Error error = connect_(&connected)) {
      failure_ = error;
      failed_at_ = real_clock().now();
      return error;
    }
    host_ = std::move(connected);
    host_->watch(this);
  }
  *host = host_;
  return Error::none();
}

void HostEntry::close() {
  closed_ = true;
  if (host_) host_->watch(nullptr);
  host_.reset();
  if (ended_) ended_();
}

void HostEntry::add_watcher(Watched what, std::shared_ptr<Bell> bell) {
  watchers_.emplace_back(what, std::move(bell));
}

void HostEntry::remove_watcher(const std::shared_ptr<Bell>& bell) {
  watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                 [&bell](const auto& one) { return one.second == bell; }),
                  watchers_.end());
}

void HostEntry::ring_watchers() {
  for (const Watched what : {Watched::kDevices, Watched::kProcesses}) {
    if (!changed_[static_cast<size_t>(what)].exchange(false, std::memory_order_acq_rel)) continue;
    for (const auto& [watched, bell] : watchers_) {
      if (watched == what) bell->wake();
    }
  }
}

void HostEntry::note(Watched what) noexcept {
  if (changed_[static_cast<size_t>(what)].exchange(true, std::memory_order_acq_rel)) return;
  signal_->send();
}

void HostEntry::on_backend_lost(const Error&) noexcept {
  lost_.store(true, std::memory_order_release);
  note(Watched::kDevices);
  note(Watched::kProcesses);
}

bool HostEntry::claim(const std::string& render_id, CableUse use, bool shared) {
  const size_t index = static_cast<size_t>(use);
  if (!shared && claims_[1 - index].count(render_id) != 0) return false;
  claims_[index].insert(render_id);
  return true;
}

void HostEntry::unclaim(const std::string& render_id, CableUse use) {
  auto& claims = claims_[static_cast<size_t>(use)];
  const auto found = claims.find(render_id);
  if (found != claims.end()) claims.erase(found);
}

}  // namespace patchcord
