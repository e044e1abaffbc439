// The common base of capture and playback streams: opening with a limit, loss, latency reports.
#pragma once

#include <string>

#include "../backend.h"
#include "pulse_connection.h"
#include "pulse_devices.h"
#include "pulse_timing.h"

namespace patchcord {
namespace pulse {

class PulseStream : public Stream {
 public:
  const StreamInfo& info() const override { return info_; }

 protected:
  PulseStream(Connection* connection, Flow flow) : connection_(*connection), flow_(flow) {}
  ~PulseStream() override = default;

  // For the destructors of what derives from this, first of all: in the one of this class a
  // callback would find an object that is half gone.
  void end();
  // Control thread, under the lock. `name` is what the user sees in a volume control.
  Error create(const char* name, const PulseDevice& device, const OpenOptions& options);
  // Once it is known how often the server serves the stream. Without the wish it would be asked to
  // do that every `usual_frames`.
  void grant_low_latency(uint32_t usual_frames);
  // How often a stream is served that does not ask for low latency.
  static constexpr uint32_t kUsualPeriodMs = 10;
  // After pa_stream_connect_*: waits for the server and checks that it gave the device that was
  // asked for.
  Error await_ready(int connected, const char* function, const Connection::Deadline& deadline);
  // Under the lock. No callback of libpulse reaches this object afterwards.
  void release();
  Error set_corked(bool corked);

  // Audio thread, under the lock.
  virtual void lost(const Error& error) noexcept = 0;
  // At `time`, in frames: `queued` are in the server's queue between the client and the device,
  // `device` of those beyond it have been heard already (negative: are still to be heard).
  virtual void timing(int64_t time, double queued, double device) noexcept = 0;
  virtual void no_timing() noexcept {}  // a report failed
  // Called once per packet or request, right behind the server's own step: reports are then equally
  // stale, which matters more than being fresh. But for the first ones, one each 100 ms, unless it
  // must be known `at_once`. Whether one is asked for now; otherwise an earlier one may be under
  // way.
  pa_cvolume full_volume() const noexcept;
  bool ask_timing(bool at_once = false) noexcept;
  void restart_timing() noexcept { reports_asked_ = 0; }
  void lose(const Error& error) noexcept;

  const LibPulse& libpulse() const { return connection_.libpulse(); }

  Connection& connection_;
  const Flow flow_;
  pa_stream* stream_ = nullptr;
  StreamInfo info_;
  std::string source_or_sink_;  // the server's name of what the stream is connected to
  bool pinned_ = true;          // it must be what was asked for
  uint32_t frame_bytes_ = 0;
  bool running_ = false;
  bool lost_ = false;
  Error loss_;

 private:
  void grant(const OpenOptions& options, const PulseDevice& device);
  static void on_state(pa_stream*, void* self);
  static void on_moved(pa_stream*, void* self);
  static void on_timing(pa_stream*, int success, void* self);

  bool ready_ = false;
  pa_operation* report_ = nullptr;  // asked for and not yet there
  int64_t asked_at_ = 0;
  int reports_asked_ = 0;
  double uncounted_ = 0;  // frames that the server handed over and did not count as recorded
};

}  // namespace pulse
}  // namespace patchcord
