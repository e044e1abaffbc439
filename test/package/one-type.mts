// A class has one type, whether `import` or `require` brings it. Other checks of the declarations are here too.
import type { AudioError, MicSource, Mixer } from 'patchcord';
import type { AudioError as RequiredError, MicSource as RequiredSource } from 'patchcord' with {
  'resolution-mode': 'require',
};

export const imported = (source: RequiredSource, error: RequiredError): [MicSource, AudioError] => [
  source,
  error,
];
export const required = (source: MicSource, error: AudioError): [RequiredSource, RequiredError] => [
  source,
  error,
];

// @ts-expect-error what is internal is not declared
export type Internal = Mixer['producer'];
