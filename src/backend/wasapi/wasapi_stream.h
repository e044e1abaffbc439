// The life of a stream: one audio thread that opens, runs and releases everything that COM has of
// it, and the control thread's side that starts and stops that thread.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "../backend.h"
#include "com_support.h"
#include "handle.h"

namespace patchcord {

// What one direction does with the device. Made on the control thread, before anything of COM
// exists; everything after that, the destructor too, on the audio thread.
class StreamWork {
 public:
  virtual ~StreamWork() = default;
  virtual CallResult open(IMMDevice* device, HANDLE wake, StreamInfo* info) = 0;
  virtual CallResult start() = 0;
  // One wake-up, by the device or by `longest_wait_ns`. A failure ends the stream.
  virtual CallResult turn() noexcept = 0;
  virtual void lost(const Error& error) noexcept = 0;

  virtual Flow flow() const = 0;
  virtual int64_t longest_wait_ns() const = 0;
};

class WasapiStream final : public Stream {
 public:
  static Error open(const std::string& device_id, std::unique_ptr<StreamWork> work,
                    std::unique_ptr<Stream>* stream);
  ~WasapiStream() override;

  const StreamInfo& info() const override { return info_; }
  Error start() override;
  void stop() override;  // for good: a stopped stream has released its device

 private:
  WasapiStream(const std::string& device_id, std::unique_ptr<StreamWork> work);

  // The audio thread.
  void live();
  Error prepare(StreamWork* work);
  bool wait_for_start();
  void run(StreamWork* work);
  void answer(Error error);

  StreamInfo info_;  // written before the first answer
  Error answer_;     // handed over by answered_

  bool started_ = false;  // control thread

  Handle stop_{make_latch()};
  Handle start_{make_pulse()};
  Handle answered_{make_pulse()};
  Handle wake_{make_pulse()};

  std::unique_ptr<StreamWork> work_;
  std::thread thread_;
};

}  // namespace patchcord
