// The device lists of Windows with a virtual cable: plain, renamed, translated, several at once. Names
// and hardware ids as users and installers report them; they have not been checked on real machines.
import type { VirtualMic } from 'patchcord';

export interface Origin {
  parent?: string;
  maker?: string;
  hardwareId?: string;
}

export interface Setup {
  name: string;
  /** Ends of one device: [flow, name]. */
  devices: { of: Origin; ends: ['output' | 'input', string][] }[];
  /** By name of the output: [driver, product, microphone, recognised by, paired by]. */
  expected: Record<string, Expected>;
}

export type Expected = [
  VirtualMic['driver'],
  string,
  string | undefined,
  VirtualMic['recognisedBy'],
  VirtualMic['pairedBy'],
];

const root = (number: number): string => `ROOT\\MEDIA\\000${number}`;

export const setups: Setup[] = [
  {
    name: 'VB-CABLE',
    devices: [
      {
        of: { parent: root(0), maker: 'VB-Audio Virtual Cable', hardwareId: 'VBAudioVACWDM' },
        ends: [
          ['output', 'CABLE Input (VB-Audio Virtual Cable)'],
          ['output', 'CABLE In 16 Ch (VB-Audio Virtual Cable)'],
          ['input', 'CABLE Output (VB-Audio Virtual Cable)'],
        ],
      },
    ],
    expected: {
      'CABLE Input (VB-Audio Virtual Cable)': [
        'vb-cable',
        'VB-CABLE',
        'CABLE Output (VB-Audio Virtual Cable)',
        'hardware-id',
        'parent',
      ],
      'CABLE In 16 Ch (VB-Audio Virtual Cable)': [
        'vb-cable',
        'VB-CABLE',
        'CABLE Output (VB-Audio Virtual Cable)',
        'hardware-id',
        'parent',
      ],
    },
  },
  {
    name: 'VB-CABLE with 16 channels at both ends',
    devices: [
      {
        of: { parent: root(0), hardwareId: 'VBAudioVACWDM' },
        ends: [
          ['output', 'CABLE Input (VB-Audio Virtual Cable)'],
          ['output', 'CABLE In 16ch (VB-Audio Virtual Cable)'],
          ['input', 'CABLE Out 16ch (VB-Audio Virtual Cable)'],
          ['input', 'CABLE Output (VB-Audio Virtual Cable)'],
        ],
      },
    ],
    expected: {
      'CABLE Input (VB-Audio Virtual Cable)': [
        'vb-cable',
        'VB-CABLE',
        'CABLE Output (VB-Audio Virtual Cable)',
        'hardware-id',
        'name',
      ],
      'CABLE In 16ch (VB-Audio Virtual Cable)': [
        'vb-cable',
        'VB-CABLE',
        'CABLE Out 16ch (VB-Audio Virtual Cable)',
        'hardware-id',
        'name',
      ],
    },
  },
  {
    name: 'VB-CABLE A to D and Hi-Fi beside the plain one',
    devices: [
      ...['A', 'B', 'C', 'D'].map((letter, index) => ({
        of: {
          parent: root(index),
          maker: `VB-Audio Cable ${letter}`,
          hardwareId: `VBAudioVAC${letter}WDM`,
        },
        ends: [
          ['output', `CABLE-${letter} Input (VB-Audio Cable ${letter})`],
          ['input', `CABLE-${letter} Output (VB-Audio Cable ${letter})`],
        ] as Setup['devices'][0]['ends'],
      })),
      {
        of: { parent: root(5), maker: 'VB-Audio Hi-Fi Cable', hardwareId: 'VBAudioHFVAIO' },
        ends: [
          ['output', 'Hi-Fi Cable Input (VB-Audio Hi-Fi Cable)'],
          ['input', 'Hi-Fi Cable Output (VB-Audio Hi-Fi Cable)'],
        ],
      },
      {
        of: { parent: root(6), maker: '2- VB-Audio Virtual Cable' },
        ends: [
          ['output', 'CABLE Input (2- VB-Audio Virtual Cable)'],
          ['input', 'CABLE Output (2- VB-Audio Virtual Cable)'],
        ],
      },
    ],
    expected: {
      ...Object.fromEntries(
        ['A', 'B', 'C', 'D'].map((letter) => [
          `CABLE-${letter} Input (VB-Audio Cable ${letter})`,
          [
            'vb-cable',
            `VB-CABLE ${letter}`,
            `CABLE-${letter} Output (VB-Audio Cable ${letter})`,
            'hardware-id',
            'parent',
          ] as Expected,
        ]),
      ),
      'Hi-Fi Cable Input (VB-Audio Hi-Fi Cable)': [
        'vb-cable',
        'VB Hi-Fi Cable',
        'Hi-Fi Cable Output (VB-Audio Hi-Fi Cable)',
        'hardware-id',
        'parent',
      ],
      'CABLE Input (2- VB-Audio Virtual Cable)': [
        'vb-cable',
        'VB-CABLE',
        'CABLE Output (2- VB-Audio Virtual Cable)',
        'driver-name',
        'parent',
      ],
    },
  },
  {
    name: 'a cable whose ends were renamed, in German',
    devices: [
      {
        of: { parent: root(0), maker: 'VB-Audio Virtual Cable', hardwareId: 'VBAudioVACWDM' },
        ends: [
          ['output', 'Lautsprecher Konferenz (VB-Audio Virtual Cable)'],
          ['input', 'Roboter (VB-Audio Virtual Cable)'],
        ],
      },
      {
        of: {
          parent: 'USB\\VID_046D&PID_0A44\\1',
          maker: 'USB Audio',
          hardwareId: 'USB\\VID_046D',
        },
        ends: [
          ['output', 'CABLE Input (USB Audio)'],
          ['input', 'CABLE Output (USB Audio)'],
        ],
      },
    ],
    expected: {
      'Lautsprecher Konferenz (VB-Audio Virtual Cable)': [
        'vb-cable',
        'VB-CABLE',
        'Roboter (VB-Audio Virtual Cable)',
        'hardware-id',
        'parent',
      ],
    },
  },
  {
    name: 'names alone, where the system tells nothing else',
    devices: [
      { of: { parent: root(0) }, ends: [['output', 'CABLE_Input']] },
      { of: { parent: root(1), maker: 'Sound' }, ends: [['input', 'CABLE_Output']] },
      { of: {}, ends: [['output', 'BlackHole 2ch']] },
      { of: {}, ends: [['input', 'BlackHole 2ch']] },
      { of: {}, ends: [['output', 'Loopback Audio']] },
      { of: {}, ends: [['input', 'Loopback Audio']] },
    ],
    expected: {
      CABLE_Input: ['vb-cable', 'VB-CABLE', 'CABLE_Output', 'name', 'name'],
      'BlackHole 2ch': ['blackhole', 'BlackHole', 'BlackHole 2ch', 'name', 'name'],
      'Loopback Audio': ['loopback', 'Loopback', 'Loopback Audio', 'name', 'name'],
    },
  },
  {
    name: 'Virtual Audio Cable with two lines',
    devices: [
      {
        of: { parent: root(0), maker: 'Virtual Audio Cable' },
        ends: [
          ['output', 'Line 1 (Virtual Audio Cable)'],
          ['input', 'Line 1 (Virtual Audio Cable)'],
          ['output', 'Line 2 (Virtual Audio Cable)'],
          ['input', 'Line 2 (Virtual Audio Cable)'],
        ],
      },
    ],
    expected: {
      'Line 1 (Virtual Audio Cable)': [
        'virtual-audio-cable',
        'Virtual Audio Cable',
        'Line 1 (Virtual Audio Cable)',
        'driver-name',
        'name',
      ],
      'Line 2 (Virtual Audio Cable)': [
        'virtual-audio-cable',
        'Virtual Audio Cable',
        'Line 2 (Virtual Audio Cable)',
        'driver-name',
        'name',
      ],
    },
  },
  {
    name: 'Virtual Audio Cable with two lines, one end of each renamed: nobody can tell',
    devices: [
      {
        of: { parent: root(0), maker: 'Virtual Audio Cable' },
        ends: [
          ['output', 'Robot out (Virtual Audio Cable)'],
          ['input', 'Line 1 (Virtual Audio Cable)'],
          ['input', 'Line 2 (Virtual Audio Cable)'],
        ],
      },
    ],
    expected: {
      'Robot out (Virtual Audio Cable)': [
        'virtual-audio-cable',
        'Virtual Audio Cable',
        undefined,
        'driver-name',
        undefined,
      ],
    },
  },
  {
    name: 'Scream, which no microphone hears',
    devices: [
      {
        of: { parent: root(0), maker: 'Scream (WDM)', hardwareId: '*Scream' },
        ends: [['output', 'Speakers (Scream (WDM))']],
      },
    ],
    expected: {
      'Speakers (Scream (WDM))': ['scream', 'Scream', undefined, 'hardware-id', undefined],
    },
  },
  {
    name: 'VoiceMeeter Banana before its new names',
    devices: [
      {
        of: { parent: root(0), maker: 'VB-Audio VoiceMeeter VAIO', hardwareId: 'VBAudioVMVAIO' },
        ends: [
          ['output', 'VoiceMeeter Input (VB-Audio VoiceMeeter VAIO)'],
          ['input', 'VoiceMeeter Output (VB-Audio VoiceMeeter VAIO)'],
        ],
      },
      {
        of: {
          parent: root(1),
          maker: 'VB-Audio VoiceMeeter AUX VAIO',
          hardwareId: 'VBAudioVMAUXVAIO',
        },
        ends: [
          ['output', 'VoiceMeeter Aux Input (VB-Audio VoiceMeeter AUX VAIO)'],
          ['input', 'VoiceMeeter Aux Output (VB-Audio VoiceMeeter AUX VAIO)'],
        ],
      },
    ],
    expected: {
      'VoiceMeeter Input (VB-Audio VoiceMeeter VAIO)': [
        'voicemeeter',
        'VoiceMeeter',
        'VoiceMeeter Output (VB-Audio VoiceMeeter VAIO)',
        'hardware-id',
        'hardware-id',
      ],
      // Its strip is on B1 as well unless somebody switched it.
      'VoiceMeeter Aux Input (VB-Audio VoiceMeeter AUX VAIO)': [
        'voicemeeter',
        'VoiceMeeter AUX',
        'VoiceMeeter Output (VB-Audio VoiceMeeter VAIO)',
        'hardware-id',
        'hardware-id',
      ],
    },
  },
  {
    name: 'VoiceMeeter Potato with its new names',
    devices: [
      {
        of: { parent: root(0), maker: 'VB-Audio Voicemeeter VAIO', hardwareId: 'VBAudioVMVAIO' },
        ends: [
          ['output', 'Voicemeeter Input (VB-Audio Voicemeeter VAIO)'],
          ['output', 'Voicemeeter AUX Input (VB-Audio Voicemeeter VAIO)'],
          ['output', 'Voicemeeter VAIO3 Input (VB-Audio Voicemeeter VAIO)'],
          ['output', 'Voicemeeter In 3 (VB-Audio Voicemeeter VAIO)'],
          ['input', 'Voicemeeter Out A1 (VB-Audio Voicemeeter VAIO)'],
          ['input', 'Voicemeeter Out B1 (VB-Audio Voicemeeter VAIO)'],
          ['input', 'Voicemeeter Out B2 (VB-Audio Voicemeeter VAIO)'],
          ['input', 'Voicemeeter Out B3 (VB-Audio Voicemeeter VAIO)'],
        ],
      },
    ],
    expected: Object.fromEntries(
      ['Input', 'AUX Input', 'VAIO3 Input', 'In 3'].map((strip) => [
        `Voicemeeter ${strip} (VB-Audio Voicemeeter VAIO)`,
        [
          'voicemeeter',
          'VoiceMeeter',
          'Voicemeeter Out B1 (VB-Audio Voicemeeter VAIO)',
          'hardware-id',
          'hardware-id',
        ] as Expected,
      ]),
    ),
  },
  {
    name: 'nothing but hardware',
    devices: [
      {
        of: {
          parent: 'HDAUDIO\\FUNC_01\\4',
          maker: 'Realtek(R) Audio',
          hardwareId: 'HDAUDIO\\FUNC_01',
        },
        ends: [
          ['output', 'Speakers (Realtek(R) Audio)'],
          ['input', 'Microphone (Realtek(R) Audio)'],
        ],
      },
    ],
    expected: {},
  },
];

/** Converts a list to the shape of `expected`. */
export function told(mics: readonly VirtualMic[]): Record<string, Expected> {
  return Object.fromEntries(
    mics.map(({ render, driver, product, capture, recognisedBy, pairedBy }) => [
      render.name,
      [driver, product, capture?.name, recognisedBy, pairedBy] as Expected,
    ]),
  );
}
