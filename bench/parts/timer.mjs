// The baseline of deliveries: how late a 10 ms timer is called in a process that does nothing else. `node timer.mjs
// SECONDS`.
import { histogram, percentiles, report } from '../measure.mjs';

const late = [];
const end = performance.now() + Number(process.argv[2]) * 1000;
(function next() {
  const due = performance.now() + 10;
  setTimeout(() => {
    late.push(Math.max(0, performance.now() - due));
    if (performance.now() < end) next();
    else report({ lateMs: percentiles(late), histogram: histogram(late, 0.02, 20) });
  }, 10);
})();
