import { join } from 'node:path';

/** The package's folder. This file stays in `lib/` itself: `dist` and `lib` both lie one below it. */
export const packageRoot = join(__dirname, '..');
