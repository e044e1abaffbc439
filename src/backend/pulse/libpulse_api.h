// The part of libpulse that we use, declared by us and found with dlopen. So the package builds
// without PulseAudio's headers and loads without libpulse. Names, layouts and values are the
// library's own (its ABI has been stable since 1.0; test/native/pulse_abi_test.cc compares them
// with the real headers). Structures from the library may be longer than declared here.
#pragma once

#include <sys/time.h>

#include <cstddef>
#include <cstdint>

#include "../../core/error.h"

namespace patchcord {
namespace pulse {

struct pa_context;
struct pa_defer_event;
struct pa_format_info;
struct pa_operation;
struct pa_proplist;
struct pa_stream;
struct pa_threaded_mainloop;
struct pa_time_event;

using pa_usec_t = uint64_t;

constexpr uint32_t kInvalidIndex = UINT32_MAX;
constexpr uint32_t kServerChooses = UINT32_MAX;  // in a pa_buffer_attr
constexpr uint32_t kNormalVolume = 0x10000;
constexpr size_t kChannelsMax = 32;

enum pa_context_state_t {
  PA_CONTEXT_UNCONNECTED,
  PA_CONTEXT_CONNECTING,
  PA_CONTEXT_AUTHORIZING,
  PA_CONTEXT_SETTING_NAME,
  PA_CONTEXT_READY,
  PA_CONTEXT_FAILED,
  PA_CONTEXT_TERMINATED
};

enum pa_context_flags_t { PA_CONTEXT_NOAUTOSPAWN = 1 };

enum pa_stream_state_t {
  PA_STREAM_UNCONNECTED,
  PA_STREAM_CREATING,
  PA_STREAM_READY,
  PA_STREAM_FAILED,
  PA_STREAM_TERMINATED
};

enum pa_operation_state_t { PA_OPERATION_RUNNING, PA_OPERATION_DONE, PA_OPERATION_CANCELLED };

enum pa_stream_flags_t {
  PA_STREAM_START_CORKED = 0x0001,
  PA_STREAM_DONT_MOVE = 0x0200,
  PA_STREAM_PEAK_DETECT = 0x0800,
  PA_STREAM_ADJUST_LATENCY = 0x2000,
  PA_STREAM_START_UNMUTED = 0x10000
};

enum pa_seek_mode_t { PA_SEEK_RELATIVE = 0 };

enum pa_subscription_mask_t {
  PA_SUBSCRIPTION_MASK_NULL = 0,
  PA_SUBSCRIPTION_MASK_SINK = 0x0001,
  PA_SUBSCRIPTION_MASK_SOURCE = 0x0002,
  PA_SUBSCRIPTION_MASK_SINK_INPUT = 0x0004,
  PA_SUBSCRIPTION_MASK_SOURCE_OUTPUT = 0x0008,
  PA_SUBSCRIPTION_MASK_SERVER = 0x0080,
  PA_SUBSCRIPTION_MASK_CARD = 0x0200
};

enum pa_error_code_t {
  PA_ERR_ACCESS = 1,
  PA_ERR_INVALID = 3,
  PA_ERR_NOENTITY = 5,
  PA_ERR_CONNECTIONREFUSED = 6,
  PA_ERR_PROTOCOL = 7,
  PA_ERR_TIMEOUT = 8,
  PA_ERR_AUTHKEY = 9,
  PA_ERR_CONNECTIONTERMINATED = 11,
  PA_ERR_KILLED = 12,
  PA_ERR_INVALIDSERVER = 13,
  PA_ERR_VERSION = 17,
  PA_ERR_NOTSUPPORTED = 19,
  PA_ERR_BUSY = 26
};

enum pa_sample_format_t {
  PA_SAMPLE_U8 = 0,
  PA_SAMPLE_S16LE = 3,
  PA_SAMPLE_S16BE = 4,
  PA_SAMPLE_FLOAT32LE = 5,
  PA_SAMPLE_FLOAT32BE = 6,
  PA_SAMPLE_S32LE = 7,
  PA_SAMPLE_S32BE = 8,
  PA_SAMPLE_S24LE = 9,
  PA_SAMPLE_S24BE = 10,
  PA_SAMPLE_S24_32LE = 11,
  PA_SAMPLE_S24_32BE = 12
};

enum pa_channel_position_t {
  PA_CHANNEL_POSITION_FRONT_LEFT = 1,
  PA_CHANNEL_POSITION_FRONT_RIGHT = 2,
  PA_CHANNEL_POSITION_FRONT_CENTER = 3,
  PA_CHANNEL_POSITION_REAR_CENTER = 4,
  PA_CHANNEL_POSITION_REAR_LEFT = 5,
  PA_CHANNEL_POSITION_REAR_RIGHT = 6,
  PA_CHANNEL_POSITION_LFE = 7,
  PA_CHANNEL_POSITION_FRONT_LEFT_OF_CENTER = 8,
  PA_CHANNEL_POSITION_FRONT_RIGHT_OF_CENTER = 9,
  PA_CHANNEL_POSITION_SIDE_LEFT = 10,
  PA_CHANNEL_POSITION_SIDE_RIGHT = 11,
  PA_CHANNEL_POSITION_TOP_CENTER = 44,
  PA_CHANNEL_POSITION_TOP_FRONT_LEFT = 45,
  PA_CHANNEL_POSITION_TOP_FRONT_RIGHT = 46,
  PA_CHANNEL_POSITION_TOP_FRONT_CENTER = 47,
  PA_CHANNEL_POSITION_TOP_REAR_LEFT = 48,
  PA_CHANNEL_POSITION_TOP_REAR_RIGHT = 49,
  PA_CHANNEL_POSITION_TOP_REAR_CENTER = 50
};

// The same bits for sinks and sources.
constexpr uint32_t kDeviceIsHardware = 0x0004;
constexpr uint32_t kDeviceIsNetwork = 0x0008;

constexpr int kPortNotAvailable = 1;

struct pa_sample_spec {
  int32_t format;  // pa_sample_format_t, -1 invalid
  uint32_t rate;
  uint8_t channels;
};

struct pa_channel_map {
  uint8_t channels;
  int32_t map[kChannelsMax];  // pa_channel_position_t
};

struct pa_cvolume {
  uint8_t channels;
  uint32_t values[kChannelsMax];
};

struct pa_buffer_attr {
  uint32_t maxlength;
  uint32_t tlength;
  uint32_t prebuf;
  uint32_t minreq;
  uint32_t fragsize;
};

struct pa_timing_info {
  timeval timestamp;
  int synchronized_clocks;
  pa_usec_t sink_usec;
  pa_usec_t source_usec;
  pa_usec_t transport_usec;
  int playing;
  int write_index_corrupt;
  int64_t write_index;
  int read_index_corrupt;
  int64_t read_index;
  pa_usec_t configured_sink_usec;
  pa_usec_t configured_source_usec;
  int64_t since_underrun;
};

struct pa_server_info {
  const char* user_name;
  const char* host_name;
  const char* server_version;
  const char* server_name;
  pa_sample_spec sample_spec;
  const char* default_sink_name;
  const char* default_source_name;
};

// A port of a sink or a source: both have the same layout.
struct pa_port_info {
  const char* name;
  const char* description;
  uint32_t priority;
  int available;
};

// pa_sink_info and pa_source_info in one: same layout, other names for the two monitor fields.
struct pa_device_info {
  const char* name;
  uint32_t index;
  const char* description;
  pa_sample_spec sample_spec;
  pa_channel_map channel_map;
  uint32_t owner_module;
  pa_cvolume volume;
  int mute;
  uint32_t monitor_index;    // a sink's monitor source; of a monitor source, its sink
  const char* monitor_name;  // its name; nullptr for a source that is not a monitor
  pa_usec_t latency;
  const char* driver;
  int32_t flags;
  pa_proplist* proplist;
  pa_usec_t configured_latency;
  uint32_t base_volume;
  int32_t state;
  uint32_t n_volume_steps;
  uint32_t card;
  uint32_t n_ports;
  pa_port_info** ports;
  pa_port_info* active_port;
};

struct pa_module_info {
  uint32_t index;
  const char* name;
  const char* argument;
};

struct pa_client_info {
  uint32_t index;
  const char* name;
  uint32_t owner_module;
  const char* driver;
  pa_proplist* proplist;
};

// A playback stream.
struct pa_sink_input_info {
  uint32_t index;
  const char* name;
  uint32_t owner_module;
  uint32_t client;  // kInvalidIndex: the server's own, a module's
  uint32_t sink;
  pa_sample_spec sample_spec;
  pa_channel_map channel_map;
  pa_cvolume volume;
  pa_usec_t buffer_usec;
  pa_usec_t sink_usec;
  const char* resample_method;
  const char* driver;
  int mute;
  pa_proplist* proplist;
  int corked;
  int has_volume;
  int volume_writable;
  pa_format_info* format;
};

// A recording stream.
struct pa_source_output_info {
  uint32_t index;
  const char* name;
  uint32_t owner_module;
  uint32_t client;
  uint32_t source;
  pa_sample_spec sample_spec;
  pa_channel_map channel_map;
  pa_usec_t buffer_usec;
  pa_usec_t source_usec;
  const char* resample_method;
  const char* driver;
  pa_proplist* proplist;
  int corked;
  pa_cvolume volume;
  int mute;
  int has_volume;
  int volume_writable;
  pa_format_info* format;
};

// Only the members that we call have their real types.
struct pa_mainloop_api {
  void* userdata;
  void (*io_new)();
  void (*io_enable)();
  void (*io_free)();
  void (*io_set_destroy)();
  void (*time_new)();
  void (*time_restart)();
  void (*time_free)(pa_time_event*);
  void (*time_set_destroy)();
  pa_defer_event* (*defer_new)(pa_mainloop_api*, void (*)(pa_mainloop_api*, pa_defer_event*, void*),
                               void*);
  void (*defer_enable)();
  void (*defer_free)(pa_defer_event*);
};

using pa_context_notify_cb_t = void (*)(pa_context*, void*);
using pa_context_success_cb_t = void (*)(pa_context*, int success, void*);
using pa_context_index_cb_t = void (*)(pa_context*, uint32_t index, void*);
using pa_context_subscribe_cb_t = void (*)(pa_context*, int event, uint32_t index, void*);
using pa_server_info_cb_t = void (*)(pa_context*, const pa_server_info*, void*);
using pa_device_info_cb_t = void (*)(pa_context*, const pa_device_info*, int end, void*);
using pa_module_info_cb_t = void (*)(pa_context*, const pa_module_info*, int end, void*);
using pa_client_info_cb_t = void (*)(pa_context*, const pa_client_info*, int end, void*);
using pa_sink_input_info_cb_t = void (*)(pa_context*, const pa_sink_input_info*, int end, void*);
using pa_source_output_info_cb_t = void (*)(pa_context*, const pa_source_output_info*, int end,
                                            void*);
using pa_stream_notify_cb_t = void (*)(pa_stream*, void*);
using pa_stream_request_cb_t = void (*)(pa_stream*, size_t bytes, void*);
using pa_stream_success_cb_t = void (*)(pa_stream*, int success, void*);
using pa_free_cb_t = void (*)(void*);
using pa_time_event_cb_t = void (*)(pa_mainloop_api*, pa_time_event*, const timeval*, void*);

// Result, name, parameters.
#define PATCHCORD_LIBPULSE_FUNCTIONS(F)                                                        \
  F(pa_threaded_mainloop*, pa_threaded_mainloop_new, ())                                       \
  F(void, pa_threaded_mainloop_free, (pa_threaded_mainloop*))                                  \
  F(int, pa_threaded_mainloop_start, (pa_threaded_mainloop*))                                  \
  F(void, pa_threaded_mainloop_stop, (pa_threaded_mainloop*))                                  \
  F(void, pa_threaded_mainloop_set_name, (pa_threaded_mainloop*, const char*))                 \
  F(void, pa_threaded_mainloop_lock, (pa_threaded_mainloop*))                                  \
  F(void, pa_threaded_mainloop_unlock, (pa_threaded_mainloop*))                                \
  F(void, pa_threaded_mainloop_wait, (pa_threaded_mainloop*))                                  \
  F(void, pa_threaded_mainloop_signal, (pa_threaded_mainloop*, int))                           \
  F(pa_mainloop_api*, pa_threaded_mainloop_get_api, (pa_threaded_mainloop*))                   \
  F(pa_context*, pa_context_new_with_proplist,                                                 \
    (pa_mainloop_api*, const char*, const pa_proplist*))                                       \
  F(void, pa_context_unref, (pa_context*))                                                     \
  F(void, pa_context_set_state_callback, (pa_context*, pa_context_notify_cb_t, void*))         \
  F(int, pa_context_errno, (const pa_context*))                                                \
  F(const char*, pa_context_get_server, (const pa_context*))                                   \
  F(pa_context_state_t, pa_context_get_state, (const pa_context*))                             \
  F(int, pa_context_connect, (pa_context*, const char*, pa_context_flags_t, const void*))      \
  F(void, pa_context_disconnect, (pa_context*))                                                \
  F(pa_time_event*, pa_context_rttime_new,                                                     \
    (const pa_context*, pa_usec_t, pa_time_event_cb_t, void*))                                 \
  F(void, pa_context_rttime_restart, (const pa_context*, pa_time_event*, pa_usec_t))           \
  F(pa_operation*, pa_context_subscribe,                                                       \
    (pa_context*, pa_subscription_mask_t, pa_context_success_cb_t, void*))                     \
  F(void, pa_context_set_subscribe_callback, (pa_context*, pa_context_subscribe_cb_t, void*))  \
  F(pa_operation*, pa_context_get_server_info, (pa_context*, pa_server_info_cb_t, void*))      \
  F(pa_operation*, pa_context_get_sink_info_by_index,                                          \
    (pa_context*, uint32_t, pa_device_info_cb_t, void*))                                       \
  F(pa_operation*, pa_context_get_sink_info_by_name,                                           \
    (pa_context*, const char*, pa_device_info_cb_t, void*))                                    \
  F(pa_operation*, pa_context_get_source_info_by_name,                                         \
    (pa_context*, const char*, pa_device_info_cb_t, void*))                                    \
  F(pa_operation*, pa_context_get_sink_info_list, (pa_context*, pa_device_info_cb_t, void*))   \
  F(pa_operation*, pa_context_get_source_info_list, (pa_context*, pa_device_info_cb_t, void*)) \
  F(pa_operation*, pa_context_get_module_info_list, (pa_context*, pa_module_info_cb_t, void*)) \
  F(pa_operation*, pa_context_get_client_info_list, (pa_context*, pa_client_info_cb_t, void*)) \
  F(pa_operation*, pa_context_get_sink_input_info_list,                                        \
    (pa_context*, pa_sink_input_info_cb_t, void*))                                             \
  F(pa_operation*, pa_context_get_source_output_info_list,                                     \
    (pa_context*, pa_source_output_info_cb_t, void*))                                          \
  F(pa_operation*, pa_context_load_module,                                                     \
    (pa_context*, const char*, const char*, pa_context_index_cb_t, void*))                     \
  F(pa_operation*, pa_context_unload_module,                                                   \
    (pa_context*, uint32_t, pa_context_success_cb_t, void*))                                   \
  F(pa_operation*, pa_context_set_default_sink,                                                \
    (pa_context*, const char*, pa_context_success_cb_t, void*))                                \
  F(pa_operation*, pa_context_set_default_source,                                              \
    (pa_context*, const char*, pa_context_success_cb_t, void*))                                \
  F(pa_operation*, pa_context_get_source_output_info,                                          \
    (pa_context*, uint32_t, pa_source_output_info_cb_t, void*))                                \
  F(pa_operation*, pa_context_set_source_output_volume,                                        \
    (pa_context*, uint32_t, const pa_cvolume*, pa_context_success_cb_t, void*))                \
  F(pa_operation*, pa_context_move_sink_input_by_name,                                         \
    (pa_context*, uint32_t, const char*, pa_context_success_cb_t, void*))                      \
  F(void, pa_operation_cancel, (pa_operation*))                                                \
  F(void, pa_operation_unref, (pa_operation*))                                                 \
  F(pa_operation_state_t, pa_operation_get_state, (const pa_operation*))                       \
  F(pa_proplist*, pa_proplist_new, ())                                                         \
  F(void, pa_proplist_free, (pa_proplist*))                                                    \
  F(int, pa_proplist_sets, (pa_proplist*, const char*, const char*))                           \
  F(const char*, pa_proplist_gets, (const pa_proplist*, const char*))                          \
  F(pa_stream*, pa_stream_new_with_proplist,                                                   \
    (pa_context*, const char*, const pa_sample_spec*, const pa_channel_map*, pa_proplist*))    \
  F(void, pa_stream_unref, (pa_stream*))                                                       \
  F(int, pa_stream_set_monitor_stream, (pa_stream*, uint32_t index))                           \
  F(pa_stream_state_t, pa_stream_get_state, (const pa_stream*))                                \
  F(uint32_t, pa_stream_get_index, (const pa_stream*))                                         \
  F(const char*, pa_stream_get_device_name, (const pa_stream*))                                \
  F(const pa_buffer_attr*, pa_stream_get_buffer_attr, (pa_stream*))                            \
  F(pa_operation*, pa_stream_set_buffer_attr,                                                  \
    (pa_stream*, const pa_buffer_attr*, pa_stream_success_cb_t, void*))                        \
  F(int, pa_stream_connect_playback,                                                           \
    (pa_stream*, const char*, const pa_buffer_attr*, pa_stream_flags_t, const pa_cvolume*,     \
     pa_stream*))                                                                              \
  F(int, pa_stream_connect_record,                                                             \
    (pa_stream*, const char*, const pa_buffer_attr*, pa_stream_flags_t))                       \
  F(int, pa_stream_disconnect, (pa_stream*))                                                   \
  F(int, pa_stream_begin_write, (pa_stream*, void**, size_t*))                                 \
  F(int, pa_stream_write,                                                                      \
    (pa_stream*, const void*, size_t, pa_free_cb_t, int64_t, pa_seek_mode_t))                  \
  F(int, pa_stream_peek, (pa_stream*, const void**, size_t*))                                  \
  F(int, pa_stream_drop, (pa_stream*))                                                         \
  F(size_t, pa_stream_writable_size, (const pa_stream*))                                       \
  F(size_t, pa_stream_readable_size, (const pa_stream*))                                       \
  F(pa_operation*, pa_stream_cork, (pa_stream*, int, pa_stream_success_cb_t, void*))           \
  F(pa_operation*, pa_stream_flush, (pa_stream*, pa_stream_success_cb_t, void*))               \
  F(pa_operation*, pa_stream_update_timing_info, (pa_stream*, pa_stream_success_cb_t, void*))  \
  F(const pa_timing_info*, pa_stream_get_timing_info, (pa_stream*))                            \
  F(int64_t, pa_stream_get_underflow_index, (const pa_stream*))                                \
  F(int, pa_stream_is_suspended, (const pa_stream*))                                           \
  F(void, pa_stream_set_state_callback, (pa_stream*, pa_stream_notify_cb_t, void*))            \
  F(void, pa_stream_set_read_callback, (pa_stream*, pa_stream_request_cb_t, void*))            \
  F(void, pa_stream_set_write_callback, (pa_stream*, pa_stream_request_cb_t, void*))           \
  F(void, pa_stream_set_underflow_callback, (pa_stream*, pa_stream_notify_cb_t, void*))        \
  F(void, pa_stream_set_moved_callback, (pa_stream*, pa_stream_notify_cb_t, void*))            \
  F(const char*, pa_strerror, (int))

struct LibPulse {
#define PATCHCORD_DECLARE(result, name, parameters) result(*name) parameters = nullptr;
  PATCHCORD_LIBPULSE_FUNCTIONS(PATCHCORD_DECLARE)
#undef PATCHCORD_DECLARE
};

// Any thread. Loaded once for the process and never unloaded: its threads and thread-local
// destructors may outlive every Host.
Error load_libpulse(const LibPulse** library);

}  // namespace pulse
}  // namespace patchcord
