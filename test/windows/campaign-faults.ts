// The faults of the campaign: every call that the addon makes, every state of a stream, and everything that
// a world can do to a device. A list, so that a seed chooses from it and a number names one.
import type { AudioErrorCode } from 'patchcord';

export type Kind = 'microphone' | 'loopback' | 'output';

/** Where the fault finds the stream. */
export type State =
  'before it opens' | 'while it flows' | 'while nobody reads it' | 'while it closes';

export interface CampaignFault {
  kind: Kind;
  state: State;
  /** Commands of mmdevapi-control.mjs; `<d>` is the device. */
  commands: readonly string[];
  /** Codes of the error that ends the stream (while it closes: that may); empty: it survives. */
  ends: readonly AudioErrorCode[];
  /** The stream waits for its device, which these bring back. Without them, `recover` is false. */
  returns?: readonly string[];
  /** Frames that the device loses, where that is known. */
  lost?: number;
  /** The device's, instead of 48 kHz, stereo, f32. */
  format?: string;
}

const kinds: readonly Kind[] = ['microphone', 'loopback', 'output'];
const flowing: readonly State[] = ['while it flows', 'while nobody reads it'];

// Windows' results, and the error codes for them.
const results: readonly [hresult: string, code: AudioErrorCode][] = [
  ['0x88890004', 'ERR_AUDIO_DEVICE_LOST'], // DEVICE_INVALIDATED
  ['0x88890026', 'ERR_AUDIO_DEVICE_LOST'], // RESOURCES_INVALIDATED
  ['0x88890010', 'ERR_AUDIO_BACKEND_UNAVAILABLE'], // SERVICE_NOT_RUNNING
  ['0x80070005', 'ERR_AUDIO_PERMISSION_DENIED'], // E_ACCESSDENIED
  ['0x8889000A', 'ERR_AUDIO_DEVICE_BUSY'], // DEVICE_IN_USE
  ['0x8007000E', 'ERR_AUDIO_BACKEND'], // E_OUTOFMEMORY
  ['0x80070057', 'ERR_AUDIO_BACKEND'], // E_INVALIDARG
  ['0x88890008', 'ERR_AUDIO_FORMAT_UNSUPPORTED'], // UNSUPPORTED_FORMAT
  ['0x8889000F', 'ERR_AUDIO_DEVICE_LOST'], // ENDPOINT_CREATE_FAILED
  ['0x88890018', 'ERR_AUDIO_DEVICE_LOST'], // BUFFER_ERROR
];
// A stream that waits for its device waits no longer.
const final: readonly AudioErrorCode[] = [
  'ERR_AUDIO_PERMISSION_DENIED',
  'ERR_AUDIO_FORMAT_UNSUPPORTED',
];

const openCalls = [
  'IMMDeviceEnumerator::GetDevice',
  'IMMDevice::Activate',
  'IAudioClient::GetMixFormat',
  'IAudioClient::GetDevicePeriod',
  'IAudioClient::Initialize',
  'IAudioClient::SetEventHandle',
  'IAudioClient::GetBufferSize',
  'IAudioClient::GetService',
  'IAudioClient::Start',
];
const ofKind: Record<Kind, { open: readonly string[]; flow: readonly string[] }> = {
  microphone: { open: [], flow: ['IAudioCaptureClient::GetBuffer'] },
  loopback: { open: [], flow: ['IAudioCaptureClient::GetBuffer'] },
  output: {
    open: ['IAudioClock::GetFrequency'],
    flow: [
      'IAudioClient::GetCurrentPadding',
      'IAudioRenderClient::GetBuffer',
      'IAudioRenderClient::ReleaseBuffer',
    ],
  },
};

// Listing finds the device by its id: one that cannot be read is not there.
const listCalls: readonly [call: string, unreadable: boolean][] = [
  ['IMMDeviceEnumerator::EnumAudioEndpoints', false],
  ['IMMDeviceCollection::GetCount', false],
  ['IMMDeviceCollection::Item', true],
  ['IMMDevice::GetId', true],
  ['IMMDevice::GetState', true],
  ['IMMEndpoint::GetDataFlow', true],
];

// Windows fails these, and the stream does without.
const dispensable = [
  'IMMDevice::OpenPropertyStore',
  'IPropertyStore::GetValue',
  'IAudioClient2::SetClientProperties',
  'IAudioEffectsManager::GetAudioEffects',
  'IAudioEndpointVolume::GetMute',
  'IAudioEndpointVolume::GetMasterVolumeLevelScalar',
  'IAudioMeterInformation::GetPeakValue',
];

// Events of a device with a stream.
const happenings: readonly (Pick<CampaignFault, 'commands' | 'ends' | 'lost'> & {
  kinds?: readonly Kind[];
})[] = [
  { commands: ['unplug <d>'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['remove <d>'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['state <d> disabled'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['state <d> notpresent'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['format <d> 44100 1 s16'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['unplug <d>', 'plug <d>'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['service stopped'], ends: ['ERR_AUDIO_BACKEND_UNAVAILABLE'] },
  { commands: ['service stopped', 'service running'], ends: ['ERR_AUDIO_BACKEND_UNAVAILABLE'] },
  {
    commands: Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0
        ? ['default <d> console', 'default <d> communications']
        : ['default <other> console'],
    ).flat(),
    ends: [],
  },
  { commands: ['deny <d>'], ends: [] },
  { commands: ['stamps <d> wrong'], ends: [] },
  { commands: ['stamps <d> 30'], ends: [] },
  { commands: ['stamps <d> 5000'], ends: [] },
  { commands: ['stamps <d> -5000'], ends: [] },
  { commands: ['stamps <d> 0 5'], ends: [] },
  { commands: ['drift <d> 500'], ends: [] },
  { commands: ['drift <d> -500'], ends: [] },
  { commands: ['late <d> 60'], ends: [] },
  { commands: ['jitter <d> 15'], ends: [] },
  { commands: ['stall <d>', 'resume <d>'], ends: [] },
  ...[1, 7, 479, 480, 1500, 24_000].map((frames) => ({
    commands: [`glitch <d> ${frames}`],
    ends: [],
    lost: frames,
    kinds: ['microphone'] as const,
  })),
];

// Commands that remove a device, and that bring it back.
const absences: readonly [commands: readonly string[], returns: readonly string[]][] = [
  [['unplug <d>'], ['plug <d>']],
  [['state <d> disabled'], ['state <d> active']],
  [['state <d> notpresent'], ['state <d> active']],
  [['format <d> 44100 1 s16'], []],
  [['format <d> 96000 6 s24'], []],
  [['service stopped'], ['service running']],
  [
    ['unplug <d>', 'service stopped'],
    ['service running', 'plug <d>'],
  ],
];

// Whichever is first: a source that is closed is over, an output still plays what it was given.
const closing: readonly Pick<CampaignFault, 'commands' | 'ends'>[] = [
  { commands: ['fail <d> IAudioClient::Stop 0x88890004'], ends: [] },
  { commands: ['unplug <d>'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['remove <d>'], ends: ['ERR_AUDIO_DEVICE_LOST'] },
  { commands: ['service stopped'], ends: ['ERR_AUDIO_BACKEND_UNAVAILABLE'] },
];

const formats = ['s16', 's24', 's32', 'f32', 's24in32'].flatMap((sampleFormat) =>
  [
    [8000, 1],
    [16_000, 1],
    [44_100, 2],
    [48_000, 6],
    [96_000, 4],
    [192_000, 8],
  ].map(([rate, channels]) => `${rate} ${channels} ${sampleFormat}`),
);

/** All of them, always in the same order. */
export function allFaults(): CampaignFault[] {
  return kinds.flatMap((kind) => [
    ...listCalls.flatMap(([call, unreadable]) =>
      failing(kind, call, (code) => (unreadable ? [code, 'ERR_AUDIO_DEVICE_NOT_FOUND'] : [code])),
    ),
    ...[...openCalls, ...ofKind[kind].open].flatMap((call) =>
      failing(kind, call, (code, hresult) => endsOf(call, code, hresult)),
    ),
    ...dispensable.map((call) => ({
      kind,
      state: 'before it opens' as const,
      commands: [`fail * ${call} 0x80004005`],
      ends: [],
    })),
    ...flowing.flatMap((state) => [
      ...ofKind[kind].flow.flatMap((call) =>
        results.map(([hresult, code], i) => ({
          kind,
          state,
          commands: [`fail <d> ${call} ${hresult} after ${7 * i}`],
          ends: [code],
        })),
      ),
      ...survivedCalls(kind).map((command) => ({ kind, state, commands: [command], ends: [] })),
      ...happenings
        .filter((one) => one.kinds?.includes(kind) ?? true)
        .map(({ commands, ends, lost }) => ({ kind, state, commands, ends, lost })),
    ]),
    ...flowing.flatMap((state) => [
      ...absences.map(([commands, returns]) => ({ kind, state, commands, ends: [], returns })),
      ...ofKind[kind].flow.flatMap((call) =>
        results.map(([hresult], i) => ({
          kind,
          state,
          commands: [`fail <d> ${call} ${hresult} after ${7 * i} times 1`],
          ends: [],
          returns: [],
        })),
      ),
      // It is back, and cannot be opened yet.
      ...[...openCalls, ...ofKind[kind].open].flatMap((call) =>
        results
          .filter(([, code]) => !final.includes(code))
          .map(([hresult]) => ({
            kind,
            state,
            commands: [`fail <d> ${call} ${hresult}`, 'unplug <d>'],
            ends: [],
            returns: ['plug <d>', 'mend'],
          })),
      ),
    ]),
    ...closing.map(({ commands, ends }) => ({
      kind,
      state: 'while it closes' as const,
      commands,
      ends,
    })),
    ...formats.map((format) => ({
      kind,
      state: 'while it flows' as const,
      commands: ['late <d> 20'],
      ends: [],
      format,
    })),
  ]);
}

function failing(
  kind: Kind,
  call: string,
  ends: (code: AudioErrorCode, hresult: string) => readonly AudioErrorCode[],
): CampaignFault[] {
  return results.map(([hresult, code]) => ({
    kind,
    state: 'before it opens',
    commands: [`fail * ${call} ${hresult}`],
    ends: ends(code, hresult),
  }));
}

function endsOf(call: string, code: AudioErrorCode, hresult: string): readonly AudioErrorCode[] {
  // An id that is none.
  if (call === 'IMMDeviceEnumerator::GetDevice' && hresult === '0x80070057')
    return ['ERR_AUDIO_DEVICE_NOT_FOUND'];
  // A mix that is no format of the engine is converted by Windows.
  if (call === 'IAudioClient::GetMixFormat' && code === 'ERR_AUDIO_FORMAT_UNSUPPORTED') return [];
  return [code];
}

// Once, and the next call goes well.
function survivedCalls(kind: Kind): string[] {
  if (kind === 'output') {
    return [
      'fail <d> IAudioClock::GetPosition 0x00000001', // S_FALSE: the driver was busy
      'fail <d> IAudioClock::GetPosition 0x80004005',
      'fail <d> IAudioRenderClient::GetBuffer 0x8889000B times 3', // BUFFER_OPERATION_PENDING
    ];
  }
  return [
    'fail <d> IAudioCaptureClient::GetBuffer 0x08890001 times 5', // S_BUFFER_EMPTY: an event without a packet
    'fail <d> IAudioCaptureClient::GetBuffer 0x8889000B times 3',
    'fail <d> IAudioCaptureClient::ReleaseBuffer 0x80004005 times 1', // then OUT_OF_ORDER
  ];
}
