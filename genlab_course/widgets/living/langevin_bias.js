// Langevin chains that begin with the right distribution: a long step spoils it, Metropolis' test keeps it.
import { figure, grid, near, normals } from "./stage.js";

const N = 141, BALLS = 36, STEPS = 100, FAR = 1e6;
const TARGETS = { // energy, slope of log p, half the line that is computed, and that is seen
  "two valleys": { energy: (x) => 2 * (x * x - 1) ** 2 + 0.5 * x,
    slope: (x) => -(8 * x * (x * x - 1) + 0.5), far: 3.5,
    seen: 2.4, low: -1, high: 5.5, top: 1.25 },
  "one valley, N(0, 1)": { energy: (x) => (x * x) / 2, slope: (x) => -x,
    far: 8, seen: 4.5, low: -0.8, high: 10.5, top: 0.5 },
};
const sum = (values) => values.reduce((a, b) => a + b, 0);
const round = (v, digits) => Math.round(v * 10 ** digits) / 10 ** digits;

for (const target of Object.values(TARGETS)) { // its density on N places
  const dx = (2 * target.far) / (N - 1), x = grid(-target.far, target.far, N);
  const weight = x.map((v) => Math.exp(-target.energy(v))), total = sum(weight) * dx;
  const p = weight.map((w) => w / total), density = (v) => Math.exp(-target.energy(v)) / total;
  const below = [];
  p.reduce((a, v, i) => (below[i] = i ? a + ((p[i - 1] + v) * dx) / 2 : 0), 0);
  const quantile = (u) => {
    const i = below.findIndex((b) => b > u);
    return x[i - 1] + (dx * (u - below[i - 1])) / (below[i] - below[i - 1]);
  };
  const right = Array.from({ length: BALLS }, (_, k) => round(quantile((k + 0.5) / BALLS), 4));
  Object.assign(target, { x, dx, p, density, right, known: new Map() });
}

// Numbers of chance, rounded: chains that long steps make chaotic are then the same everywhere.
const next = normals(10), Z = [], U = [];
for (let k = 0; k < STEPS * BALLS; k++) { Z.push(round(next(), 6)); U.push(next.uniform()); }

// Where a step brings the mass of each place, as a matrix; and which part of the moves is kept.
function kernel(target, eta, adjusted) {
  const key = `${eta} ${adjusted}`;
  if (target.known.has(key)) return target.known.get(key);
  const { x, dx, energy, slope } = target, E = x.map(energy), to = x.map((v) => v + eta * slope(v));
  const scale = dx / Math.sqrt(4 * Math.PI * eta), K = new Float64Array(N * N);
  const kept = new Float64Array(N), ends = []; // of a row: the first and last place reached
  const logQ = (i, j) => -((x[j] - to[i]) ** 2) / (4 * eta);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) {
      const there = logQ(i, j);
      const ratio = adjusted ? Math.min(0, E[i] - E[j] + logQ(j, i) - there) : 0;
      if (there + ratio < -60) continue;
      kept[i] += K[i * N + j] = scale * Math.exp(there + ratio);
    }
    if (adjusted) K[i * N + i] += 1 - kept[i]; // refused: it stays
    const row = K.subarray(i * N, i * N + N);
    ends.push([row.findIndex((v) => v > 0), row.findLastIndex((v) => v > 0)]);
  }
  if (target.known.size > 99) target.known.clear();
  target.known.set(key, { K, kept, ends });
  return target.known.get(key);
}

// The distribution after some steps, from the right one or from one point; mass that leaves is lost.
function evolve(target, eta, adjusted, steps, start) {
  const { K, ends } = kernel(target, eta, adjusted), { p, dx } = target;
  let law = start === null ? p : p.map((_, i) => (i === start ? 1 / dx : 0));
  for (let k = 0; k < steps; k++) {
    const after = new Float64Array(N);
    for (let i = 0; i < N; i++) {
      const mass = law[i], [low, high] = ends[i];
      if (mass < 1e-30 || low < 0) continue;
      for (let j = low; j <= high; j++) after[j] += mass * K[i * N + j];
    }
    law = after;
  }
  return law;
}

// Half of all that differs: the mass in the wrong place, the lost included.
const wrong = ({ p, dx }, law) =>
  (sum(law.map((v, i) => Math.abs(v - p[i]))) * dx + 1 - sum(law) * dx) / 2;

// Fraction right of 0, the spread of that part, and the mean square, of what is on the line.
function summary({ x, dx }, law) {
  const mass = sum(law), part = law.map((v, i) => (v * (1 + Math.sign(x[i]))) / 2);
  const share = sum(part);
  if (share * dx < 1e-6) return [0, 0, 0];
  const mean = sum(part.map((v, i) => v * x[i])) / share;
  return [share / mass, Math.sqrt(sum(part.map((v, i) => v * (x[i] - mean) ** 2)) / share),
    sum(law.map((v, i) => v * x[i] ** 2)) / mass];
}

function chains({ right, energy, slope, x }, eta, adjusted, steps, start) {
  let at = start === null ? right : right.map(() => x[start]);
  let before = at, refused = at.map(() => 0);
  const noise = Math.sqrt(2 * eta), move = (v, z) => v + eta * slope(v) + noise * z;
  for (let k = 0; k < steps; k++) {
    before = at;
    refused = at.map(() => 0);
    at = at.map((v, b) => {
      const z = Z[k * BALLS + b], y = move(v, z);
      if (!adjusted) return Math.max(-FAR, Math.min(FAR, y));
      const back = (v - y - eta * slope(y)) / noise;
      const kept = Math.log(U[k * BALLS + b]) < energy(v) - energy(y) - 0.5 * (back ** 2 - z ** 2);
      if (!kept) refused[b] = 1;
      return kept ? y : v;
    });
  }
  return { at, before, refused };
}

const stepSize = (log) => +(10 ** log).toPrecision(2);

function compute({ log_eta, chain, steps, target: name, start }) {
  const target = TARGETS[name], eta = stepSize(log_eta), adjusted = chain === "Metropolis";
  const law = evolve(target, eta, adjusted, steps, start), { kept } = kernel(target, eta, adjusted);
  return { eta, law, wrong: wrong(target, law), summary: summary(target, law),
    wanted: summary(target, target.p), left: Math.max(0, 1 - sum(law) * target.dx),
    accepted: adjusted ? sum(law.map((v, i) => v * kept[i])) * target.dx : 1,
    ...chains(target, eta, adjusted, steps, start) };
}

function panels(pen, { target: name }) {
  const { seen, low, high, top } = TARGETS[name], { width, height, small } = pen, x = [-seen, seen];
  const w = small ? width : Math.round(width * 0.56), h = small ? height * 0.42 : height;
  const [left, above] = small ? [0, h] : [w + 12, 0], each = (height - above) / 2; // of the small ones
  return [pen.axes({ box: [left, above, width - left, each], x, y: [low, high],
    title: "chains on the energy; tap: begin there" }),
    pen.axes({ box: [left, above + each, width - left, each], x, y: [0, top],
      title: "their distribution; tap: begin right" }),
    pen.axes({ box: [0, 0, w, h], x: [-2, 0.2], y: [small ? -14 : -9, 104], xlabel: "log10 of the step η",
      title: "% of the mass in the wrong place" })];
}

const LOGS = Array.from({ length: 45 }, (_, k) => -2 + 0.05 * k)
  .filter((v, k) => k % 2 === 0 || Math.abs(v + 1.05) < 0.3); // finer where the curve is steep

function draw(pen, found, settings) {
  const { law, at, before, refused, eta } = found, target = TARGETS[settings.target];
  const { ink, soft, faint, red, green, paper } = pen.colours;
  const { x, density, energy, high, seen } = target;
  const adjusted = settings.chain === "Metropolis", color = adjusted ? green : red;
  const [top, low, right] = panels(pen, settings), size = pen.small ? 12 : 13;
  const curve = grid(-seen, seen, 241), E = (v) => Math.min(energy(v), high * 0.96);
  top.line(curve, curve.map(energy), { color: soft, width: 3 });
  at.forEach((v, b) => top.line([before[b], v], [E(before[b]), E(v)],
    { color, width: 1, alpha: 0.35 }));
  at.forEach((v, b) => top.dots([v], [E(v)],
    { color: refused[b] ? paper : color, radius: 5, ring: refused[b] ? color : paper }));
  if (adjusted) pen.text("hollow: refused", top.left + top.width / 2, top.top + 12,
    { align: "center", color, size });
  low.line(x, law, { color, width: 2.5, fill: color });
  low.line(curve, curve.map(density), { color: ink, dash: [6, 4] });
  pen.text("wanted", low.left + low.width - 8, low.top + 10, { align: "right", size });
  pen.text(`after ${settings.steps} steps`, low.left + low.width - 8, low.top + 27,
    { align: "right", color, size });
  target.curve ??= LOGS.map((v) =>
    100 * wrong(target, evolve(target, stepSize(v), false, STEPS, null)));
  right.line(LOGS, target.curve, { color: red, width: 2.5, alpha: adjusted ? 0.4 : 1 });
  right.line([-2, 0.2], [0, 0], { color: green, width: 4, alpha: adjusted ? 1 : 0.4 });
  right.label(pen.small ? "plain, 100 steps" : "plain chains after 100 steps", -1.95, 93, { color: red, size, bold: !adjusted });
  right.label("with Metropolis' test: none", -1.95, pen.small ? -8 : -5, { color: green, size, bold: adjusted });
  right.line([settings.log_eta, settings.log_eta], [0, 104], { color: faint, width: 1.5 });
  right.dots([settings.log_eta], [100 * found.wrong], { color, radius: 9, ring: paper });
  const room = settings.log_eta < -0.6; // on which side there is room for the words
  pen.text("drag the step", right.X(settings.log_eta) + (room ? 15 : -15), right.Y(100 * found.wrong) - (room ? -1 : 1),
    { color, size: 12, align: room ? "left" : "right", halo: paper });
}

function say(found, { chain, target }) {
  const { summary: [share, width, square], wanted, left, accepted, eta } = found;
  const n = (v, digits = 2) => v.toFixed(digits), percent = (v) => `${Math.round(100 * v)} %`;
  const law = target === "two valleys"
    ? `Right valley: fraction ${n(share)} (wanted ${n(wanted[0])}), ` +
      `standard deviation ${n(width, 3)} (wanted ${n(wanted[1], 3)})`
    : `Mean square ${n(square)} (wanted 1; a settled plain chain has ${n(1 / (1 - eta / 2))})`;
  const gone = left > 0.005 ? `; ${percent(left)} have left for good` : "";
  const moves = chain === "plain" ? "" : `; ${percent(accepted)} of the moves are accepted`;
  const where = `${percent(found.wrong)} of the mass is in the wrong place`;
  return `η = ${eta}: ${where}. ${law}${gone}${moves}.`;
}

// On the energy: all chains begin there; on the density: they begin right; on the curve: the step.
function touch(px, py, settings, pen, kind, [x, y]) {
  const [top, low, right] = panels(pen, settings), clip = (v, a, b) => Math.max(a, Math.min(b, v));
  const inside = ({ left, top: above, width, height }) =>
    x >= left && x <= left + width && y >= above && y <= above + height;
  const { far, dx, seen } = TARGETS[settings.target];
  if (inside(top)) return { start: Math.round((clip(top.at(px, py)[0], -seen, seen) + far) / dx) };
  if (inside(low)) return { start: null };
  const log = Math.round(clip(right.at(px, py)[0], -2, 0.2) / 0.05) * 0.05;
  return inside(right) ? { log_eta: round(log, 2) } : null;
}

const grip = (x, y, settings, pen, found) => {
  const [, , right] = panels(pen, settings);
  return near(x, y, [right.X(settings.log_eta), right.Y(100 * found.wrong)]);
};

export const { about, controls, compute: mathematics, render } = figure({
  about: "Langevin chains move on an energy; below, their distribution against the target.",
  controls: [
    { name: "log_eta", label: "step η", min: -2, max: 0.2, step: 0.05, value: -1.3,
      show: stepSize },
    { name: "chain", label: "chain", options: ["plain", "Metropolis"], value: "plain" },
    { name: "steps", label: "steps", min: 0, max: STEPS, step: 1, value: 40, play: 6 },
    { name: "target", label: "energy", options: Object.keys(TARGETS), value: "two valleys" },
    { name: "start", value: null },
  ],
  compute, draw, say, touch, grip, aspect: 0.6, tall: 1.8, narrow: 620,
});
export default { render };
