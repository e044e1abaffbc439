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

  // Derived destructors must call this first: in the destructor of this class a callback would find
  // an object that is half destroyed.
  void end();
  // Control thread, under the lock. `name` is what the user sees in a volume control.
  Error create(const char* name, const PulseDevice& device, const OpenOptions& options);
  // Called once it is known how often the server serves the stream. Without low latency that would
  // be every `usual_frames`.
  void grant_low_latency(uint32_t usual_frames);
  // How often a stream without low latency is served.
  static constexpr uint32_t kUsualPeriodMs = 10;
  // After pa_stream_connect_*: waits for the server and checks that it connected the requested
  // device.
  Error await_ready(int connected, const char* function, const Connection::Deadline& deadline);
  // Under the lock. No callback of libpulse reaches this object afterwards.
  void release();
  Error set_corked(bool corked);

  // Audio thread, under the lock.
  virtual void lost(const Error& error) noexcept = 0;
  // At `time`, in frames: `queued` are in the server's queue between the client and the device;
  // `device` of those beyond it have been heard already (negative: are still to be heard).
  virtual void timing(int64_t time, double queued, double device) noexcept = 0;
  virtual void no_timing() noexcept {}  // a report failed
  // Called once for each packet or request, directly after the server's own step: then all reports
  // have the same age, which matters more than a small one. Later ones are requested every 100 ms,
  // unless the position must be known `at_once`. Returns whether a report is requested now; an
  // earlier one may still be under way.
  pa_cvolume full_volume() const noexcept;
  bool ask_timing(bool at_once = false) noexcept;
  void restart_timing() noexcept { reports_asked_ = 0; }
  void lose(const Error& error) noexcept;

  const LibPulse& libpulse() const { return connection_.libpulse(); }

  Connection& connection_;
  const Flow flow_;
  pa_stream* stream_ = nullptr;
  StreamInfo info_;
  std::string source_or_sink_;  // the server's name of the device that the stream is connected to
  bool pinned_ = true;          // it must be the requested device
  uint32_t frame_bytes_ = 0;
  bool running_ = false;
  bool lost_ = false;
  Error loss_;
  int64_t asked_at_ = 0;  // when the last report of the timing was requested

 private:
  void grant(const OpenOptions& options, const PulseDevice& device);
  static void on_state(pa_stream*, void* self);
  static void on_moved(pa_stream*, void* self);
  static void on_timing(pa_stream*, int success, void* self);

  bool ready_ = false;
  pa_operation* report_ = nullptr;  // requested and not yet there
  int reports_asked_ = 0;
  double uncounted_ = 0;  // frames that the server delivered and did not count as recorded
};

}  // namespace pulse
}  // namespace patchcord
