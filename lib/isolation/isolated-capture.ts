import { native, type NativePushed, type NativeStreamInfo } from '../engine/native.js';
import type { AudioError } from '../errors.js';
import { ChildLink } from './child-link.js';
import {
  decodePacket,
  fromRecord,
  kinds,
  type DeviceState,
  type ErrorRecord,
  type Message,
  type OpenRequest,
} from './messages.js';
import type { ForkFunction } from './start-child.js';

const idleMs = 20;

/** One device that a child process holds, and the stream of the engine that its packets go to. */
export class IsolatedCapture {
  readonly pushed: NativePushed = new (native().Pushed)();
  /** The description of the open device by the child's engine. Rejects if it cannot be opened. */
  readonly opened: Promise<NativeStreamInfo>;
  readonly #request: OpenRequest;
  readonly #link: ChildLink;
  readonly #lost: (error: AudioError) => void;
  readonly #idle: NodeJS.Timeout | undefined;
  #settle!: { resolve(info: NativeStreamInfo): void; reject(error: AudioError): void };
  #isOpen = false;
  #delivers = false;

  /**
   * @param lost called when the child has lost the device, or has ended. Not called before `opened` resolves.
   * @throws `ERR_AUDIO_UNSUPPORTED`
   */
  constructor(
    request: OpenRequest,
    fork: ForkFunction | undefined,
    lost: (error: AudioError) => void,
  ) {
    this.#request = request;
    this.#lost = lost;
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

  /** Resolves when the device is free. */
  close(): Promise<void> {
    clearInterval(this.#idle);
    return this.#link.close();
  }

  #receive({ kind, body }: Message): void {
    if (kind === kinds.packet) {
      const packet = decodePacket(body, this.#request.channels);
      this.#delivers = true;
      this.pushed.packet(packet.samples, packet.frames, packet.frame, packet.time);
    } else if (kind === kinds.state) {
      const { muted, volume, peakDb } = JSON.parse(String(body)) as DeviceState;
      if (volume === undefined) return;
      this.pushed.state(muted, volume, peakDb === undefined ? -1 : 10 ** (peakDb / 20));
    } else if (kind === kinds.opened) {
      this.#isOpen = true;
      this.#settle.resolve(JSON.parse(String(body)) as NativeStreamInfo);
    } else if (kind === kinds.failed) {
      this.#fail(fromRecord(JSON.parse(String(body)) as ErrorRecord));
    }
  }

  #fail(error: AudioError): void {
    clearInterval(this.#idle);
    void this.#link.close();
    if (this.#isOpen) this.#lost(error);
    else this.#settle.reject(error);
  }
}
