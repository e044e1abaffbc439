/** The properties that are undefined until `ready`. */
type KnownWhenReady = 'device' | 'deviceFormat' | 'granted' | 'microphone' | 'periodMs' | 'speaker';

// Not the device of a ProcessSource, which has none.
type Known<T> = {
  [Key in KnownWhenReady & keyof T]: T[Key] extends undefined ? never : Key;
}[KnownWhenReady & keyof T];

/**
 * A source or a sink whose device is open, as `open()` and `ready` give it: what is undefined until `ready` is defined.
 *
 * @example
 * const { microphone } = await VirtualMicSink.open();
 * console.log('select', microphone.name);
 */
export type Opened<T> = T & {
  readonly [Key in Known<T>]: Exclude<T[Key], undefined>;
};
