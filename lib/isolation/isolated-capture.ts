import {
  native,
  type NativePushed,
  type NativeSelection,
  type NativeStreamInfo,
  type NativeTapEvent,
} from '../engine/native.js';
import type { AudioError } from '../errors.js';
import { ChildLink } from './child-link.js';
import {
  decode,
  decodePacket,
  fromRecord,
  kinds,
  type DeviceState,
  type ErrorRecord,
  type Message,
  type OpenRequest,
} from './messages.js';
import type { ForkFunction } from './start-child.js';

// A thread of the engine looks more often. Here each look wakes the process.
const idleMs = 100;
// A child that does not answer is noticed later. The end of a stream does not wait for that.
const flushMs = 500;

/** The events of a device that a child process holds. */
export interface IsolatedListener {
  /** The child has lost the device, or has ended. Not called before `opened` resolves. */
  lost(error: AudioError): void;
  /** The capture of a program has begun or ended. */
  tap(event: NativeTapEvent): void;
}

/** A device that another process holds. */
export interface IsolatedDevice {
  /** The stream of the engine that its packets go to. */
  readonly pushed: NativePushed;
  /** The description of the open device. Rejects if it cannot be opened. */
  readonly opened: Promise<NativeStreamInfo>;
  /** Sets how many ms of frames the other process collects before it sends them; 0 if they have a deadline. */
  collect(ms: number): void;
  /** Resolves when all frames that the other process has collected have arrived. */
  flush(): Promise<void>;
  /** Changes the programs that are captured. */
  select(programs: NativeSelection): void;
  /** Resolves when the device is free. */
  close(): Promise<void>;
}

/** One device that a child process holds, and the stream of the engine that its packets go to. */
export class IsolatedCapture implements IsolatedDevice {
  readonly pushed: NativePushed = new (native().Pushed)();
  readonly opened: Promise<NativeStreamInfo>;
  readonly #request: OpenRequest;
  readonly #link: ChildLink;
  readonly #listener: IsolatedListener;
  readonly #idle: NodeJS.Timeout | undefined;
  #settle!: { resolve(info: NativeStreamInfo): void; reject(error: AudioError): void };
  #flushed: (() => void) | undefined;
  #collectMs = 0;
  #isOpen = false;
  #delivers = false;

  /** @throws `ERR_AUDIO_UNSUPPORTED` */
  constructor(request: OpenRequest, fork: ForkFunction | undefined, listener: IsolatedListener) {
    this.#request = request;
    this.#listener = listener;
    this.opened = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#link = new ChildLink(fork, {
      message: (message) => this.#receive(message),
      ended: (error) => this.#fail(error),
    });
    this.#link.send(kinds.open, request);
    // A loopback delivers packets of silence. A microphone that delivers nothing is to be noticed.
    if (!request.loopback) {
      this.#idle = setInterval(() => {
        if (this.#isOpen && !this.#delivers) this.pushed.idle();
        this.#delivers = false;
      }, idleMs);
      this.#idle.unref();
    }
  }

  collect(ms: number): void {
    if (ms === this.#collectMs) return;
    this.#collectMs = ms;
    this.#link.send(kinds.collect, ms);
  }

  flush(): Promise<void> {
    if (this.#collectMs === 0 || !this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, flushMs);
      this.#flushed = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#link.send(kinds.flush, null);
    });
  }

  select(programs: NativeSelection): void {
    this.#link.send(kinds.select, programs);
  }

  close(): Promise<void> {
    clearInterval(this.#idle);
    return this.#link.close();
  }

  #receive(message: Message): void {
    const { kind } = message;
    if (kind === kinds.packet) {
      const { samples, frames, frame, time } = decodePacket(message, this.#request.channels);
      this.#delivers = true;
      this.pushed.packet(samples, frames, frame, time);
    } else if (kind === kinds.state) {
      const { muted, volume, peakDb } = decode(message) as DeviceState;
      if (volume === undefined) return;
      this.pushed.state(muted, volume, peakDb === undefined ? -1 : 10 ** (peakDb / 20));
    } else if (kind === kinds.tap) {
      this.#listener.tap(decode(message) as NativeTapEvent);
    } else if (kind === kinds.flush) {
      this.#flushed?.();
    } else if (kind === kinds.opened) {
      this.#isOpen = true;
      this.#settle.resolve(decode(message) as NativeStreamInfo);
    } else if (kind === kinds.failed) {
      this.#fail(fromRecord(decode(message) as ErrorRecord));
    }
  }

  #fail(error: AudioError): void {
    clearInterval(this.#idle);
    this.#flushed?.();
    void this.#link.close();
    if (this.#isOpen) this.#listener.lost(error);
    else this.#settle.reject(error);
  }
}
