// Line charts as SVG, for docs/performance.md: readable on a light page and on a dark one.

const size = { width: 760, height: 340, left: 64, right: 16, top: 40, bottom: 48 };
const colours = ['#d6336c', '#1c7ed6', '#f08c00', '#2f9e44', '#7048e8', '#868e96'];

/**
 * @param {{ title: string, x: Axis, y: Axis, series: { name: string, points: [number, number][],
 *   band?: [number, number, number][] }[] }} chart  Axis: { label, from, to, ticks, log? }; a band is x, least, most.
 */
export function lineChart({ title, x, y, series }) {
  const across = scale(x, size.left, size.width - size.right);
  const up = scale(y, size.height - size.bottom, size.top);
  const parts = [];
  for (const tick of x.ticks) {
    parts.push(line(across(tick), size.top, across(tick), size.height - size.bottom));
    parts.push(text(across(tick), size.height - size.bottom + 16, tick, 'middle'));
  }
  for (const tick of y.ticks) {
    parts.push(line(size.left, up(tick), size.width - size.right, up(tick)));
    parts.push(text(size.left - 6, up(tick) + 4, tick, 'end'));
  }
  const at = ([one, two]) => [across(one), up(two)];
  series.forEach(({ points, band }, i) => {
    const colour = colours[i % colours.length];
    if (band) {
      const edge = [
        ...band.map(([a, least]) => at([a, least])),
        ...band.toReversed().map(([a, , most]) => at([a, most])),
      ];
      parts.push(`<path d="${path(edge)}z" fill="${colour}" fill-opacity="0.25"/>`);
    }
    parts.push(
      `<path d="${path(points.map(at))}" fill="none" stroke="${colour}" stroke-width="1.2"/>`,
    );
  });
  const step = (size.width - size.left - size.right) / series.length;
  series.forEach(({ name }, i) => {
    const from = size.left + i * step;
    parts.push(
      `<rect x="${from}" y="26" width="12" height="4" fill="${colours[i % colours.length]}"/>`,
      text(from + 16, 32, name),
    );
  });
  parts.push(text(size.left, 16, title, 'start', 'font-weight="bold"'));
  parts.push(text((size.left + size.width) / 2, size.height - 10, x.label, 'middle'));
  parts.push(
    text(0, 0, y.label, 'middle', `transform="translate(14 ${size.height / 2}) rotate(-90)"`),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/**
 * The `d` of a path through points, to a tenth of a unit. The package contains the charts: steps take fewer bytes than
 * places, and a point on the line between its neighbours is left out.
 *
 * @param {[number, number][]} points
 */
export function path(points) {
  const tenths = points.map(([x, y]) => [Math.round(x * 10), Math.round(y * 10)]);
  const corners = tenths.filter(([x, y], i) => {
    if (i === 0 || i === tenths.length - 1) return true;
    const [[x0, y0], [x1, y1]] = [tenths[i - 1], tenths[i + 1]];
    const isBetween = (x - x0) * (x1 - x) >= 0 && (y - y0) * (y1 - y) >= 0;
    return !isBetween || (x - x0) * (y1 - y) !== (x1 - x) * (y - y0);
  });
  const steps = corners.slice(1).map(([x, y], i) => {
    const [dx, dy] = [x - corners[i][0], y - corners[i][1]].map((value) => value / 10);
    return `${dx}${dy < 0 ? '' : ' '}${dy}`.replaceAll(/(?<![0-9])0\./g, '.');
  });
  const [first] = corners;
  return `M${first[0] / 10} ${first[1] / 10}l${steps.join(' ').replaceAll(' -', '-')}`;
}

function scale({ from, to, log }, low, high) {
  const place = log ? Math.log10 : (value) => value;
  const [a, b] = [place(from), place(to)];
  return (value) => {
    const clamped = Math.min(Math.max(value, Math.min(from, to)), Math.max(from, to));
    return low + ((place(clamped) - a) / (b - a)) * (high - low);
  };
}

function line(x1, y1, x2, y2) {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
}

function text(x, y, value, anchor = 'start', more = '') {
  const escaped = String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#333" ${more}>${escaped}</text>`;
}
