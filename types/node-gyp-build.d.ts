// node-gyp-build ships no types.
declare module 'node-gyp-build' {
  /** Finds the addon of the package in `folder` (build/Release, else prebuilds/) and loads it. */
  function load(folder: string): unknown;
  namespace load {
    /** The file that would be loaded. Throws an Error that lists what was looked for. */
    function resolve(folder: string): string;
  }
  export = load;
}
