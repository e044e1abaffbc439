// `npm run diagrams`: draws docs/diagrams/*.txt as SVG beside them. With --check
// (`npm run check:diagrams`) nothing is written, and a picture that is not that of its text is an error.
//
// A text has one item a line; X, Y, W and H count in units of 20 pixels:
//   size W H
//   title What the picture shows, for those who cannot see it
//   room X Y W H Title                       a frame with its title at the top
//   box NAME X Y W H Title | line | line     what arrows lead from and to
//   note X Y Text                            text without a frame
//   arrow NAME NAME [label]                  straight where the boxes face each other, else with one corner
// Lines that begin with # are comments. Text that is wider than its box is an error.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const unit = 20;
const lineHeight = 16;
const characterWidth = 6.7; // average width at 12 pixels, with some to spare

const style = `
  .paper { fill: #ffffff } .room { fill: #f6f8fa; stroke: #d0d7de } .box { fill: #ffffff; stroke: #57606a }
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .soft { fill: #57606a } .arrow { stroke: #0969da; fill: none; stroke-width: 1.5 }
  .head { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .room { fill: #161b22; stroke: #30363d } .box { fill: #0d1117; stroke: #8b949e }
    text { fill: #e6edf3 } .soft { fill: #9ea7b0 } .arrow { stroke: #58a6ff } .head { fill: #58a6ff }
  }`;

const escape = (text) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/**
 * @param {string} text
 * @returns {string} SVG
 */
export function draw(text) {
  const boxes = new Map();
  const [rooms, shapes, arrows] = [[], [], []];
  let size;
  let title = '';
  for (const line of text.split('\n')) {
    const [kind, ...words] = line.trim().split(/\s+/);
    if (kind === '' || kind.startsWith('#')) continue;
    const numbers = (count, from = 0) =>
      words.slice(from, from + count).map((word) => {
        if (!/^\d+(\.\d+)?$/.test(word ?? '')) throw new Error(`'${word}' is no number: ${line}`);
        return Number(word) * unit;
      });
    const rest = (from) => words.slice(from).join(' ');
    if (kind === 'size') size = numbers(2);
    else if (kind === 'title') title = rest(0);
    else if (kind === 'room') rooms.push(drawRoom(numbers(4), rest(4), line));
    else if (kind === 'note') shapes.push(drawText(...numbers(2), rest(2), 'soft', 'start'));
    else if (kind === 'arrow') arrows.push({ ends: words.slice(0, 2), label: rest(2), line });
    else if (kind === 'box') {
      const [x, y, w, h] = numbers(4, 1);
      boxes.set(words[0], { x, y, w, h });
      shapes.push(drawBox({ x, y, w, h }, rest(5).split(' | '), line));
    } else throw new Error(`'${kind}' is nothing that can be drawn: ${line}`);
  }
  if (!size) throw new Error('the size is missing');
  const lines = arrows.map(({ ends, label, line }) => {
    const [from, to] = ends.map((name) => boxes.get(name));
    if (!from || !to) throw new Error(`an arrow's box is missing: ${line}`);
    return drawArrow(from, to, label);
  });
  const [width, height] = size;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>${style}\n</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="8"/>`,
    ...rooms,
    ...lines.map(({ path }) => path),
    ...shapes,
    ...lines.map(({ label }) => label).filter(Boolean),
    '</svg>\n',
  ].join('\n');
}

function drawText(x, y, text, name, anchor = 'middle') {
  return `<text class="${name}" x="${x}" y="${y}" text-anchor="${anchor}">${escape(text)}</text>`;
}

function drawRoom([x, y, w, h], title, line) {
  checkWidth(title, w, line);
  return (
    `<rect class="room" x="${x}" y="${y}" width="${w}" height="${h}" rx="6"/>\n` +
    drawText(x + 10, y + 18, title, 'title', 'start')
  );
}

function drawBox({ x, y, w, h }, texts, line) {
  const first = y + h / 2 - ((texts.length - 1) * lineHeight) / 2 + 4;
  const drawn = texts.map((text, i) => {
    checkWidth(text, w, line);
    return drawText(x + w / 2, first + i * lineHeight, text, i === 0 ? 'title' : 'soft');
  });
  const frame = `<rect class="box" x="${x}" y="${y}" width="${w}" height="${h}" rx="4"/>`;
  return [frame, ...drawn].join('\n');
}

function checkWidth(text, width, line) {
  if (text.length * characterWidth > width) throw new Error(`'${text}' is too wide: ${line}`);
}

// From the middle of the range that the two sides share.
function drawArrow(from, to, text) {
  const shared = (a, aSize, b, bSize) => {
    const [begin, end] = [Math.max(a, b), Math.min(a + aSize, b + bSize)];
    return end > begin ? (begin + end) / 2 : undefined;
  };
  const x = shared(from.x, from.w, to.x, to.w);
  const y = shared(from.y, from.h, to.y, to.h);
  const isBelow = to.y > from.y;
  const isRight = to.x > from.x;
  let points;
  if (x !== undefined) {
    points = [
      [x, isBelow ? from.y + from.h : from.y],
      [x, isBelow ? to.y : to.y + to.h],
    ];
  } else if (y !== undefined) {
    points = [
      [isRight ? from.x + from.w : from.x, y],
      [isRight ? to.x : to.x + to.w, y],
    ];
  } else {
    const turn = [to.x + to.w / 2, from.y + from.h / 2];
    points = [
      [isRight ? from.x + from.w : from.x, turn[1]],
      turn,
      [turn[0], isBelow ? to.y : to.y + to.h],
    ];
  }
  const [[beforeX, beforeY], [endX, endY]] = points.slice(-2);
  const length = Math.hypot(endX - beforeX, endY - beforeY);
  const [dx, dy] = [(endX - beforeX) / length, (endY - beforeY) / length];
  const base = [endX - 8 * dx, endY - 8 * dy];
  const corner = (side) => `${base[0] - side * 4 * dy},${base[1] + side * 4 * dx}`;
  const [[startX, startY], [nextX, nextY]] = points;
  const isUpright = startX === nextX;
  const labelX = (startX + nextX) / 2 + (isUpright ? 6 : 0);
  const labelY = (startY + nextY) / 2 + (isUpright ? 4 : -6);
  const shaft = [...points.slice(0, -1), base].map((point) => point.join(',')).join(' ');
  return {
    path:
      `<polyline class="arrow" points="${shaft}"/>` +
      `<polygon class="head" points="${endX},${endY} ${corner(1)} ${corner(-1)}"/>`,
    label: text && drawText(labelX, labelY, text, 'soft', isUpright ? 'start' : 'middle'),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '../docs/diagrams');
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    const picture = join(folder, name.replace(/\.txt$/, '.svg'));
    const svg = draw(readFileSync(join(folder, name), 'utf8'));
    if (!process.argv.includes('--check')) {
      writeFileSync(picture, svg);
    } else if (readIfThere(picture) === svg) {
      console.log(`ok - docs/diagrams/${name} is drawn`);
    } else {
      console.log(`not ok - docs/diagrams/${name} has changed: run npm run diagrams`);
      process.exitCode = 1;
    }
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
