// The default import: webpack evaluates a `createRequire` that it can see by name, and breaks it.
import Module from 'node:module';

/** What `require()` gives for a file, by its absolute path, which is known at run time only. */
export function requireFile(file: string): unknown {
  return Module.createRequire(file)(file);
}
