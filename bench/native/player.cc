// A separate program that reports when its sound is heard. `player SINK SECONDS RATE` plays a slow
// tone in two channels, a quarter of a turn apart, so that the two samples identify the frame, and
// reads the server's position every 50 ms. Prints JSON: rows [frame that is heard, now, now on
// Wine's clock, how long the answer took], ns.
#include <pulse/pulseaudio.h>
#include <time.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kTurn = 65536;  // frames
constexpr double kGain = 0.25;
constexpr int kFrameBytes = 2 * sizeof(float);

struct Row {
  double frame;
  int64_t now, raw, took;
};

struct Player {
  double rate = 0;
  int64_t end = 0;
  pa_stream* stream = nullptr;
  pa_mainloop* loop = nullptr;
  int64_t written = 0;  // frames
  int64_t asked_at = 0;
  std::vector<Row> rows;
};

int64_t clock_ns(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * int64_t{1000000000} + time.tv_nsec;
}

void write(pa_stream* stream, size_t bytes, void* self) {
  Player& player = *static_cast<Player*>(self);
  std::vector<float> samples(bytes / kFrameBytes * 2);
  for (size_t i = 0; i < samples.size(); i += 2, ++player.written) {
    const double phase = 2 * kPi * std::fmod(static_cast<double>(player.written), kTurn) / kTurn;
    samples[i] = static_cast<float>(kGain * std::sin(phase));
    samples[i + 1] = static_cast<float>(kGain * std::cos(phase));
  }
  pa_stream_write(stream, samples.data(), samples.size() * sizeof(float), nullptr, 0,
                  PA_SEEK_RELATIVE);
}

void on_timing(pa_stream* stream, int success, void* self) {
  Player& player = *static_cast<Player*>(self);
  const pa_timing_info* timing = pa_stream_get_timing_info(stream);
  const int64_t now = clock_ns(CLOCK_MONOTONIC);
  const int64_t raw = clock_ns(CLOCK_MONOTONIC_RAW);
  if (success == 0 || timing == nullptr || timing->playing == 0) return;
  // A frame that has left the queue is heard when the sink has played what it holds.
  const double frame = static_cast<double>(timing->read_index) / kFrameBytes -
                       static_cast<double>(timing->sink_usec) * 1e-6 * player.rate;
  const int64_t took = now - player.asked_at;
  // The server answered at some moment between request and answer.
  player.rows.push_back({frame, now - took / 2, raw - took / 2, took});
}

void on_timer(pa_mainloop_api* api, pa_time_event* event, const timeval*, void* self) {
  Player& player = *static_cast<Player*>(self);
  player.asked_at = clock_ns(CLOCK_MONOTONIC);
  if (player.asked_at >= player.end) return pa_mainloop_quit(player.loop, 0);
  if (pa_stream_get_state(player.stream) == PA_STREAM_READY) {
    pa_operation_unref(pa_stream_update_timing_info(player.stream, on_timing, self));
  }
  timeval next;
  pa_gettimeofday(&next);
  api->time_restart(event, pa_timeval_add(&next, 50000));
}

void on_state(pa_context* context, void* self) {
  Player& player = *static_cast<Player*>(self);
  if (pa_context_get_state(context) == PA_CONTEXT_FAILED) pa_mainloop_quit(player.loop, 1);
}

}  // namespace

int main(int count, char** args) {
  if (count != 4) return 2;
  Player player;
  player.rate = std::atof(args[3]);
  player.end = clock_ns(CLOCK_MONOTONIC) + static_cast<int64_t>(std::atof(args[2]) * 1e9);
  player.loop = pa_mainloop_new();
  pa_mainloop_api* const api = pa_mainloop_get_api(player.loop);
  pa_context* const context = pa_context_new(api, "player");
  pa_context_set_state_callback(context, on_state, &player);
  pa_context_connect(context, nullptr, PA_CONTEXT_NOFLAGS, nullptr);
  while (pa_context_get_state(context) != PA_CONTEXT_READY) {
    int result = 0;
    if (pa_mainloop_iterate(player.loop, 1, &result) < 0) return 1;
  }
  const pa_sample_spec spec{PA_SAMPLE_FLOAT32LE, static_cast<uint32_t>(player.rate), 2};
  player.stream = pa_stream_new(context, "tone", &spec, nullptr);
  pa_stream_set_write_callback(player.stream, write, &player);
  const pa_buffer_attr half_second{UINT32_MAX, static_cast<uint32_t>(player.rate) / 2 * kFrameBytes,
                                   UINT32_MAX, UINT32_MAX, UINT32_MAX};
  pa_stream_connect_playback(player.stream, args[1], &half_second, PA_STREAM_NOFLAGS, nullptr,
                             nullptr);
  timeval soon;
  pa_gettimeofday(&soon);
  api->time_new(api, &soon, on_timer, &player);
  int result = 0;
  pa_mainloop_run(player.loop, &result);
  std::printf("[");
  for (size_t i = 0; i < player.rows.size(); ++i) {
    const Row& row = player.rows[i];
    std::printf("%s[%.3f,\"%lld\",\"%lld\",%lld]", i > 0 ? "," : "", row.frame,
                static_cast<long long>(row.now), static_cast<long long>(row.raw),
                static_cast<long long>(row.took));
  }
  std::printf("]\n");
  return result;
}
