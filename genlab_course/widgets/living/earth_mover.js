// Earth from the model's pile fills the data's pit: W1 is the work; JS looks only at the overlap.
// The best prices are a string: high over the data, low over the model, nowhere steeper than 1.
import { figure, grid } from "./stage.js";

const X = grid(-4, 9, 651), DX = X[1] - X[0], SHIFTS = grid(0, 5, 101), N = 180, LOG2 = Math.log(2);
const bump = (x, centre, width) => Math.max(0, 1 - ((x - centre) / width) ** 2) ** 2;
const PEAK = 15 / 16; // of a bump of mass 1 and half-width 1

// Where a fraction u of a bump's mass lies to the left, in half-widths: by bisection, once.
function quantile(u) {
  let [low, high] = [-1, 1];
  for (let k = 0; k < 50; k++) {
    const z = (low + high) / 2, mass = 0.5 + PEAK * (z - (2 * z ** 3) / 3 + z ** 5 / 5);
    if (mass < u) low = z;
    else high = z;
  }
  return (low + high) / 2;
}
const LEVELS = Float64Array.from({ length: N }, (_, i) => (i + 0.5) / N);
const WHOLE = LEVELS.map(quantile);
const HALF = LEVELS.map((u) => quantile((2 * u) % 1)); // of the left of two piles, then the right
const HEIGHT = LEVELS.map((_, i) => ((i + 1) * 0.618034) % 1); // in the pile, as a fraction of it

// Masses on the grid: one pile, or two of half the width at either side of its place.
function masses(model, shift, width) {
  const raw = model === "one pile" ? X.map((x) => bump(x, shift, width))
    : X.map((x) => bump(x, shift - width, width / 2) + bump(x, shift + width, width / 2));
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((v) => v / total);
}

// W1 as the area between the two distribution functions; JS in nats.
function distances(p, q) {
  let w1 = 0, js = 0, ahead = 0;
  for (let i = 0; i < p.length; i++) {
    ahead += p[i] - q[i];
    w1 += Math.abs(ahead) * DX;
    const mean = (p[i] + q[i]) / 2;
    if (p[i]) js += 0.5 * p[i] * Math.log(p[i] / mean);
    if (q[i]) js += 0.5 * q[i] * Math.log(q[i] / mean);
  }
  return [w1, js];
}

// The best critic, 0 at its highest: where earth has to pass, it falls by the way.
function best(p, q) {
  const f = [0];
  let ahead = 0;
  for (let i = 0; i < p.length - 1; i++) {
    ahead += p[i] - q[i];
    f.push(f[i] - (Math.abs(ahead) > 1e-9 ? Math.sign(ahead) * DX : 0));
  }
  const top = Math.max(...f);
  return f.map((v) => v - top);
}

function compute({ shift, width, model, moved }) {
  const p = masses("one pile", 0, width), q = masses(model, shift, width);
  const [w1, js] = distances(p, q);
  const curves = Array.from(SHIFTS, (s) => distances(p, masses(model, s, width)));
  const to = WHOLE.map((z) => width * z);
  const from = model === "one pile" ? WHOLE.map((z) => shift + width * z)
    : HALF.map((z, i) => shift + width * (i < N / 2 ? z / 2 - 1 : z / 2 + 1));
  // The plan keeps the order; the grains that are nearest leave first.
  const part = LEVELS.map((u) => Math.max(0, Math.min(1, 2.5 * moved - 1.5 * u)));
  const work = from.reduce((sum, x, i) => sum + (Math.abs(x - to[i]) * part[i]) / N, 0);
  const w1Curve = curves.map((c) => c[0]), jsCurve = curves.map((c) => c[1]);
  return { p, q, w1, js, w1Curve, jsCurve, from, to, part, work, prices: best(p, q) };
}

function boxes({ width, height }) {
  const string = Math.round(height * 0.45), split = Math.round(height * 0.65), half = width / 2;
  return [[0, 0, width, string], [0, split, half, height - split],
    [half, split, half, height - split], [0, string, width, split - string]];
}

const ACROSS = [-3.2, 8.2];
const ground = (pen, width) => pen.axes({ box: boxes(pen)[0], bare: true, x: ACROSS,
  y: [-1.25 * Math.max(1, PEAK / width), 1.8 * Math.max(1, PEAK / width)] });

function earth(pen, { p, q, from, to, part }, { shift, width, model }) {
  const { ink, blue, orange, green, soft } = pen.colours;
  const plot = ground(pen, width), top = plot.y[1] / 1.8;
  const down = p.map((v) => -v / DX), up = q.map((v) => v / DX);
  plot.line(X, down, { color: blue, fill: blue });
  plot.line(X, up, { color: orange, dash: [6, 4], fill: orange, alpha: 0.8 });
  plot.line([-9, 9], [0, 0], { color: ink, width: 1.5 });
  for (let x = -2; x <= 8; x += 2) if (Math.abs(x) > width) plot.label(String(x), x, 0,
    { color: soft, size: 12, base: "top" });
  const peak = PEAK / width, groups = { [orange]: [[], []], [green]: [[], []], [blue]: [[], []] };
  for (let i = 0; i < N; i++) {
    const s = part[i], z = model === "one pile" ? WHOLE[i] : HALF[i];
    const high = peak * HEIGHT[i] * (1 - z * z) ** 2;
    const deep = peak * HEIGHT[i] * (1 - WHOLE[i] ** 2) ** 2;
    const hop = top * Math.min(1, 0.3 + 0.16 * Math.abs(from[i] - to[i]));
    const [xs, ys] = groups[s === 0 ? orange : s === 1 ? blue : green];
    xs.push(from[i] + s * (to[i] - from[i]));
    ys.push((1 - s) * high - s * deep + 4 * s * (1 - s) * hop);
  }
  const radius = pen.small ? 2 : 3;
  for (const [color, [xs, ys]] of Object.entries(groups)) plot.dots(xs, ys, { color, radius });
  plot.label("data p: a pit", 0, -1.12 * top, { color: blue, align: "center", bold: true });
  plot.label("model q: drag it", Math.max(shift - 0.8, width + 0.2), -0.5 * top,
    { color: orange, bold: true });
  const hop = Math.min(1, 0.3 + 0.16 * shift);
  if (groups[green][0].length) plot.label("earth on its way", shift / 2, top * (hop + 0.6),
    { color: green, align: "center" });
}

function string(pen, { prices }) {
  const { ink, soft } = pen.colours;
  const plot = pen.axes({ box: boxes(pen)[3], bare: true, x: ACROSS, y: [-9.3, 0.7] });
  plot.line(X, prices, { color: ink, width: 2.5 });
  pen.text(pen.small ? "best prices" : "the best prices f: their gap is W1",
    plot.left + 4, plot.top + plot.height - 10, { color: soft, size: 12 });
}

function draw(pen, computed, settings) {
  earth(pen, computed, settings);
  string(pen, computed);
  const { green, red, soft, paper } = pen.colours, { w1, js, w1Curve, jsCurve } = computed;
  const titles = [`${pen.small ? "W1" : "work, W1"} = ${w1.toFixed(2)}, ${computed.work.toFixed(2)} done`,
    `${pen.small ? "JS" : "Jensen-Shannon"} = ${js.toFixed(3)} nats`];
  const panels = [[w1Curve, w1, green, 5.5], [jsCurve, js, red, 0.8]];
  panels.forEach(([curve, now, color, high], k) => {
    const plot = pen.axes({ box: boxes(pen)[k + 1], x: [0, 5.1], y: [0, high], xlabel: "shift",
      title: titles[k] });
    if (k) {
      plot.line([0, 6], [LOG2, LOG2], { color: soft, width: 1, dash: [3, 3] });
      pen.text("log 2", plot.left + 4, plot.Y(LOG2) - 8, { color: soft, size: 12 });
    }
    plot.line(SHIFTS, curve, { color, width: 2.5 });
    plot.dots([settings.shift], [now], { color, radius: 7, ring: paper });
  });
}

// What the curves say to a model that looks for its way: their slopes where it is.
function say({ w1Curve, jsCurve }, { shift }) {
  const k = Math.round(shift / (SHIFTS[1] - SHIFTS[0])), last = SHIFTS.length - 1;
  const [low, high] = [Math.max(0, k - 1), Math.min(last, k + 1)];
  const [work, js] = [w1Curve, jsCurve].map((curve) =>
    (curve[high] - curve[low]) / (SHIFTS[high] - SHIFTS[low]));
  const seen = Math.abs(js) < 5e-4 ? "JS is flat here: it cannot say which way to go, W1 can."
    : "both say which way to go.";
  return `For each unit that the model goes further, W1 grows by ${work.toFixed(2)} and ` +
    `JS by ${js.toFixed(3)} nats: ${seen}`;
}

function touch(px, py, { width }, pen) {
  const plot = ground(pen, width), [x] = plot.at(px, py);
  if (py > plot.top + plot.height) return null;
  return { moved: 0, shift: Math.round(10 * Math.max(0, Math.min(5, x))) / 10 };
}

export const { about, controls, compute: mathematics, render } = figure({
  about: "A pile of earth that fills a pit, grain by grain; below, the best prices as a string, and " +
    "two distances by the pile's shift.",
  controls: [
    { name: "shift", label: "shift", min: 0, max: 5, step: 0.1, value: 3.5 },
    { name: "width", label: "width", min: 0.3, max: 2, step: 0.1, value: 1 },
    { name: "moved", label: "earth moved", min: 0, max: 1, step: 0.01, value: 0.5, play: 5 },
    { name: "model", label: "model", options: ["one pile", "two piles"], value: "one pile" },
  ],
  compute, draw, say, touch, aspect: 0.66, tall: 1.15, narrow: 520,
});
export default { render };
