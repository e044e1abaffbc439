import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['lib/index.ts', 'lib/testing.ts'],
  format: ['cjs', 'esm'],
  target: 'node20',
  dts: true,
  // Both entries share one copy of each class, in CommonJS too.
  splitting: true,
  // `__dirname` in the ESM build: that is how the addon is found.
  shims: true,
  sourcemap: true,
  clean: true,
  // Class names are in messages, in stats().link and in stacks.
  keepNames: true,
});
