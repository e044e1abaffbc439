// This uses the default import, because webpack evaluates a `createRequire` that is imported by name, and breaks it.
import Module from 'node:module';

/** Calls `require()` for an absolute path that is known only at run time. */
export function requireFile(file: string): unknown {
  return Module.createRequire(file)(file);
}
