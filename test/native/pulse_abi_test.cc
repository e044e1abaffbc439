// Our declarations of libpulse against the library's own headers, where they are installed: sizes,
// offsets, values, and the shape of every function that is called.
#include "../../src/backend/pulse/libpulse_api.h"
#include "check.h"

#if __has_include(<pulse/pulseaudio.h>)

#include <pulse/pulseaudio.h>

#include <type_traits>

namespace ours = patchcord::pulse;

#define SAME_FIELD(type, ours_field, real_type, real_field)                              \
  static_assert(offsetof(ours::type, ours_field) == offsetof(::real_type, real_field) && \
                    sizeof(ours::type::ours_field) == sizeof(::real_type::real_field),   \
                #type "." #ours_field)
#define FIELD(type, field) SAME_FIELD(type, field, type, field)
#define SIZE(type) static_assert(sizeof(ours::type) == sizeof(::type), #type)
#define VALUE(name) static_assert(static_cast<int>(ours::name) == static_cast<int>(::name), #name)

SIZE(pa_sample_spec);
FIELD(pa_sample_spec, format);
FIELD(pa_sample_spec, rate);
FIELD(pa_sample_spec, channels);
SIZE(pa_channel_map);
FIELD(pa_channel_map, channels);
FIELD(pa_channel_map, map);
SIZE(pa_cvolume);
FIELD(pa_cvolume, channels);
FIELD(pa_cvolume, values);
SIZE(pa_buffer_attr);
FIELD(pa_buffer_attr, maxlength);
FIELD(pa_buffer_attr, tlength);
FIELD(pa_buffer_attr, prebuf);
FIELD(pa_buffer_attr, minreq);
FIELD(pa_buffer_attr, fragsize);

FIELD(pa_timing_info, sink_usec);
FIELD(pa_timing_info, source_usec);
FIELD(pa_timing_info, transport_usec);
FIELD(pa_timing_info, write_index_corrupt);
FIELD(pa_timing_info, write_index);
FIELD(pa_timing_info, read_index_corrupt);
FIELD(pa_timing_info, read_index);
FIELD(pa_timing_info, configured_sink_usec);
FIELD(pa_timing_info, since_underrun);
FIELD(pa_server_info, server_name);
FIELD(pa_server_info, default_sink_name);
FIELD(pa_server_info, default_source_name);
FIELD(pa_module_info, index);
FIELD(pa_module_info, name);
FIELD(pa_module_info, argument);
FIELD(pa_client_info, proplist);
FIELD(pa_sink_input_info, index);
FIELD(pa_sink_input_info, client);
FIELD(pa_sink_input_info, sink);
FIELD(pa_sink_input_info, volume);
FIELD(pa_sink_input_info, mute);
FIELD(pa_sink_input_info, proplist);
FIELD(pa_sink_input_info, corked);
FIELD(pa_sink_input_info, has_volume);
FIELD(pa_source_output_info, index);
FIELD(pa_source_output_info, client);
FIELD(pa_source_output_info, source);
FIELD(pa_source_output_info, resample_method);
FIELD(pa_source_output_info, proplist);
FIELD(pa_source_output_info, corked);
FIELD(pa_source_output_info, volume);
FIELD(pa_source_output_info, mute);
FIELD(pa_source_output_info, has_volume);
FIELD(pa_mainloop_api, time_free);
FIELD(pa_mainloop_api, defer_new);
FIELD(pa_mainloop_api, defer_free);

#define DEVICE_FIELD(field)                               \
  SAME_FIELD(pa_device_info, field, pa_sink_info, field); \
  SAME_FIELD(pa_device_info, field, pa_source_info, field)
DEVICE_FIELD(name);
DEVICE_FIELD(index);
DEVICE_FIELD(description);
DEVICE_FIELD(sample_spec);
DEVICE_FIELD(channel_map);
DEVICE_FIELD(owner_module);
DEVICE_FIELD(volume);
DEVICE_FIELD(mute);
DEVICE_FIELD(driver);
DEVICE_FIELD(flags);
DEVICE_FIELD(proplist);
DEVICE_FIELD(state);
DEVICE_FIELD(ports);
DEVICE_FIELD(active_port);
SAME_FIELD(pa_device_info, monitor_name, pa_sink_info, monitor_source_name);
SAME_FIELD(pa_device_info, monitor_name, pa_source_info, monitor_of_sink_name);
SAME_FIELD(pa_port_info, available, pa_sink_port_info, available);
SAME_FIELD(pa_port_info, available, pa_source_port_info, available);

VALUE(PA_CONTEXT_UNCONNECTED);
VALUE(PA_CONTEXT_READY);
VALUE(PA_CONTEXT_FAILED);
VALUE(PA_CONTEXT_TERMINATED);
VALUE(PA_CONTEXT_NOAUTOSPAWN);
VALUE(PA_STREAM_CREATING);
VALUE(PA_STREAM_READY);
VALUE(PA_STREAM_FAILED);
VALUE(PA_STREAM_TERMINATED);
VALUE(PA_OPERATION_RUNNING);
VALUE(PA_OPERATION_DONE);
VALUE(PA_OPERATION_CANCELLED);
VALUE(PA_STREAM_START_CORKED);
VALUE(PA_STREAM_DONT_MOVE);
VALUE(PA_STREAM_PEAK_DETECT);
VALUE(PA_STREAM_ADJUST_LATENCY);
VALUE(PA_STREAM_START_UNMUTED);
VALUE(PA_SEEK_RELATIVE);
VALUE(PA_SUBSCRIPTION_MASK_NULL);
VALUE(PA_SUBSCRIPTION_MASK_SINK);
VALUE(PA_SUBSCRIPTION_MASK_SOURCE);
VALUE(PA_SUBSCRIPTION_MASK_SINK_INPUT);
VALUE(PA_SUBSCRIPTION_MASK_SOURCE_OUTPUT);
VALUE(PA_SUBSCRIPTION_MASK_SERVER);
VALUE(PA_SUBSCRIPTION_MASK_CARD);
VALUE(PA_ERR_ACCESS);
VALUE(PA_ERR_INVALID);
VALUE(PA_ERR_NOENTITY);
VALUE(PA_ERR_CONNECTIONREFUSED);
VALUE(PA_ERR_PROTOCOL);
VALUE(PA_ERR_TIMEOUT);
VALUE(PA_ERR_AUTHKEY);
VALUE(PA_ERR_CONNECTIONTERMINATED);
VALUE(PA_ERR_KILLED);
VALUE(PA_ERR_INVALIDSERVER);
VALUE(PA_ERR_VERSION);
VALUE(PA_ERR_NOTSUPPORTED);
VALUE(PA_ERR_BUSY);
VALUE(PA_SAMPLE_U8);
VALUE(PA_SAMPLE_S16LE);
VALUE(PA_SAMPLE_FLOAT32LE);
VALUE(PA_SAMPLE_FLOAT32BE);
VALUE(PA_SAMPLE_S32LE);
VALUE(PA_SAMPLE_S32BE);
VALUE(PA_SAMPLE_S24LE);
VALUE(PA_SAMPLE_S24BE);
VALUE(PA_SAMPLE_S24_32LE);
VALUE(PA_SAMPLE_S24_32BE);
VALUE(PA_CHANNEL_POSITION_FRONT_LEFT);
VALUE(PA_CHANNEL_POSITION_FRONT_RIGHT);
VALUE(PA_CHANNEL_POSITION_FRONT_CENTER);
VALUE(PA_CHANNEL_POSITION_REAR_CENTER);
VALUE(PA_CHANNEL_POSITION_REAR_LEFT);
VALUE(PA_CHANNEL_POSITION_REAR_RIGHT);
VALUE(PA_CHANNEL_POSITION_LFE);
VALUE(PA_CHANNEL_POSITION_FRONT_LEFT_OF_CENTER);
VALUE(PA_CHANNEL_POSITION_FRONT_RIGHT_OF_CENTER);
VALUE(PA_CHANNEL_POSITION_SIDE_LEFT);
VALUE(PA_CHANNEL_POSITION_SIDE_RIGHT);
VALUE(PA_CHANNEL_POSITION_TOP_CENTER);
VALUE(PA_CHANNEL_POSITION_TOP_FRONT_LEFT);
VALUE(PA_CHANNEL_POSITION_TOP_FRONT_RIGHT);
VALUE(PA_CHANNEL_POSITION_TOP_FRONT_CENTER);
VALUE(PA_CHANNEL_POSITION_TOP_REAR_LEFT);
VALUE(PA_CHANNEL_POSITION_TOP_REAR_RIGHT);
VALUE(PA_CHANNEL_POSITION_TOP_REAR_CENTER);
static_assert(ours::kInvalidIndex == PA_INVALID_INDEX, "PA_INVALID_INDEX");
static_assert(ours::kNormalVolume == PA_VOLUME_NORM, "PA_VOLUME_NORM");
static_assert(ours::kChannelsMax == PA_CHANNELS_MAX, "PA_CHANNELS_MAX");
static_assert(ours::kDeviceIsHardware == PA_SINK_HARDWARE, "PA_SINK_HARDWARE");
static_assert(ours::kDeviceIsHardware == PA_SOURCE_HARDWARE, "PA_SOURCE_HARDWARE");
static_assert(ours::kDeviceIsNetwork == PA_SINK_NETWORK, "PA_SINK_NETWORK");
static_assert(ours::kDeviceIsNetwork == PA_SOURCE_NETWORK, "PA_SOURCE_NETWORK");
static_assert(ours::kPortNotAvailable == PA_PORT_AVAILABLE_NO, "PA_PORT_AVAILABLE_NO");

// Parameters pass alike when both are pointers, or both are not and of one size.
template <typename A, typename B>
constexpr bool alike() {
  if constexpr (std::is_void_v<A> || std::is_void_v<B>) {
    return std::is_void_v<A> && std::is_void_v<B>;
  } else {
    return std::is_pointer_v<A> == std::is_pointer_v<B> && sizeof(A) == sizeof(B);
  }
}
template <typename A, typename B>
struct SameShape : std::false_type {};
template <typename A, typename... As, typename B, typename... Bs>
struct SameShape<A (*)(As...), B (*)(Bs...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(As) == sizeof...(Bs)) {
      return alike<A, B>() && (alike<As, Bs>() && ...);
    } else {
      return false;
    }
  }();
};

#define SAME_SHAPE(result, name, parameters) \
  static_assert(SameShape<decltype(ours::LibPulse::name), decltype(&::name)>::value, #name);
PATCHCORD_LIBPULSE_FUNCTIONS(SAME_SHAPE)

TEST("libpulse: the compiler compared our declarations with the headers") {
  const ours::LibPulse* library = nullptr;
  CHECK(!ours::load_libpulse(&library));
  CHECK(library != nullptr);
}

#else

TEST("libpulse: without its headers only loading is tested") {
  std::printf("absent: libpulse-dev (no pulse/pulseaudio.h): our declarations are not compared\n");
  const patchcord::pulse::LibPulse* library = nullptr;
  const patchcord::Error error = patchcord::pulse::load_libpulse(&library);
  CHECK(!error || !error.remedy.empty());
}

#endif
