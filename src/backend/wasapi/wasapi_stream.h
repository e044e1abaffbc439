// The life of a stream: one audio thread opens, uses and releases all its COM objects; the control
// thread's side starts and stops that thread.
#pragma once

#include <memory>
#include <string>

#include "../backend.h"
#include "announcer.h"
#include "com_support.h"
#include "endpoint_watch.h"
#include "gate.h"
#include "handle.h"
#include "system_thread.h"
#include "trace.h"

namespace patchcord {

// The work of one direction with the device. Constructed on the control thread, before any COM
// object exists; everything after that, the destructor too, runs on the audio thread.
class StreamWork {
 public:
  virtual ~StreamWork() = default;
  // `device` is null for a stream that belongs to none.
  virtual CallResult open(IMMDevice* device, HANDLE wake, StreamInfo* info) = 0;
  virtual CallResult start() = 0;
  // One wake-up: by the device's event (`signalled`) or after `longest_wait_ns`. A failure ends the
  // stream. The listener is called only inside `gate`.
  virtual CallResult turn(Gate* gate, bool signalled) noexcept = 0;
  virtual void lost(const Error& error) noexcept = 0;  // inside the gate

  virtual Flow flow() const = 0;
  virtual const char* attempt() const = 0;  // a name for open() in its errors
  virtual bool has_device() const { return true; }
  virtual int64_t longest_wait_ns() const = 0;

  // nullptr: nothing is traced. Before open().
  void set_trace(StreamTrace* trace) { trace_ = trace; }

 protected:
  StreamTrace* trace() const { return trace_; }
  void note(const TraceRecord& record) const noexcept {
    if (trace_ != nullptr) trace_->note(record);
  }

 private:
  StreamTrace* trace_ = nullptr;
};

class WasapiStream final : public Stream {
 public:
  // `watch` outlives the stream; nullptr: the endpoint's state is not read.
  static Error open(const std::string& device_id, std::unique_ptr<StreamWork> work,
                    std::shared_ptr<Announcer> announcer, EndpointWatch* watch,
                    std::unique_ptr<Stream>* stream);
  ~WasapiStream() override { stop(); }

  const StreamInfo& info() const override;
  Error start() override;
  void stop() override;  // final: a stopped stream has released its device
  EndpointState endpoint() const noexcept override;

 private:
  class Run;  // the audio thread's state, referenced by both sides

  explicit WasapiStream(std::shared_ptr<Run> run);
  // Waits for the thread's answer to `attempt`; without one the thread is abandoned.
  Error wait_for_answer(const char* attempt);

  const std::shared_ptr<Run> run_;
  bool started_ = false;
  EndpointWatch* watch_ = nullptr;
  std::shared_ptr<EndpointWatch::Entry> watched_;  // from the start of start() to stop()
  SystemThread thread_;
};

}  // namespace patchcord
