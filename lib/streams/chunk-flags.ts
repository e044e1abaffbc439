/** Flags of a chunk. They say why the chunk, or a part of it, is silence. */
export const chunkFlags = Object.freeze({
  /** Nothing was playing, or the device was not open yet. */
  silence: 1,
  /** The device or the system lost these frames. */
  hole: 2,
  /** This consumer was too slow and lost them. */
  lost: 4,
});
