import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      ...['dist/', 'build/', 'prebuilds/', 'coverage/', 'docs/api/', 'out/'],
      'test/package/one-type.mts', // of the packed package's declarations, in a project of its own
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        // Node's globals that our scripts use.
        [
          'process',
          'console',
          'Buffer',
          'URL',
          'AbortController',
          'AbortSignal',
          'performance',
          'queueMicrotask',
        ]
          .concat([
            'setTimeout',
            'clearTimeout',
            'setInterval',
            'clearInterval',
            'setImmediate',
            'clearImmediate',
          ])
          .concat([
            'require',
            'module',
            '__dirname',
            'structuredClone',
            'TextDecoder',
            'TextEncoder',
          ])
          .map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['examples/monitor/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        // The globals of a page, and of its audio thread.
        ['document', 'location', 'localStorage', 'navigator', 'WebSocket', 'devicePixelRatio']
          .concat(['requestAnimationFrame', 'getComputedStyle', 'matchMedia', 'addEventListener'])
          .concat(['AudioContext', 'AudioWorkletNode'])
          .concat(['AudioWorkletProcessor', 'registerProcessor'])
          .map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['test/conformance/browser-page.mjs'],
    languageOptions: { globals: { fetch: 'readonly' } },
  },
  {
    files: ['**/*.{ts,mts}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: ['./tsconfig.test.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A promise that nobody awaits hides its failure.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // A stream is destroyed with whatever its user says.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      // Stream methods fulfil Node's asynchronous contracts without always waiting.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    // Tests reach into what has no types on purpose: wrong arguments, other people's JSON.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
