// A few steps along the flow: three samplers with the perfect network, and what their steps cost.
import { below, figure, grid, near, normals, root } from "./stage.js";

const N = 240, SHOWN = 15, TOP = 3.2, FEW = 3, MANY = 40, CLEAN = 5.2; // where "no noise" is drawn
const LAW = [[0.25, -2, 0.25], [0.35, 0.2, 0.2], [0.4, 1.6, 0.35]]; // weight, mean, std
const SAMPLERS = ["DDIM", "DPM-Solver++ (2M)", "DDPM (ancestral)"];

// The usual schedule of 1000 steps, as half the log SNR of each: -5 is noise, 5 is data.
const LAM = [];
for (let t = 0, bar = 1; t < 1000; t++) {
  bar *= 1 - (1e-4 + ((0.02 - 1e-4) * t) / 999);
  LAM.push(0.5 * Math.log(bar / (1 - bar)));
}
const COLUMNS = grid(LAM[999], CLEAN, 32), ROWS = grid(-TOP, TOP, 55);
const kept = (lam) => Math.sqrt(1 / (1 + Math.exp(-2 * lam))); // alpha
const added = (lam) => Math.sqrt(1 / (1 + Math.exp(2 * lam))); // sigma

// Where the exact flow is that has a fraction u of the mass below it.
const quantile = (u, alpha, sigma) => root((x) => LAW.reduce((sum, [w, m, s]) =>
  sum + w * below((x - alpha * m) / Math.hypot(alpha * s, sigma)), -u));
const exactPath = (u) => COLUMNS.map((lam, i) => i < COLUMNS.length - 1
  ? quantile(u, kept(lam), added(lam)) : quantile(u, 1, 0));

// Best guess of the clean point y0 from y = y0 + s * noise.
function denoise(y, s) {
  let sum = 0, guess = 0;
  for (const [w, m, d] of LAW) {
    const v = d * d + s * s, p = (w * Math.exp(-((y - m) ** 2) / (2 * v))) / Math.sqrt(v);
    sum += p; guess += p * (m + (d * d * (y - m)) / v);
  }
  return sum > 0 ? guess / sum : y;
}

// The levels that a sampler visits: even in the step's index, or for 2M in log SNR.
function levels(sampler, n) {
  if (sampler !== SAMPLERS[1]) return Array.from({ length: n }, (_, k) => {
    const at = 999 * ((n - k) / n), down = Math.floor(at);
    return at - down === 0.5 ? down + (down % 2) : Math.round(at); // a half goes to the even one
  });
  const chosen = [];
  for (let k = 0; k < n; k++) {
    const wanted = LAM[999] + (k / (n - 1)) * (LAM[0] - LAM[999]);
    let best = 999;
    for (let t = 998; t >= 0; t--)
      if (Math.abs(LAM[t] - wanted) <= Math.abs(LAM[best] - wanted)) best = t;
    chosen.push(Math.max(n - 1 - k, Math.min(best, k ? chosen[k - 1] - 1 : 999)));
  }
  return chosen;
}

// States (x at each level, the sample last) from starts at the noisiest level.
function run(sampler, n, starts, seed, visited = levels(sampler, n).map((t) => LAM[t])) {
  const lam = visited.slice(0, n), z = normals(seed), states = [starts];
  let y = starts.map((x) => x / kept(lam[0])), before = null;
  for (let k = 0; k < n; k++) {
    const s = Math.exp(-lam[k]), next = k < n - 1 ? Math.exp(-lam[k + 1]) : 0;
    const guess = y.map((v) => denoise(v, s)), ratio = next / s;
    const ahead = k && k < n - 1 ? (lam[k + 1] - lam[k]) / (2 * (lam[k] - lam[k - 1])) : 0;
    y = y.map((v, i) => {
      if (sampler === SAMPLERS[0]) return guess[i] + ratio * (v - guess[i]);
      if (sampler === SAMPLERS[2]) return guess[i] + ratio * ratio * (v - guess[i]) +
        next * Math.sqrt(1 - ratio * ratio) * z();
      const aim = guess[i] + (ahead ? ahead * (guess[i] - before[i]) : 0); // 2M: where it is going
      return aim + ratio * (v - aim);
    });
    before = guess;
    const scale = k < n - 1 ? kept(lam[k + 1]) : 1;
    states.push(y.map((v) => v * scale));
  }
  return { lam: [...lam, CLEAN], states };
}

// What no control changes.
const LEVELS = Array.from({ length: N }, (_, i) => (i + 0.5) / N);
const STARTS = LEVELS.map((u) => root((z) => below(z) - u));
const GOAL = LEVELS.map((u) => quantile(u, 1, 0));
const distance = (ends) => [...ends].sort((a, b) => a - b)
  .reduce((sum, x, i) => sum + Math.abs(x - GOAL[i]) / N, 0); // W1: sorted against quantiles
const some = (values) => values.filter((_, i) => i % (N / SHOWN) === N / SHOWN / 2);
const EXACT = some(LEVELS).map(exactPath);
const SHADE = Array.from(ROWS, (x) => Array.from(COLUMNS, (lam) => LAW.reduce((sum, [w, m, s]) => {
  const d = Math.hypot(kept(lam) * s, added(lam));
  return sum + (w * Math.exp(-0.5 * ((x - kept(lam) * m) / d) ** 2)) / (d * Math.sqrt(2 * Math.PI));
}, 0))).flat();
const RUNS = SAMPLERS.map((sampler) => Array.from({ length: MANY - FEW + 1 }, (_, k) => {
  const { lam, states } = run(sampler, FEW + k, STARTS, 7), ends = states[FEW + k];
  return { lam, paths: states.map(some), ends, error: distance(ends) };
}));
const CURVES = RUNS.map((runs) => runs.map(({ error }) => error));
const draws = normals(8), FLOOR = Array.from({ length: 20 }, () => distance(STARTS.map(() => {
  const u = draws.uniform(), [, m, s] = LAW[u < 0.25 ? 0 : u < 0.6 ? 1 : 2];
  return m + s * draws();
}))).reduce((a, b) => a + b / 20, 0); // what as many true points score

let last = { start: null }; // the exact path from the start, which most pictures share
function exactFrom(start) {
  if (last.start !== start) last = { start, path: exactPath(below(start)) };
  return last.path;
}

function compute({ sampler, steps, start }) {
  const { lam, paths, ends, error } = RUNS[SAMPLERS.indexOf(sampler)][steps - FEW];
  const own = run(sampler, steps, [start], 9, lam).states.map(([x]) => x), truth = exactFrom(start);
  return { lam, paths, ends, own, truth, exact: EXACT, shade: SHADE, curves: CURVES, floor: FLOOR, error,
    gap: Math.abs(own[steps] - truth[truth.length - 1]) };
}

function boxes({ width, height, small }) {
  return small ? [[0, 0, width - 62, 0.58 * height], [width - 62, 0, 62, 0.58 * height],
    [0, 0.58 * height, width, 0.42 * height]]
    : [[0, 0, 0.5 * width, height], [0.5 * width, 0, 0.12 * width, height],
      [0.62 * width, 0, 0.38 * width, height]];
}
const left = (pen) => pen.axes({ box: boxes(pen)[0], x: [LAM[999] - 0.35, CLEAN], y: [-TOP, TOP],
  title: pen.small ? "" : "from noise to data", yshow: () => "", xlabel: pen.small ? "" : "half log SNR" });

function draw(pen, computed, { sampler, steps }) {
  const { lam, paths, ends, own, truth, exact, shade, curves, floor, error } = computed;
  const { ink, soft, faint, paper, blue, orange, green, red } = pen.colours, c = pen.context;
  const hue = [orange, green, red], color = hue[SAMPLERS.indexOf(sampler)], map = left(pen);
  map.shade(shade, COLUMNS.length, 1.3, blue);
  for (const line of exact) map.line(COLUMNS, line, { color: blue, width: 1, alpha: 0.7 });
  for (let i = 0; i < SHOWN; i++) {
    map.line(lam, paths.map((p) => p[i]), { color, width: 1.3, alpha: 0.85 });
    if (steps < 21) map.dots(lam, paths.map((p) => p[i]), { color, radius: 1.8, alpha: 0.85 });
  }
  map.line(COLUMNS, truth, { color: ink, width: 2.5, dash: [6, 4] });
  map.line(lam, own, { color: paper, width: 6 });
  map.line(lam, own, { color, width: 3.5 });
  map.dots(lam, own, { color, radius: 4, ring: paper });
  map.dots(lam.slice(0, 1), own, { color, radius: 8, ring: paper }); // by which it is dragged
  map.label("exact flow", LAM[999] + 0.3, -TOP + 0.35, { color: blue, halo: paper });

  const [x, , w] = boxes(pen)[1], bins = 40, counts = new Float64Array(bins); // ends, turned by 90°
  for (const e of ends) {
    const k = Math.floor(((e + TOP) / (2 * TOP)) * bins);
    if (k >= 0 && k < bins) counts[k] += bins / (2 * TOP * N);
  }
  const side = pen.axes({ box: [x, map.top - 4, w, map.height + 8], bare: true, x: [0, 0.95],
    y: [-TOP, TOP] });
  Object.assign(c, { fillStyle: color, globalAlpha: 0.55 });
  counts.forEach((v, k) => c.fillRect(side.X(0), side.Y(-TOP + (2 * TOP * (k + 1)) / bins),
    Math.min(side.width, side.X(v) - side.X(0)), side.height / bins - 1));
  c.globalAlpha = 1;
  const last = ROWS.map((_, i) => shade[(i + 1) * COLUMNS.length - 1]);
  side.line(last, ROWS, { color: ink, width: 1.5 });

  const log = Math.log10, scale = pen.axes({ box: boxes(pen)[2], bare: true, y: [-2.3, 0.1],
    x: [log(FEW), log(MANY + 5)], title: pen.small ? "" : "distance of samples to data" });
  Object.assign(scale, { left: scale.left + 34, width: scale.width - 42, height: scale.height - 34 });
  for (const v of [0.01, 0.1, 1]) {
    scale.line(scale.x, [log(v), log(v)], { color: faint, width: 1 });
    pen.text(String(v), scale.left - 5, scale.Y(log(v)), { color: soft, align: "right", size: 12 });
  }
  for (const v of [3, 5, 10, 20, 40])
    pen.text(String(v), scale.X(log(v)), scale.top + scale.height + 11,
      { color: soft, align: "center", size: 12 });
  pen.text("network evaluations", scale.left + scale.width / 2, scale.top + scale.height + 27,
    { align: "center", size: 12 });
  const across = Array.from({ length: MANY - FEW + 1 }, (_, k) => log(FEW + k));
  scale.line(scale.x, [log(floor), log(floor)], { color: soft, width: 1, dash: [2, 3] });
  pen.text(`${N} true points`, scale.left + 4, scale.Y(log(floor)) + 9, { color: soft, size: 11 });
  curves.forEach((curve, i) => scale.line(across, curve.map((v) => log(v)), { color: hue[i],
    width: hue[i] === color ? 3 : 1.5, alpha: hue[i] === color ? 1 : 0.6 }));
  for (const [i, name, n, shift] of [[0, "DDIM", 27, 15], [1, "2M", 14, 15], [2, "DDPM", 14, -15]])
    pen.text(name, scale.X(log(n)), scale.Y(log(curves[i][n - FEW])) + shift, { color: hue[i],
      halo: paper, align: i === 1 ? "right" : "center", bold: hue[i] === color });
  scale.dots([log(steps)], [log(error)], { color, radius: 6, ring: paper });
}

const say = ({ error, gap }, { sampler, steps }) =>
  `${sampler} with ${steps} evaluations: W₁ of its samples to the data is ${error.toFixed(3)}. The thick ` +
  `path ends ${gap.toFixed(2)} from where the exact flow (dashed) ends. Drag up and down to move it.`;

function touch(px, py, settings, pen) {
  const map = left(pen);
  if (px > map.left + map.width || py > map.top + map.height + 10) return null;
  return { start: Math.max(-2.8, Math.min(2.8, map.at(px, py)[1])) };
}

const grip = (x, y, { start }, pen) => near(x, y, [left(pen).X(LAM[999]), left(pen).Y(start)]);

export const { about, controls, compute: mathematics, render } = figure({
  about: "Paths of a sampler over the exact flow from noise to data, and its error against its steps.",
  controls: [
    { name: "sampler", label: "sampler", options: SAMPLERS, value: SAMPLERS[0] },
    { name: "steps", label: "evaluations", min: FEW, max: MANY, step: 1, value: 8, play: 6 },
    { name: "start", value: -0.45 },
  ],
  compute, draw, say, touch, grip, aspect: 0.56, tall: 1.15,
});
export default { render };
