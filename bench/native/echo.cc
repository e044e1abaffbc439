// Echo cancellers side by side, over one scene each: ours, and what the system has.
//
//     echo ENGINE RATE FAR MICROPHONE OUT        raw f32 mono files; prints { "cpu": seconds,
//     "heldMs" }. FAR has two channels for the engine "stereo".
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "../../src/core/signal/echo_filter.h"

#if HAVE_SPEEXDSP
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>
#endif
#if HAVE_WEBRTC
#define WEBRTC_AUDIO_PROCESSING_ONLY_BUILD 1
#define WEBRTC_POSIX 1
#include <webrtc/modules/audio_processing/include/audio_processing.h>
#include <webrtc/modules/interface/module_common_types.h>
#endif

namespace {

using Samples = std::vector<float>;

Samples read(const char* path) {
  FILE* file = std::fopen(path, "rb");
  if (file == nullptr) std::exit(2);
  std::fseek(file, 0, SEEK_END);
  Samples samples(static_cast<size_t>(std::ftell(file)) / sizeof(float));
  std::rewind(file);
  if (std::fread(samples.data(), sizeof(float), samples.size(), file) != samples.size()) {
    std::exit(2);
  }
  std::fclose(file);
  return samples;
}

// As EchoFilter does: the reference is given early. The delay is not in the output but held back:
// `held_ms`.
Samples ours(const std::string& engine, uint32_t rate, Samples far, const Samples& microphone,
             double* held_ms) {
  patchcord::EchoFilter::Config config;
  config.sample_rate = rate;
  if (engine == "off") config.suppression = patchcord::EchoSuppression::kOff;
  if (engine == "high") config.suppression = patchcord::EchoSuppression::kHigh;
  const size_t references = engine == "stereo" ? 2 : 1, width = 1 + references;
  config.reference_channels = static_cast<uint32_t>(references);
  patchcord::EchoFilter filter(config);
  const auto lead = static_cast<size_t>(patchcord::EchoFilter::kLeadSeconds * rate) * references;
  far.erase(far.begin(), far.begin() + static_cast<std::ptrdiff_t>(lead));
  far.resize(microphone.size() * references);
  const size_t packet = rate / 100;
  Samples frames(width * packet), made(filter.most_out(packet)), out;
  out.reserve(microphone.size());
  for (size_t at = 0; at + packet <= microphone.size(); at += packet) {
    for (size_t i = 0; i < packet; ++i) {
      frames[width * i] = microphone[at + i];
      for (size_t c = 0; c < references; ++c) {
        frames[width * i + 1 + c] = far[(at + i) * references + c];
      }
    }
    const size_t count = filter.process(frames.data(), packet, made.data());
    out.insert(out.end(), made.begin(), made.begin() + static_cast<std::ptrdiff_t>(count));
  }
  *held_ms = static_cast<double>(filter.held_frames()) * 1e3 / rate;
  out.resize(microphone.size());
  return out;
}

#if HAVE_SPEEXDSP || HAVE_WEBRTC
int16_t integer(float sample) {
  return static_cast<int16_t>(std::clamp(std::lrint(sample * 32768.0f), -32768L, 32767L));
}
#endif

#if HAVE_SPEEXDSP
Samples speexdsp(uint32_t rate, const Samples& far, const Samples& microphone) {
  const int packet = static_cast<int>(rate / 100);
  int hz = static_cast<int>(rate), on = 1;
  SpeexEchoState* echo = speex_echo_state_init(packet, hz / 5);
  speex_echo_ctl(echo, SPEEX_ECHO_SET_SAMPLING_RATE, &hz);
  SpeexPreprocessState* rest = speex_preprocess_state_init(packet, hz);
  speex_preprocess_ctl(rest, SPEEX_PREPROCESS_SET_DENOISE, &on);
  speex_preprocess_ctl(rest, SPEEX_PREPROCESS_SET_ECHO_STATE, echo);
  const auto size = static_cast<size_t>(packet);
  std::vector<int16_t> f(size), m(size), o(size);
  Samples out(microphone.size());
  for (size_t at = 0; at + size <= microphone.size(); at += size) {
    for (size_t i = 0; i < size; ++i) {
      f[i] = integer(far[at + i]);
      m[i] = integer(microphone[at + i]);
    }
    speex_echo_cancellation(echo, m.data(), f.data(), o.data());
    speex_preprocess_run(rest, o.data());
    for (size_t i = 0; i < size; ++i) out[at + i] = static_cast<float>(o[i]) / 32768;
  }
  speex_preprocess_state_destroy(rest);
  speex_echo_state_destroy(echo);
  return out;
}
#endif

#if HAVE_WEBRTC
// The canceller of WebRTC before AEC3, in extended mode.
Samples old_webrtc(uint32_t rate, const Samples& far, const Samples& microphone) {
  webrtc::Config config;
  config.Set<webrtc::ExtendedFilter>(new webrtc::ExtendedFilter(true));
  config.Set<webrtc::DelayAgnostic>(new webrtc::DelayAgnostic(true));
  webrtc::AudioProcessing* processing = webrtc::AudioProcessing::Create(config);
  processing->echo_cancellation()->Enable(true);
  const size_t size = rate / 100;
  webrtc::AudioFrame f, m;
  for (webrtc::AudioFrame* frame : {&f, &m}) {
    frame->sample_rate_hz_ = static_cast<int>(rate);
    frame->num_channels_ = 1;
    frame->samples_per_channel_ = size;
  }
  Samples out(microphone.size());
  for (size_t at = 0; at + size <= microphone.size(); at += size) {
    for (size_t i = 0; i < size; ++i) {
      f.data_[i] = integer(far[at + i]);
      m.data_[i] = integer(microphone[at + i]);
    }
    processing->AnalyzeReverseStream(&f);
    processing->set_stream_delay_ms(0);
    processing->ProcessStream(&m);
    for (size_t i = 0; i < size; ++i) out[at + i] = static_cast<float>(m.data_[i]) / 32768;
  }
  delete processing;
  return out;
}
#endif

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  const std::string engine = arguments[1];
  const auto rate = static_cast<uint32_t>(std::atoi(arguments[2]));
  const Samples far = read(arguments[3]), microphone = read(arguments[4]);
  Samples out;
  double held_ms = 0;
  const clock_t begin = std::clock();
  if (engine == "moderate" || engine == "off" || engine == "high" || engine == "stereo") {
    out = ours(engine, rate, far, microphone, &held_ms);
  }
#if HAVE_SPEEXDSP
  if (engine == "speexdsp") out = speexdsp(rate, far, microphone);
#endif
#if HAVE_WEBRTC
  if (engine == "webrtc-old") out = old_webrtc(rate, far, microphone);
#endif
  if (out.empty()) return 3;
  const double cpu = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  FILE* file = std::fopen(arguments[5], "wb");
  if (file == nullptr) return 2;
  std::fwrite(out.data(), sizeof(float), out.size(), file);
  std::fclose(file);
  std::printf("{ \"cpu\": %.4f, \"heldMs\": %.2f }\n", cpu, held_ms);
}
