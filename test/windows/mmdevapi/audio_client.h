// The life of an IAudioClient: what those of endpoints and of process loopback have in common.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "../../../src/backend/backend.h"
#include "com_object.h"
#include "packet_queue.h"
#include "render_buffer.h"

namespace patchcord {

// Each method refuses what the documentation refuses, with its code.
class AudioClient : public ComObject<IAudioClient> {
 public:
  HRESULT STDMETHODCALLTYPE Initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                                       REFERENCE_TIME periodicity, const WAVEFORMATEX* wave,
                                       LPCGUID session) override;
  HRESULT STDMETHODCALLTYPE GetBufferSize(UINT32* frames) override;
  HRESULT STDMETHODCALLTYPE Start() override;
  HRESULT STDMETHODCALLTYPE Stop() override;
  HRESULT STDMETHODCALLTYPE Reset() override;
  HRESULT STDMETHODCALLTYPE SetEventHandle(HANDLE event) override;
  HRESULT STDMETHODCALLTYPE GetService(REFIID iid, void** service) override;

  // For the services, which keep their client alive. Fixed once initialised.
  const std::string& endpoint() const { return endpoint_; }
  PacketQueue* packets() const { return packets_.get(); }
  RenderBuffer* playing() const { return playing_.get(); }
  const Format& format() const { return format_; }
  uint32_t buffer_frames() const { return buffer_frames_; }
  HRESULT failure() const;

 protected:
  struct Request {
    DWORD flags;
    REFERENCE_TIME duration;
    const WAVEFORMATEX* wave;
  };

  explicit AudioClient(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  // Initialize, in shared mode, once: ends with open_capture() or open_render().
  virtual HRESULT open(const Request& request) = 0;
  virtual HRESULT make_service(REFIID iid, void** service) = 0;

  // The world's part. `open_stream(listener, &stream)` asks it for the stream.
  template <class Opener>
  HRESULT open_capture(const Format& format, uint32_t buffer_frames, uint32_t period_frames,
                       Opener open_stream);
  template <class Opener>
  HRESULT open_render(const Format& format, uint32_t buffer_frames, Opener open_stream);

  // What a method answers before it does anything: a scripted fault, or the stream's end. S_OK: go
  // on; anything else is the answer.
  HRESULT enter(const char* call) const;
  // The same, for methods of an initialised client.
  HRESULT enter_initialized(const char* call) const;

 private:
  HRESULT finish_open(const Error& error);

  const std::string endpoint_;  // the world's id
  std::mutex mutex_;            // the calls above it; never those that move frames
  DWORD flags_ = 0;
  HANDLE event_ = nullptr;
  bool initialized_ = false;
  bool running_ = false;
  Format format_;
  uint32_t buffer_frames_ = 0;
  std::unique_ptr<PacketQueue> packets_;
  std::unique_ptr<RenderBuffer> playing_;
  std::unique_ptr<Stream> stream_;  // last: it ends before what it calls
};

template <class Opener>
HRESULT AudioClient::open_capture(const Format& format, uint32_t buffer_frames,
                                  uint32_t period_frames, Opener open_stream) {
  format_ = format;
  buffer_frames_ = buffer_frames;
  packets_ = std::make_unique<PacketQueue>(format, buffer_frames, period_frames);
  return finish_open(open_stream(packets_.get(), &stream_));
}

template <class Opener>
HRESULT AudioClient::open_render(const Format& format, uint32_t buffer_frames, Opener open_stream) {
  format_ = format;
  buffer_frames_ = buffer_frames;
  playing_ = std::make_unique<RenderBuffer>(format, buffer_frames);
  return finish_open(open_stream(playing_.get(), &stream_));
}

}  // namespace patchcord
