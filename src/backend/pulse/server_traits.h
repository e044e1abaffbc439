// The differences between the two servers that speak PulseAudio's protocol. Only this file knows
// which server it is: other code reads a trait, and the trait's comment says why.
#pragma once

#include <cstdint>

#include "../../core/time/clock.h"

namespace patchcord {
namespace pulse {

struct ServerTraits {
  // The driver in known_cables.cc that this server's null sinks belong to.
  const char* cable_driver;

  // A timestamp that is this far off, ns, shows that frames were dropped. PipeWire drops a block
  // when it is late and does not report it; its blocks have 256 frames or more. PulseAudio shows
  // missing frames by its index, and its own latency moves by more.
  double dropped_ns;

  // The clock may stand still together with the server's graph. Then the server reports how much of
  // the time was played without our data; otherwise our own clock shows it.
  bool graph_stops;

  // A null sink renders in steps of a whole request: what it skipped is a multiple of one.
  bool null_sink_has_grain;

  // A null sink that is idle renders two seconds ahead, unless it is loaded with `norewinds`.
  // PulseAudio knows that argument since 15.0.
  bool null_sink_renders_ahead;

  // The server later chooses a default without hardware again, unless that default was set
  // explicitly, even to the value that it had.
  bool defaults_need_writing;

  // Quotes and backslashes in a module's argument reach the device's name as they are, or are
  // removed twice, depending on the version (PipeWire before and since 0.3.66).
  bool quoting_varies;

  // The server lists the filters of a device as modules, so that it is known whether there are any.
  bool lists_filters;

  // A stream's move is reported before it is done, sometimes only as a change of the sinks, and on
  // a busy machine seconds before. So the streams are listed several times.
  bool moves_settle_late;

  // A recording of one stream follows that stream to another sink. Elsewhere the server ends it.
  bool taps_follow_moves;

  // The third recording of one connection, and those after it, come in bursts up to a second apart
  // (PipeWire 0.3.65); so does one beside a playback with short requests, whose sound is then
  // missing for seconds. Each recording then has its own connection; PipeWire has no limit of
  // connections that this comes near, PulseAudio has 64.
  bool recordings_need_connections;

  // The fragment size that gives packets of 10 ms in a recording of one stream: PulseAudio's
  // monitor blocks are half a fragment long.
  uint32_t tap_fragment_ms;
};

constexpr ServerTraits kPulseAudio{
    /*cable_driver=*/"pulseaudio",
    /*dropped_ns=*/60.0 * kNsPerMs,
    /*graph_stops=*/false,
    /*null_sink_has_grain=*/true,
    /*null_sink_renders_ahead=*/true,
    /*defaults_need_writing=*/false,
    /*quoting_varies=*/false,
    /*lists_filters=*/true,
    /*moves_settle_late=*/false,
    /*taps_follow_moves=*/false,
    /*recordings_need_connections=*/false,
    /*tap_fragment_ms=*/20,
};

constexpr ServerTraits kPipeWire{
    /*cable_driver=*/"pipewire",
    /*dropped_ns=*/4.0 * kNsPerMs,
    /*graph_stops=*/true,
    /*null_sink_has_grain=*/false,
    /*null_sink_renders_ahead=*/false,
    /*defaults_need_writing=*/true,
    /*quoting_varies=*/true,
    /*lists_filters=*/false,
    /*moves_settle_late=*/true,
    /*taps_follow_moves=*/true,
    /*recordings_need_connections=*/true,
    /*tap_fragment_ms=*/10,
};

}  // namespace pulse
}  // namespace patchcord
