import type { ChildEnvironment } from '../devices/made-device.js';
import type { NativeDevice } from '../engine/native.js';

/** The output that a sink plays to, and the microphone that carries its sound. */
export interface Ends {
  renderId: string;
  device: NativeDevice | undefined;
  microphone: NativeDevice | undefined;
}

/** The output that a sink has found or created. */
export interface Destination extends Ends {
  release?: () => Promise<void>;
  /** Variables with which a child process records from the microphone. */
  environment?: ChildEnvironment;
}
