import type { ChildEnvironment } from '../devices/made-device.js';
import type { NativeDevice } from '../engine/native.js';

/** What a sink plays to, and the microphone that hears it. */
export interface Ends {
  renderId: string;
  device: NativeDevice | undefined;
  microphone: NativeDevice | undefined;
}

/** What was found or made to play to. */
export interface Destination extends Ends {
  release?: () => Promise<void>;
  /** Variables with which a child process records from the microphone. */
  environment?: ChildEnvironment;
}
