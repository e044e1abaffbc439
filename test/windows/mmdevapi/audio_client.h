// The life of an IAudioClient: what those of endpoints and of process loopback have in common.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "../../../src/backend/backend.h"
#include "counted_object.h"
#include "packet_queue.h"
#include "render_buffer.h"

namespace patchcord {

// Each method refuses what the documentation refuses, with its code.
class AudioClient : public CountedObject<IAudioClient3> {
 public:
  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override;

  HRESULT STDMETHODCALLTYPE Initialize(AUDCLNT_SHAREMODE mode, DWORD flags, REFERENCE_TIME duration,
                                       REFERENCE_TIME periodicity, const WAVEFORMATEX* wave,
                                       LPCGUID session) override;
  HRESULT STDMETHODCALLTYPE GetBufferSize(UINT32* frames) override;
  HRESULT STDMETHODCALLTYPE Start() override;
  HRESULT STDMETHODCALLTYPE Stop() override;
  HRESULT STDMETHODCALLTYPE Reset() override;
  HRESULT STDMETHODCALLTYPE SetEventHandle(HANDLE event) override;
  HRESULT STDMETHODCALLTYPE GetService(REFIID iid, void** service) override;

  // IAudioClient2 and 3, for those that have them.
  HRESULT STDMETHODCALLTYPE IsOffloadCapable(AUDIO_STREAM_CATEGORY category,
                                             BOOL* capable) override;
  HRESULT STDMETHODCALLTYPE SetClientProperties(const AudioClientProperties* properties) override;
  HRESULT STDMETHODCALLTYPE GetBufferSizeLimits(const WAVEFORMATEX* wave, BOOL event_driven,
                                                REFERENCE_TIME* shortest,
                                                REFERENCE_TIME* longest) override;
  HRESULT STDMETHODCALLTYPE GetSharedModeEnginePeriod(const WAVEFORMATEX* wave, UINT32* standard,
                                                      UINT32* fundamental, UINT32* shortest,
                                                      UINT32* longest) override;
  HRESULT STDMETHODCALLTYPE GetCurrentSharedModeEnginePeriod(WAVEFORMATEX** wave,
                                                             UINT32* frames) override;
  HRESULT STDMETHODCALLTYPE InitializeSharedAudioStream(DWORD flags, UINT32 period,
                                                        const WAVEFORMATEX* wave,
                                                        LPCGUID session) override;

  // For the services, which keep their client alive. Fixed once initialised.
  const std::string& endpoint() const { return endpoint_; }
  PacketQueue* packets() const { return packets_.get(); }
  RenderBuffer* playing() const { return playing_.get(); }
  const Format& format() const { return format_; }
  uint32_t buffer_frames() const { return buffer_frames_; }
  HRESULT failure() const;
  bool exclusive() const { return exclusive_; }
  bool event_driven() const { return (flags_ & AUDCLNT_STREAMFLAGS_EVENTCALLBACK) != 0; }
  // Whether the program has a buffer between GetBuffer and ReleaseBuffer.
  std::atomic<bool> buffer_held{false};

 protected:
  struct Request {
    AUDCLNT_SHAREMODE mode;
    DWORD flags;
    REFERENCE_TIME duration;
    REFERENCE_TIME periodicity;
    const WAVEFORMATEX* wave;
    GUID session;
  };
  // Process loopback has the interface of Windows Vista alone.
  enum class Generation { kFirst, kThird };

  AudioClient(std::string endpoint, Generation generation)
      : endpoint_(std::move(endpoint)), generation_(generation) {}

  // Initialize, once: ends with open_capture() or open_render().
  virtual HRESULT open(const Request& request) = 0;
  virtual HRESULT make_service(REFIID iid, void** service) = 0;

  virtual void on_running(bool) {}

  struct EnginePeriod {
    Format format;
    uint32_t standard;  // frames: 10 ms
    uint32_t current;   // frames, at most the standard
  };
  virtual EnginePeriod engine_period() const { return {}; }

  // The world's part. `open_stream(listener, &stream)` asks it for the stream, in the format of
  // `device`; the program has it in `format`.
  template <class Opener>
  HRESULT open_capture(const Format& format, const Format& device, uint32_t buffer_frames,
                       uint32_t period_frames, Opener open_stream);
  template <class Opener>
  HRESULT open_render(const Format& format, const Format& device, uint32_t buffer_frames,
                      Opener open_stream);

  // Called first by each method. Returns a scripted fault, or the stream's end, which the method
  // must return; S_OK: continue.
  HRESULT enter(const char* call) const;
  // The same, for methods of an initialised client.
  HRESULT enter_initialized(const char* call) const;
  bool initialized() const { return initialized_; }
  AUDIO_STREAM_CATEGORY category() const { return category_; }
  bool raw() const { return raw_; }
  const GUID& session() const { return session_; }
  // The result of GetBufferSize for a stream that was refused for its size.
  void suggest_buffer(uint32_t frames) { suggested_frames_ = frames; }

 private:
  HRESULT finish_open(const Error& error);
  void tick_on();
  HRESULT initialize(const Request& request);

  const std::string endpoint_;  // the world's id
  const Generation generation_;
  std::mutex mutex_;  // the calls above it; never those that move frames
  DWORD flags_ = 0;
  HANDLE event_ = nullptr;
  AUDIO_STREAM_CATEGORY category_ = AudioCategory_Other;
  bool raw_ = false;
  GUID session_ = {};
  bool initialized_ = false;
  bool exclusive_ = false;
  bool spoilt_ = false;
  bool running_ = false;
  uint32_t suggested_frames_ = 0;
  Format format_;
  uint32_t buffer_frames_ = 0;
  std::unique_ptr<PacketQueue> packets_;
  std::unique_ptr<RenderBuffer> playing_;
  std::unique_ptr<Stream> stream_;      // behind what it calls: it ends before
  std::unique_ptr<Clock::Task> ticks_;  // of a stopped stream
};

template <class Opener>
HRESULT AudioClient::open_capture(const Format& format, const Format& device,
                                  uint32_t buffer_frames, uint32_t period_frames,
                                  Opener open_stream) {
  format_ = format;
  buffer_frames_ = buffer_frames;
  // The world may deliver more at a time than a buffer holds that was asked for in exclusive mode.
  packets_ = std::make_unique<PacketQueue>(
      format, device, std::max(buffer_frames, 2 * period_frames), period_frames);
  return finish_open(open_stream(packets_.get(), &stream_));
}

template <class Opener>
HRESULT AudioClient::open_render(const Format& format, const Format& device, uint32_t buffer_frames,
                                 Opener open_stream) {
  format_ = format;
  buffer_frames_ = buffer_frames;
  playing_ = std::make_unique<RenderBuffer>(format, device, buffer_frames);
  return finish_open(open_stream(playing_.get(), &stream_));
}

}  // namespace patchcord
