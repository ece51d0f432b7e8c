// Guidance in the plane: samples pushed towards a class, against the distribution that one had in mind.
import { dark, every, figure, grid, normals, sunflower } from "./stage.js";

const N = 220, LEVELS = 40, REACH = 3.3, SIDE = grid(-REACH, REACH, 49), WEIGHTS = [0, 0.5, 1, 2, 3, 4, 6, 8];
const CLASSES = ["blue", "green", "pink"], STD = 0.42, PER = 3; // three parts make a class
const AXES = CLASSES.map((_, c) => [Math.sin((2 * Math.PI * c) / 3), Math.cos((2 * Math.PI * c) / 3)]);
// sigma / alpha, falling from almost pure noise; log SNR is even between -9 and 9.
const SIGMA = [...Array.from(grid(-9, 9, LEVELS), (ratio) => Math.exp(-ratio / 2)), 0];
const GX = Float64Array.from({ length: SIDE.length ** 2 }, (_, i) => SIDE[i % SIDE.length]);
const GY = GX.map((_, i) => SIDE[Math.floor(i / SIDE.length)]);
const STARTS = sunflower(N, 67);

// Centres of the parts: each class is an arm, all arms begin near the middle.
const arms = (gap) => AXES.flatMap(([a, b]) => [0, 1, 2].map((k) => {
  const out = gap * (0.35 + 0.5 * k), side = 0.12 * gap * k * k;
  return [a * out - b * side, b * out + a * side];
}));

// DDIM with guided guesses, from one noise to one sample each: [x, y, x, y, ...].
function sample(parts, chosen, weight) {
  const out = STARTS.map((z) => z * Math.hypot(SIGMA[0], 1)), near = new Float64Array(parts.length);
  const from = PER * chosen, to = from + PER;
  for (let k = 0; k < LEVELS; k++) {
    const ratio = SIGMA[k + 1] / SIGMA[k], v = STD * STD + SIGMA[k] ** 2, gain = STD * STD / v;
    for (let i = 0; i < out.length; i += 2) {
      const x = out[i], y = out[i + 1];
      let least = Infinity, all = 0, ax = 0, ay = 0, one = 0, cx = 0, cy = 0;
      for (let j = 0; j < near.length; j++) {
        near[j] = (x - parts[j][0]) ** 2 + (y - parts[j][1]) ** 2;
        if (near[j] < least) least = near[j];
      }
      for (let j = 0; j < near.length; j++) { // the mean of all data, and of the class, at this noise
        const p = Math.exp((least - near[j]) / (2 * v)), px = p * parts[j][0], py = p * parts[j][1];
        all += p; ax += px; ay += py;
        if (j >= from && j < to) { one += p; cx += px; cy += py; }
      }
      // the best guess of the clean point shrinks towards such a mean; guidance goes on, past it
      const mx = ax / all + weight * (cx / one - ax / all);
      const my = ay / all + weight * (cy / one - ay / all);
      const gx = mx * (1 - gain) + gain * x, gy = my * (1 - gain) + gain * y;
      out[i] = gx + ratio * (x - gx);
      out[i + 1] = gy + ratio * (y - gy);
    }
  }
  return out;
}

// On the grid: the density of all data, and the probability of the class at each place.
function ground(parts, chosen) {
  const p = new Float64Array(SIDE.length ** 2), share = p.map((_, i) => {
    let one = 0;
    parts.forEach(([a, b], k) => {
      const part = Math.exp(-((GX[i] - a) ** 2 + (GY[i] - b) ** 2) / (2 * STD * STD));
      p[i] += part;
      if (Math.floor(k / PER) === chosen) one += part;
    });
    return one / p[i];
  });
  return { p, share };
}

// The sharpened distribution p(x)^(1 - w) p(x | c)^w = p(x) p(c | x)^w / constant.
function sharpened({ p, share }, weight) {
  const out = p.map((v, i) => v * share[i] ** weight), cell = (SIDE[1] - SIDE[0]) ** 2;
  const total = out.reduce((a, b) => a + b, 0) * cell;
  return out.map((v) => v / total);
}

// Mean along the class's axis, and root mean square distance from the mean.
function moments(xs, ys, masses, chosen) {
  let total = 0, mx = 0, my = 0, square = 0;
  for (let i = 0; i < xs.length; i++) {
    total += masses[i]; mx += masses[i] * xs[i]; my += masses[i] * ys[i];
  }
  mx /= total; my /= total;
  for (let i = 0; i < xs.length; i++) square += masses[i] * ((xs[i] - mx) ** 2 + (ys[i] - my) ** 2);
  return [mx * AXES[chosen][0] + my * AXES[chosen][1], Math.sqrt(square / total)];
}
const ONES = new Float64Array(N).fill(1);
const ofSamples = (points, chosen) => moments(every(points, 0), every(points, 1), ONES, chosen);

// At a few weights: moments of the samples and of the sharpened density, once for each gap and class.
const known = new Map();
function curves(gap, chosen) {
  const key = `${gap} ${chosen}`, parts = arms(gap);
  if (known.has(key)) return known.get(key);
  const base = ground(parts, chosen), at = (w) => [...ofSamples(sample(parts, chosen, w), chosen),
    ...moments(GX, GY, sharpened(base, w), chosen)];
  known.set(key, { base, plain: sample(parts, chosen, 1), rows: WEIGHTS.map(at), ends: new Map() });
  return known.get(key);
}

function compute({ weight, gap, name }) {
  const chosen = CLASSES.indexOf(name), parts = arms(gap);
  const { base, plain, rows, ends: made } = curves(gap, chosen), law = sharpened(base, weight);
  if (!made.has(weight)) made.set(weight, sample(parts, chosen, weight)); // a film played again
  const ends = made.get(weight);
  return { parts, ends, plain, rows, law, guided: ofSamples(ends, chosen),
    wanted: moments(GX, GY, law, chosen) };
}

const boxes = ({ width, height, small }) => {
  const left = Math.min(height, 0.6 * width);
  return small ? [[0, 0, width, 0.58 * height], [0, 0.58 * height, width, 0.42 * height]]
    : [[0, 0, left, height], [left + 10, 0, width - left - 10, height]];
};
const plane = (pen) => pen.axes({ box: boxes(pen)[0], bare: true, square: true,
  x: [-REACH, REACH], y: [-REACH, REACH] });
const DOTS = Float64Array.from({ length: 900 }, normals(22));

function draw(pen, { parts, ends, plain, rows, law, guided, wanted }, { weight, name }) {
  const { ink, soft, paper } = pen.colours, map = plane(pen), color = pen.colours[name];
  map.shade(law, SIDE.length, 1.5 * Math.max(...law), ink);
  CLASSES.forEach((c, k) => { // data, faintly
    const mine = DOTS.slice(300 * k, 300 * (k + 1));
    const at = (j) => every(mine, j).map((z, i) => parts[PER * k + (i % PER)][j] + STD * z);
    map.dots(at(0), at(1), { color: pen.colours[c], radius: pen.small ? 1 : 1.5,
      alpha: dark() ? 0.8 : 0.4 });
  });
  for (let i = 0; i < 2 * N; i += 8) map.line([plain[i], ends[i]], [plain[i + 1], ends[i + 1]],
    { color, width: 1, alpha: 0.5 });
  map.dots(every(ends, 0), every(ends, 1), { color, radius: pen.small ? 2 : 3, ring: paper });
  const size = pen.small ? 11 : 13;
  pen.text("dots: guided samples", 8, 14, { color, size, halo: paper });
  pen.text("shade: sharpened distribution", 8, 31, { color: ink, size, halo: paper });
  pen.text("lines: from where w = 1 puts them", 8, 48, { color, size, halo: paper });

  const right = pen.axes({ box: boxes(pen)[1], x: [0, 8], y: [0, 3],
    xlabel: "guidance scale w", title: "mean and spread" });
  right.line([weight, weight], [0, 3], { color: soft, width: 1 });
  [[0, color, []], [2, ink, []], [1, color, [6, 4]], [3, ink, [6, 4]]].forEach(([j, hue, dash]) =>
    right.line(WEIGHTS, rows.map((row) => row[j]), { color: hue, dash, width: 2 }));
  right.dots([weight, weight], guided, { color, radius: 5, ring: paper });
  right.dots([weight, weight], wanted, { color: ink, radius: 5, ring: paper });
  const last = rows[rows.length - 1], end = { align: "right", halo: paper, size };
  [[0, "guided: mean", 0.3], [2, "sharpened: mean", 0.16], [3, "sharpened: spread", 0.16],
    [1, "guided: spread", -0.16]].forEach(([j, words, up]) =>
    right.label(words, 7.9, last[j] + up, { ...end, color: j < 2 ? color : ink }));
}

const two = (v) => (Math.abs(v) < 0.005 ? 0 : v).toFixed(2);
const say = ({ guided, wanted }, { weight, name }) =>
  `w = ${weight.toFixed(1)}: the guided samples have mean ${two(guided[0])} ` +
  `along the ${name} arm and spread ${two(guided[1])}; the sharpened distribution has mean ` +
  `${two(wanted[0])} and spread ${two(wanted[1])}. Tap another class to guide towards it.`;

function touch(px, py, settings, pen) {
  const [x, y] = plane(pen).at(px, py);
  if (Math.abs(x) > REACH || Math.abs(y) > REACH) return null;
  const far = arms(settings.gap).map(([a, b]) => (x - a) ** 2 + (y - b) ** 2);
  return { name: CLASSES[Math.floor(far.indexOf(Math.min(...far)) / PER)] };
}

export const { about, controls, compute: mathematics, render } = figure({
  about: "Guided samples of one class in the plane, against the sharpened density, which has a formula.",
  controls: [
    { name: "weight", label: "guidance w", min: 0, max: 8, step: 0.1, value: 3, play: 6 },
    { name: "gap", label: "gap", min: 0.5, max: 1.3, step: 0.2, value: 0.9 },
    { name: "name", label: "class", options: CLASSES, value: CLASSES[0] },
  ],
  compute, draw, say, touch, aspect: 0.56, tall: 1.5,
});
export default { render };
