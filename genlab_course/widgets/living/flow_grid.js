// A flow on the plane: a square grid goes through four affine couplings, area shown as colour.
import { figure, grid } from "./stage.js";

const LAYERS = 4, REACH = 3.6, SIDE = 2.2, CELLS = 40, PIXELS = 60;
const MOST = 1.9, FREQ = 1.2, EDGES = 2; // of a layer's numbers, and around its pad
const FLAT = [0, 0, 0, 0, 0, 0, 0, 0]; // of each layer: scale, shift
const SHAPES = {
  "two moons": [0.1, -1.8, 1, 0.2, 0.2, 1.35, 0, -1.15],
  "shifts alone": [0, -1, 0, 1.1, 0, 0.9, 0, -0.9],
  "scales alone": [0.9, 0, 0.9, 0, -0.7, 0, 0.5, 0],
  "nothing yet": FLAT,
};
const EDGE = grid(-SIDE, SIDE, CELLS + 1), AXIS = grid(-REACH, REACH, PIXELS);
const pairs = (xs) => Float64Array.from({ length: 2 * xs.length ** 2 }, (_, i) =>
  xs[i % 2 ? Math.floor(i / 2 / xs.length) : (i / 2) % xs.length]);
const MIDDLES = EDGE.slice(1).map((x) => x - SIDE / CELLS);
const CORNERS = pairs(EDGE), CENTRES = pairs(MIDDLES), PLACES = pairs(AXIS);

// The coordinate that stays says how the other one moves; half of a layer has half its effect.
const logScale = (u, [scale]) => scale * Math.cos(FREQ * u);
const offset = (u, [, shift]) => shift * Math.sin(FREQ * u);
const parts = (walked, knobs) => Array.from({ length: LAYERS }, (_, k) => {
  const part = Math.max(0, Math.min(1, walked - k));
  return [part * knobs[2 * k], part * knobs[2 * k + 1]];
});

// Through the layers, points as [x, y, x, y, ...]; the odd layers move y, the even ones x.
function forward(points, layers) {
  const out = Float64Array.from(points), logDet = new Float64Array(points.length / 2);
  layers.forEach((knobs, k) => {
    const moves = 1 - (k % 2), stays = 1 - moves;
    for (let i = 0; i < out.length; i += 2) {
      const u = out[i + stays], s = logScale(u, knobs);
      out[i + moves] = out[i + moves] * Math.exp(s) + offset(u, knobs);
      logDet[i / 2] += s;
    }
  });
  return { out, logDet };
}

// And back: the last layer is undone first.
function backward(points, layers) {
  const out = Float64Array.from(points), logDet = new Float64Array(points.length / 2);
  for (let k = layers.length - 1; k >= 0; k--) {
    const knobs = layers[k], moves = 1 - (k % 2), stays = 1 - moves;
    for (let i = 0; i < out.length; i += 2) {
      const u = out[i + stays], s = logScale(u, knobs);
      out[i + moves] = (out[i + moves] - offset(u, knobs)) * Math.exp(-s);
      logDet[i / 2] -= s;
    }
  }
  return { out, logDet };
}

// Density of x: that of the standard normal z that it came from, over the change of area.
function density(points, layers) {
  const { out, logDet } = backward(points, layers);
  const square = (i) => out[2 * i] ** 2 + out[2 * i + 1] ** 2;
  return logDet.map((l, i) => Math.exp(l - square(i) / 2) / (2 * Math.PI));
}

const knobsOf = ({ shape, knobs }) => SHAPES[shape] ?? knobs;

function compute({ walked, shape, knobs, at }) {
  const layers = parts(walked, knobsOf({ shape, knobs }));
  const corners = forward(CORNERS, layers).out, area = forward(CENTRES, layers).logDet;
  const mark = forward(at, layers);
  return { layers, corners, area, density: density(PLACES, layers), mark: mark.out,
    logDet: mark.logDet[0], here: density(mark.out, layers)[0],
    before: density(at, parts(0, FLAT))[0] };
}

const row = (pen) => pen.height - (pen.small ? 128 : 184);
const TITLES = ["the grid: blue has shrunk, orange has grown", "density of x"];
const panel = (pen, i) => pen.axes({ box: [(i * pen.width) / 2, 0, pen.width / 2, row(pen)],
  bare: true, title: pen.width < 640 ? TITLES[i].split(":")[0] : TITLES[i],
  square: true, x: [-REACH, REACH], y: [-REACH, REACH] });
const pad = (pen, k) => pen.axes({ box: [(k * pen.width) / LAYERS, row(pen) + 4, pen.width / LAYERS,
  pen.height - row(pen) - 22], bare: true, square: true, x: [-EDGES, EDGES], y: [-EDGES, EDGES],
  title: `layer ${k + 1} ${k % 2 ? "↔" : "↕"}` });

function draw(pen, { corners, area, density: p, mark, logDet }, { walked, shape, knobs }) {
  const { ink, soft, faint, paper, blue, orange } = pen.colours, n = CELLS + 1;
  const [left, right] = [panel(pen, 0), panel(pen, 1)], now = knobsOf({ shape, knobs });
  left.cells(corners, n, (i) => [area[i] < 0 ? blue : orange,
    Math.min(0.9, Math.round(Math.abs(area[i]) * 8) / 14)]);
  right.shade(p, PIXELS, 0.2, blue);
  for (let k = 0; k < n; k += 4) {
    const along = (step, from) => Array.from({ length: n }, (_, i) => from + i * step);
    for (const line of [along(1, k * n), along(n, k)]) {
      const xs = line.map((i) => corners[2 * i]), ys = line.map((i) => corners[2 * i + 1]);
      left.line(xs, ys, { color: ink, width: pen.small ? 0.6 : 1, alpha: 0.7 });
    }
  }
  const rim = Array.from(mark, (v) => Math.max(0.1 - REACH, Math.min(REACH - 0.1, v)));
  const outside = rim.some((v, i) => v !== mark[i]); // a hollow dot at the rim stands for it
  for (const plot of [left, right])
    plot.dots([rim[0]], [rim[1]], { color: outside ? paper : ink, radius: 5, ring: outside ? ink : paper });
  const size = pen.small ? 11 : 13, up = pen.small ? 0.6 : 0.4;
  const to = { align: "center", halo: paper, size, bold: true };
  const [x, y] = mark.map((v) => Math.max(-2.4, Math.min(2.4, v))); // words stay inside
  left.label(`area × ${Math.exp(logDet).toFixed(2)}`, x, y + up, to);
  right.label(`density × ${Math.exp(-logDet).toFixed(2)}`, x, y + up, to);
  for (let k = 0; k < LAYERS; k++) {
    const box = pad(pen, k), part = Math.max(0, Math.min(1, walked - k));
    const [a, b] = [now[2 * k], now[2 * k + 1]];
    const ends = [-MOST, MOST], none = [0, 0];
    box.line([...ends, MOST, -MOST, -MOST], [-MOST, ...ends, MOST, -MOST],
      { color: soft, width: 1 });
    box.line(ends, none, { color: faint, width: 1 });
    box.line(none, ends, { color: faint, width: 1 });
    box.line([0, part * a], [0, part * b], { color: orange, width: 3 });
    box.dots([a], [b], { color: part ? orange : soft, radius: 6, ring: paper });
  }
  pen.text("drag a dot: across it scales, up and down it shifts", pen.width / 2, pen.height - 8,
    { color: soft, size: 12, align: "center" });
}

const say = ({ logDet, here, before }, { walked }) =>
  `After ${walked.toFixed(2)} of ${LAYERS} layers, at the mark: log|det| = ` +
  `${logDet.toFixed(2).replace("-", "−")}, so the density went ` +
  `from ${before.toFixed(3)} to ${here.toFixed(3)}. Tap the grid to mark another place.`;

function touch(px, py, settings, pen, kind, [left, top]) {
  const { walked } = settings, knobs = [...knobsOf(settings)];
  if (top > row(pen)) {
    const k = Math.max(0, Math.min(LAYERS - 1, Math.floor((LAYERS * left) / pen.width)));
    pad(pen, k).at(px, py).forEach((v, j) => {
      knobs[2 * k + j] = Math.max(-MOST, Math.min(MOST, v));
    });
    return { knobs, shape: "yours", walked: Math.max(walked, k + 1) };
  }
  const place = panel(pen, left > pen.width / 2 ? 1 : 0).at(px, py)
    .map((v) => Math.max(-REACH, Math.min(REACH, v)));
  const at = Array.from(backward(place, parts(walked, knobs)).out);
  return Math.max(...at.map(Math.abs)) < SIDE ? { at } : null;
}

const grip = (x, y, settings, pen) => y > row(pen) && y < pen.height - 18; // the pads

export const { about, controls, compute: mathematics, render } = figure({
  about: "A square grid and a normal density, bent by affine coupling layers one after the other.",
  controls: [
    { name: "walked", label: "layers", min: 0, max: LAYERS, step: 0.05, value: 4, play: 6 },
    { name: "shape", label: "shape", options: [...Object.keys(SHAPES), "yours"],
      value: "two moons" },
    { name: "knobs", value: SHAPES["two moons"] },
    { name: "at", value: [-1.3, 0.3] },
  ],
  compute, draw, say, touch, grip, aspect: 0.74, tall: 0.9,
});
export default { render };
