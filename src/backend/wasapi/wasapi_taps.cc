#include "wasapi_taps.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "../program_state.h"
#include "process_loopback.h"
#include "wasapi_stream.h"

namespace patchcord {
namespace {

// Up to this many trees are captured before they play; if there are more, only those that play.
constexpr size_t kMostSilentTaps = 16;

TapTarget make_target(const ProcessId& process, bool others) {
  TapTarget target;
  target.key = (others ? "all but " : "") + std::to_string(process.pid) + "." +
               std::to_string(process.start_time);
  target.process = process;
  target.others = others;
  return target;
}

class WasapiTaps final : public TapSystem, private SessionBoard::Follower {
 public:
  WasapiTaps(const Format& format, std::shared_ptr<Announcer> announcer,
             std::shared_ptr<SessionBoard> sessions)
      : format_(format), announcer_(std::move(announcer)), sessions_(std::move(sessions)) {
    format_.sample_format = SampleFormat::kF32;
  }

  Traits traits() const override {
    Traits traits;
    traits.answers_at_once = true;
    traits.metered = true;
    return traits;
  }
  Error begin(Listener* listener) override {
    listener_ = listener;
    sessions_->add(this);
    return Error::none();
  }
  void end() override { sessions_->remove(this); }
  Error list(const ProcessTable& table, ProcessSelector* selector, int64_t now,
             Listing* listing) override;
  Error attach(const TapTarget& target, CaptureListener* listener,
               std::unique_ptr<Stream>* stream) override;
  EndpointState state(const TapTarget* target) override;

 private:
  // The host's COM thread.
  void on_sessions_changed() noexcept override { listener_->on_programs_changed(); }

  // A program with sessions.
  struct Sounding {
    uint32_t pid;
    Ancestry process;
  };
  static std::vector<TapTarget> targets(const ProcessTable& table,
                                        const ProcessSelection& selection,
                                        std::vector<Sounding> sounding);

  Format format_;
  const std::shared_ptr<Announcer> announcer_;
  const std::shared_ptr<SessionBoard> sessions_;
  Listener* listener_ = nullptr;
  std::vector<Sounding> sounding_;  // those in the selection
};

Error WasapiTaps::list(const ProcessTable& table, ProcessSelector* selector, int64_t,
                       Listing* listing) {
  sounding_.clear();
  for (const SessionInfo& session : sessions_->playing()) {
    Ancestry process = process_of(table, session.pid);
    if (!selector->wants(process)) continue;
    Player player{process.front().id, session.device_id};
    sounding_.push_back({session.pid, std::move(process)});
    auto& players = listing->players;
    if (!session.active || std::find(players.begin(), players.end(), player) != players.end()) {
      continue;
    }
    players.push_back(std::move(player));
  }
  listing->targets = targets(table, selector->selection(), sounding_);
  return Error::none();
}

// Streams that exclude a tree cannot be summed. So one excluded tree is one activation; any other
// selection is the sum of the selected programs that play.
std::vector<TapTarget> WasapiTaps::targets(const ProcessTable& table,
                                           const ProcessSelection& selection,
                                           std::vector<Sounding> sounding) {
  std::vector<TapTarget> targets;
  if (selection.everything && selection.exclude.size() <= 1) {
    const ProcessId system{kSystemProcess, 0};
    targets.push_back(make_target(selection.exclude.empty() ? system : selection.exclude[0], true));
    return targets;
  }
  if (!selection.everything && selection.exclude.empty() &&
      selection.include.size() <= kMostSilentTaps) {
    for (const ProcessId& root : selection.include) {
      if (root.start_time == 0 || table.runs(root)) targets.push_back(make_target(root, false));
    }
  }
  const auto covers = [&](const Ancestry& process) {
    return std::any_of(process.begin(), process.end(), [&](const ProcessRecord& one) {
      return std::any_of(targets.begin(), targets.end(),
                         [&](const TapTarget& target) { return target.process == one.id; });
    });
  };
  // Ancestors first: a tree includes its children.
  std::sort(sounding.begin(), sounding.end(), [](const Sounding& a, const Sounding& b) {
    return a.process.size() < b.process.size();
  });
  for (const Sounding& one : sounding) {
    if (!covers(one.process)) targets.push_back(make_target(one.process.front().id, false));
  }
  return targets;
}

Error WasapiTaps::attach(const TapTarget& target, CaptureListener* listener,
                         std::unique_ptr<Stream>* stream) {
  Error error = WasapiStream::open(
      {}, make_process_work(target.process.pid, target.others, format_, listener), announcer_,
      nullptr, stream);
  return error ? explain_process_failure(std::move(error), target.process.pid) : error;
}

// A target contains the tree of its process.
EndpointState WasapiTaps::state(const TapTarget* target) {
  const auto contains = [target](const Sounding& program) {
    return target == nullptr ||
           std::any_of(program.process.begin(), program.process.end(),
                       [&](const ProcessRecord& one) { return one.id == target->process; });
  };
  ProgramState state;
  for (const SessionInfo& one : sessions_->playing()) {
    if (std::none_of(sounding_.begin(), sounding_.end(), [&](const Sounding& program) {
          return program.pid == one.pid && contains(program);
        })) {
      continue;
    }
    state.add(one.active, one.muted, one.volume, one.level);
  }
  return state.get();
}

}  // namespace

std::unique_ptr<TapSystem> make_wasapi_taps(const Format& format,
                                            std::shared_ptr<Announcer> announcer,
                                            std::shared_ptr<SessionBoard> sessions) {
  return std::make_unique<WasapiTaps>(format, std::move(announcer), std::move(sessions));
}

}  // namespace patchcord
