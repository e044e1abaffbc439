// Named exports only. Importing loads no native code: first use does.
export type { AudioStream } from './streams/audio-stream.js';
export type { Opened } from './devices/opened.js';
export { AudioReadable, type AudioReadableEvents } from './streams/audio-readable.js';
export type { BackendName, BackendOption, SimulatedBackend } from './engine/backend.js';
export type { ChannelMap } from './format/channel-map.js';
export type { ChunkOptions } from './streams/chunker.js';
export type {
  DeviceChange,
  DeviceChangeReason,
  DeviceEvents,
  RecoverOptions,
} from './devices/device-keeper.js';
export {
  DeviceMonitor,
  getDefaultDevice,
  listDevices,
  type AudioDevice,
  type DefaultChange,
  type DeviceMonitorEvents,
  type DeviceRole,
  type DeviceSelector,
  type DeviceState,
  type DeviceTransport,
  type ListDevicesOptions,
} from './devices/devices.js';
export { AudioError, type AudioErrorCode, type AudioErrorDetails } from './errors.js';
export {
  withFormat,
  type AudioFormat,
  type FormatOptions,
  type SampleFormat,
} from './format/format.js';
export type {
  DuckOptions,
  MixerInput,
  MixerInputOptions,
  MixerInputStats,
  RampOptions,
} from './mixer/mixer-input.js';
export { Mixer, type MixerEvents, type MixerOptions, type MixerStats } from './mixer/mixer.js';
export { captureMeeting } from './meeting/capture-meeting.js';
export type { SideChange, SideState } from './meeting/condition.js';
export type { MeetingEchoOptions } from './meeting/feed.js';
export type { MeetingFileOptions, MeetingFiles } from './meeting/files.js';
export type { StrategyChange } from './meeting/ladder.js';
export type { Strategy } from './meeting/strategies.js';
export type { Meeting, MeetingEvents, MeetingStats, MeetingTracks } from './meeting/meeting.js';
export type {
  MeetingGains,
  MeetingMicOptions,
  MeetingMode,
  MeetingOptions,
  MeetingSystemOptions,
} from './meeting/options.js';
export type {
  MeetingSide,
  MeetingSideEvents,
  MeetingTrack,
  MeetingTrackStats,
} from './meeting/track.js';
export type { ForkFunction, Isolation } from './isolation/start-child.js';
export type {
  Granted,
  MicApi,
  MicWishes,
  OpenOptions,
  StreamCategory,
} from './devices/open-options.js';
export type { AudioChunk } from './streams/chunk-reader.js';
export type { Discontinuity, LinkStats } from './streams/outlet.js';
export { chunkFlags } from './streams/chunk-flags.js';
export type { ProcessSelector } from './devices/process-selector.js';
export {
  listAudioProcesses,
  ProcessMonitor,
  type AudioProcess,
  type ListProcessesOptions,
  type ProcessMonitorEvents,
  type ProcessMonitorOptions,
} from './devices/processes.js';
export { AudioSink } from './sinks/audio-sink.js';
export type { SinkEvents, SinkStats } from './sinks/sink-reports.js';
export type { SinkWarning } from './sinks/hearing-watch.js';
export type { SinkOptions } from './sinks/sink-options.js';
export { SpeakerSink, type SpeakerOptions } from './sinks/speaker-sink.js';
export { VirtualMicSink, type VirtualMicOptions } from './sinks/virtual-mic-sink.js';
export { WavWriter, type WavWriterOptions, type WavWriterStats } from './sinks/wav-writer.js';
export { AudioSource } from './sources/audio-source.js';
export type { SourceOptions } from './sources/source-options.js';
export type { DeadEvidence, SourceEvents, SourceStats } from './sources/source-reports.js';
export { LoopbackSource, type LoopbackOptions } from './sources/loopback-source.js';
export { MicSource, type MicOptions } from './sources/mic-source.js';
export {
  ProcessSource,
  type ProcessOptions,
  type ProcessSourceEvents,
  type ProcessTap,
} from './sources/process-source.js';
export {
  VirtualSpeakerSource,
  type VirtualSpeakerEvents,
  type VirtualSpeakerOptions,
} from './sources/virtual-speaker-source.js';
export { ToneSource, type ToneSourceOptions } from './sources/tone-source.js';
export type {
  ChunkIterator,
  EmitterEvents,
  Listener,
  ReadableEvents,
  WritableEvents,
} from './engine/typed-events.js';
export {
  AudioTransform,
  type TransformEvents,
  type TransformOptions,
  type TransformStats,
} from './transforms/audio-transform.js';
export type { ConversionOptions } from './transforms/conversion.js';
export {
  convert,
  fromFloat32,
  toFloat32,
  type ConvertOptions,
  type PartialFormat,
} from './transforms/convert.js';
export {
  EchoCanceller,
  type EchoCancellerEvents,
  type EchoCancellerOptions,
  type EchoCancellerStats,
  type EchoWarning,
} from './transforms/echo-canceller.js';
export { Gain, type GainOptions } from './transforms/gain.js';
export {
  LevelMeter,
  type LevelMeterEvents,
  type LevelMeterOptions,
  type LevelReport,
} from './transforms/level-meter.js';
export { Limiter, type LimiterOptions, type LimiterStats } from './transforms/limiter.js';
export {
  LoudnessNormalizer,
  type LoudnessNormalizerOptions,
  type LoudnessNormalizerStats,
} from './transforms/loudness-normalizer.js';
export { Resampler, type ResamplerOptions } from './transforms/resampler.js';
export {
  WavEncoder,
  type WavEncoderEvents,
  type WavEncoderOptions,
} from './transforms/wav-encoder.js';
export type { WavWarning } from './transforms/wav-parser.js';
export {
  WavReader,
  type WavReaderEvents,
  type WavReaderOptions,
  type WavReaderStats,
} from './transforms/wav-reader.js';
export { getCapabilities, type Capabilities, type Capability } from './capabilities.js';
export {
  listVirtualMics,
  type VirtualMic,
  type VirtualMicDriver,
  type VirtualMicEvidence,
} from './devices/virtual-mics.js';
