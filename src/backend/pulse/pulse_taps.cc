#include "pulse_taps.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../program_state.h"
#include "program_streams.h"
#include "pulse_capture.h"

namespace patchcord {
namespace pulse {
namespace {

class PulseTaps final : public TapSystem, private PulseEvents::InputListener {
 public:
  PulseTaps(Connection* questions, Connection* streams, PulseEvents* events)
      : connection_(*questions), streams_(*streams), events_(*events) {}

  Traits traits() const override {
    Traits traits;
    traits.realtime = streams_.realtime();
    return traits;
  }
  Error begin(Listener* listener) override;
  void end() override;
  void interrupt() noexcept override { interrupted_.store(true); }
  Error list(const ProcessTable& table, ProcessSelector* selector, int64_t now,
             Listing* listing) override;
  Error attach(const TapTarget& target, CaptureListener* listener,
               std::unique_ptr<Stream>* stream) override;
  // The server has no meters, so nothing is known of a single target.
  EndpointState state(const TapTarget* target) override {
    return target == nullptr ? state_ : EndpointState{};
  }

 private:
  struct Tapped {
    uint32_t input;
    PulseDevice sink;
  };

  // The answering thread, under the lock.
  void on_inputs_changed() noexcept override { listener_->on_programs_changed(); }
  Error query(std::vector<ProgramStream>* inputs, std::vector<PulseDevice>* sinks);

  Connection& connection_;  // for queries
  Connection& streams_;
  PulseEvents& events_;
  Listener* listener_ = nullptr;
  std::atomic<bool> interrupted_{false};
  int64_t time_limit_ = 0;                // for list() and the attach() calls after it, together
  std::map<std::string, Tapped> listed_;  // by the keys of the targets
  std::map<uint32_t, int64_t> playing_since_;  // for inputs that are not halted
  bool looked_ = false;
  EndpointState state_;
};

Error PulseTaps::begin(Listener* listener) {
  interrupted_.store(false);
  playing_since_.clear();
  looked_ = false;
  Connection::Lock lock(connection_);
  if (!connection_.alive()) return connection_.lost_error();
  listener_ = listener;
  events_.add(this);
  return Error::none();
}

void PulseTaps::end() {
  Connection::Lock lock(connection_);
  events_.remove(this);
}

Error PulseTaps::query(std::vector<ProgramStream>* inputs, std::vector<PulseDevice>* sinks) {
  Connection::Lock lock(connection_);
  Connection::Deadline deadline(&connection_, kCallLimit, &interrupted_);
  Error error = query_streams(&connection_, Flow::kOutput, deadline, inputs);
  return error ? error : query_devices(&connection_, Flow::kOutput, deadline, sinks);
}

Error PulseTaps::list(const ProcessTable& table, ProcessSelector* selector, int64_t now,
                      Listing* listing) {
  time_limit_ = now + kCallLimit;
  std::vector<ProgramStream> inputs;
  std::vector<PulseDevice> sinks;
  if (Error error = query(&inputs, &sinks)) return error;

  listed_.clear();
  std::map<uint32_t, int64_t> playing_since;
  ProgramState programs;
  for (const ProgramStream& input : inputs) {
    int64_t since = now;
    if (!input.corked) {
      const auto known = playing_since_.find(input.index);
      since = known != playing_since_.end() ? known->second : (looked_ ? now : kNoTime);
      playing_since[input.index] = since;
    }
    const Ancestry process = process_of(table, input);
    if (!selector->wants(process)) continue;
    programs.add(!input.corked, input.muted, input.volume, kUnknownLevel);
    const auto sink = std::find_if(sinks.begin(), sinks.end(), [&](const PulseDevice& one) {
      return one.index == input.device;
    });
    if (sink == sinks.end()) continue;
    TapTarget target;
    target.key = target.stream = std::to_string(input.index);
    // If the server moves the tap along with a stream, a new tap would get no audio.
    if (!connection_.traits().taps_follow_moves)
      target.key += " on " + std::to_string(input.device);
    target.process = process.front().id;
    target.device_id = sink->name;
    target.playing_since = since;
    listed_[target.key] = {input.index, *sink};
    listing->targets.push_back(std::move(target));
  }
  playing_since_ = std::move(playing_since);
  state_ = programs.get();
  looked_ = true;
  return Error::none();
}

Error PulseTaps::attach(const TapTarget& target, CaptureListener* listener,
                        std::unique_ptr<Stream>* stream) {
  const Tapped& tapped = listed_.at(target.key);
  InputCapture request{tapped.sink, tapped.input};
  request.interrupted = &interrupted_;
  request.fragment_ms = connection_.traits().tap_fragment_ms;
  request.limit = time_limit_ - connection_.clock().now();
  return open_pulse_input_capture(&streams_, request, listener, stream);
}

}  // namespace

std::unique_ptr<TapSystem> make_pulse_taps(Connection* questions, Connection* streams,
                                           PulseEvents* events) {
  return std::make_unique<PulseTaps>(questions, streams, events);
}

}  // namespace pulse
}  // namespace patchcord
