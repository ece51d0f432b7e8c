// Walking by the score: Langevin chains in the plane, at one level of noise or down a ladder.
import { figure, grid, noise, normals } from "./stage.js";

const T = 120, N = 300, PER = 5, WIDE = 6.4, HIGH = 3.7, RATE = 0.25, TOP = Math.log10(4);
const ISLANDS = [[-3.9, 1.4], [0.2, -1.7], [4.1, 1.2]], MASS = [0.6, 0.3, 0.1], STD = 0.4;
const WAYS = ["one level", "annealing"], HUES = ["blue", "green", "pink"];
const GX = grid(-WIDE, WIDE, 61), GY = grid(-HIGH, HIGH, 35); // pixels of the density
const AX = grid(-6, 6, 17), AY = grid(-3.3, 3.3, 10); // where arrows stand
const FRESH = noise(11, 2 * N * T), OWN = noise(12, 2 * PER * T);
const even = normals(13).uniform; // walkers start anywhere in the picture
const STARTS = Float64Array.from({ length: 2 * N }, (_, i) =>
  (2 * even() - 1) * (i % 2 ? HIGH : WIDE));

// Score of the data with noise of variance v - STD^2: pulls to all islands, by their probability.
function score(x, y, v) {
  let least = Infinity, sum = 0, sx = 0, sy = 0;
  for (const [a, b] of ISLANDS) least = Math.min(least, (x - a) ** 2 + (y - b) ** 2);
  for (let k = 0; k < ISLANDS.length; k++) {
    const dx = ISLANDS[k][0] - x, dy = ISLANDS[k][1] - y;
    const w = MASS[k] * Math.exp((least - dx * dx - dy * dy) / (2 * v));
    sum += w; sx += w * dx; sy += w * dy;
  }
  return [sx / (sum * v), sy / (sum * v)];
}

// Noise level of each step: always the same, or falling to it by equal factors.
const levels = (level, way) => Array.from({ length: T }, (_, t) =>
  10 ** (way === WAYS[0] ? level : TOP + ((level - TOP) * t) / (T - 1)));

// Langevin chains, all states: x + eta * score + sqrt(2 eta) * z; eta is a fraction of the variance.
function walk(starts, sigmas, z) {
  const path = [starts];
  for (let t = 0; t < T; t++) {
    const v = STD * STD + sigmas[t] ** 2, eta = RATE * v, jump = Math.sqrt(2 * eta), x = path[t];
    const next = new Float64Array(x.length), from = t * x.length;
    for (let i = 0; i < x.length; i += 2) {
      const [sx, sy] = score(x[i], x[i + 1], v);
      next[i] = x[i] + eta * sx + jump * z[from + i];
      next[i + 1] = x[i + 1] + eta * sy + jump * z[from + i + 1];
    }
    path.push(next);
  }
  return path;
}

const nearest = (points) => Array.from({ length: points.length / 2 }, (_, i) => {
  const far = ISLANDS.map(([a, b]) => (points[2 * i] - a) ** 2 + (points[2 * i + 1] - b) ** 2);
  return far.indexOf(Math.min(...far));
});
const share = (homes) => MASS.map((_, k) => homes.filter((h) => h === k).length / homes.length);

// The states of all walkers: the same for each step, so kept.
let last = { key: "" };
function film(level, way) {
  const key = `${level} ${way}`;
  if (last.key !== key) {
    const path = walk(STARTS, levels(level, way), FRESH);
    last = { key, path, fate: nearest(path[T]) };
  }
  return last;
}

function compute({ level, way, steps, drops }) {
  const sigmas = levels(level, way), sigma = sigmas[Math.min(steps, T - 1)];
  const v = STD * STD + sigma ** 2;
  const { path, fate } = film(level, way), density = new Float64Array(GX.length * GY.length);
  ISLANDS.forEach(([a, b], k) => {
    const most = MASS[k] / (2 * Math.PI * v);
    const across = GX.map((x) => most * Math.exp(-((x - a) ** 2) / (2 * v)));
    GY.forEach((y, row) => {
      const up = Math.exp(-((y - b) ** 2) / (2 * v));
      for (let i = 0; i < GX.length; i++) density[row * GX.length + i] += across[i] * up;
    });
  });
  const field = Array.from(AY, (y) => Array.from(AX, (x) => score(x, y, v).map((s) => sigma * s)));
  const five = (place) => Float64Array.from({ length: 2 * PER }, (_, i) => place[i % 2]);
  const own = drops.map((place) => walk(five(place), sigmas, OWN));
  const shares = share(nearest(path[steps]));
  return { sigmas, sigma, density, field, fate, shares, walkers: path[steps], own,
    wrong: shares.reduce((sum, s, k) => sum + Math.abs(s - MASS[k]) / 2, 0) };
}

const split = (pen) => pen.height - 62;
const plane = (pen) => pen.axes({ box: [0, 0, pen.width, split(pen)], bare: true, square: true,
  x: [-WIDE, WIDE], y: [-HIGH, HIGH] });

function draw(pen, { sigmas, sigma, density, field, fate, shares, walkers, own }, { steps }) {
  const { ink, soft, faint, paper } = pen.colours, top = plane(pen), size = pen.small ? 11 : 14;
  top.shade(density, GX.length, 1.3 * Math.max(...density), soft);
  field.forEach((row, j) => row.forEach(([fx, fy], i) => { // long arrows are cut
    const cut = 0.5 / Math.max(1, Math.hypot(fx, fy));
    top.arrow(AX[i], AY[j], AX[i] + cut * fx, AY[j] + cut * fy,
      { color: soft, width: 1, head: pen.small ? 3 : 4, alpha: 0.45 }); // quieter than who follows them
  }));
  HUES.forEach((hue, k) => {
    const color = pen.colours[hue], mine = fate.flatMap((f, i) => (f === k ? [i] : []));
    top.dots(mine.map((i) => walkers[2 * i]), mine.map((i) => walkers[2 * i + 1]),
      { color, radius: pen.small ? 2.2 : 3.4, alpha: 1 });
  });
  for (const path of own) {
    for (let i = 0; i < 2 * PER; i += 2) {
      const [xs, ys] = [i, i + 1].map((j) => path.slice(0, steps + 1).map((p) => p[j]));
      top.line(xs, ys, { color: ink, width: 1, alpha: 0.18 });
      top.line(xs.slice(-12), ys.slice(-12), { color: ink, width: 1.4, alpha: 0.8 });
      const radius = pen.small ? 3 : 4.5;
      top.dots(xs.slice(-1), ys.slice(-1), { color: ink, radius, ring: paper });
    }
    top.dots([path[0][0]], [path[0][1]], { color: paper, radius: 4, ring: ink });
  }
  HUES.forEach((hue, k) => {
    const [x, y] = ISLANDS[k], at = y + (y > 0 ? 1.75 : -1.25), halo = paper;
    const percent = (p) => `${(100 * p).toFixed(0)} %`, color = pen.colours[hue];
    top.label(`${percent(shares[k])} of the walkers`, x, at,
      { align: "center", size, halo, bold: true, color });
    top.label(`${percent(MASS[k])} of the data`, x, at - (pen.small ? 0.72 : 0.46),
      { align: "center", size, halo });
  });
  const low = pen.axes({ box: [40, split(pen), pen.width - 48, 46], bare: true,
    x: [0, T], y: [-1.1, 0.75] });
  low.line([0, T], [-1, -1], { color: faint, width: 1 });
  low.line(sigmas.map((_, t) => t), sigmas.map(Math.log10), { color: ink, width: 2 });
  low.line([steps, steps], [-1.1, 0.75], { color: soft, width: 1 });
  low.dots([steps], [Math.log10(sigma)], { color: ink, radius: 5, ring: paper });
  pen.text("σ", 28, low.Y(-0.2), { align: "right", bold: true });
  pen.text("0.1", 40, low.Y(-1), { align: "right", size: 11, color: soft });
  pen.text("4", 40, low.Y(0.6), { align: "right", size: 11, color: soft });
  pen.text("colour: the island where a walker ends", pen.width / 2, pen.height - 8,
    { color: soft, size: 12, align: "center" });
}

const say = ({ sigma, wrong }, { way, steps }) =>
  `${way === WAYS[0] ? "One level" : "Annealing"}, σ = ${sigma.toFixed(2)} ` +
  `at step ${steps} of ${T}: ${(100 * wrong).toFixed(0)} % of the walkers ought to be on another island. ` +
  "Tap to drop five on one place.";

function touch(px, py, { drops, steps }, pen, event) {
  const [x, y] = plane(pen).at(px, py);
  if (event !== "pointerdown" || Math.abs(x) > WIDE || Math.abs(y) > HIGH) return null;
  return { drops: [...drops.slice(-2), [x, y]], steps: steps || T };
}

export const { about, controls, compute: mathematics, render } = figure({
  about: "Arrows of the score of three islands under noise, and walkers that follow them.",
  controls: [
    { name: "steps", label: "steps", min: 0, max: T, step: 1, value: 40, play: 8 },
    { name: "level", label: "noise σ", min: -1, max: 0.6, step: 0.05, value: -1,
      show: (v) => (10 ** v).toFixed(2) },
    { name: "way", label: "walk", options: WAYS, value: WAYS[0] },
    { name: "drops", value: [[3, -1.6]] },
  ],
  compute, draw, say, touch, aspect: 0.66,
});
export default { render };
