// There and back: points dissolve into noise step by step, and the exact score brings noise back.
import { every, figure, grid, near, noise } from "./stage.js";

const T = 100, N = 480, WIDE = 5.9, HIGH = 3.4;
const SHOWN = [4, 75, 146, 217, 288, 359, 430]; // points whose path is drawn
const GX = grid(-WIDE, WIDE, 71), GY = grid(-HIGH, HIGH, 39);
const LAWS = { // clusters [x, y, standard deviation, group], equally heavy
  spiral: Array.from({ length: 36 }, (_, k) => {
    const u = (Math.floor(k / 3) / 11) ** 0.8, r = 0.35 + 2.4 * u;
    const angle = (2 * Math.PI * (k % 3)) / 3 + 3.3 * u;
    return [1.5 * r * Math.cos(angle), r * Math.sin(angle), 0.12 + 0.09 * u, k % 3];
  }),
  "two moons": Array.from({ length: 24 }, (_, k) => {
    const side = k % 2 ? -1 : 1, angle = (Math.PI * Math.floor(k / 2)) / 11;
    return [side * (2.6 * Math.cos(angle) - 1.3), side * (2.5 * Math.sin(angle) - 0.6), 0.17, k % 2];
  }),
  "four islands": [[-3.8, -0.8, 0.3, 0], [-1.3, 1.5, 0.4, 1], [1.4, -1.5, 0.4, 2], [3.8, 0.8, 0.3, 3]],
};
const WAYS = ["ancestral sampling", "probability-flow ODE"];

// The fraction of the signal left after each step, its log SNR falling evenly from 7 to -8; and the
// variance of the noise that each step adds.
const BAR = [1, ...Array.from(grid(7, -8, T), (ratio) => 1 / (1 + Math.exp(-ratio)))];
const BETA = BAR.map((a, t) => (t ? 1 - a / BAR[t - 1] : 0));
const DATA = noise(1, 2 * N), THERE = noise(2, 2 * N * T);
const BACK = noise(3, 2 * N * T), OWN = noise(4, 2 * T);

// The clusters after t steps: each mean shrinks, each variance grows towards 1.
const noised = (law, t) => law.map(([x, y, s]) =>
  [Math.sqrt(BAR[t]) * x, Math.sqrt(BAR[t]) * y, BAR[t] * s * s + 1 - BAR[t]]);

// Slope of the log-density of clusters at (x, y), and the likeliest cluster.
function score(clusters, x, y) {
  const logs = clusters.map(([a, b, v]) => -((x - a) ** 2 + (y - b) ** 2) / (2 * v) - Math.log(v));
  const top = logs.reduce((a, b) => Math.max(a, b));
  let sum = 0, sx = 0, sy = 0;
  for (let k = 0; k < logs.length; k++) {
    const [a, b, v] = clusters[k], w = Math.exp(logs[k] - top);
    sum += w; sx += (w * (a - x)) / v; sy += (w * (b - y)) / v;
  }
  return [sx / sum, sy / sum, logs.indexOf(top)];
}

// All states of the reverse process, from x_T at index T to the sample at 0: points as [x, y, x, y, ...].
function goBack(law, way, start, fresh) {
  const path = [];
  path[T] = start;
  for (let t = T; t > 0; t--) {
    const clusters = noised(law, t), x = path[t], y = path[t - 1] = new Float64Array(x.length);
    const a = BAR[t], b = BAR[t - 1], turn = Math.sqrt(1 - b) - Math.sqrt((b / a) * (1 - a));
    const spread = Math.sqrt((BETA[t] * (1 - b)) / (1 - a)), from = (T - t) * x.length;
    for (let i = 0; i < x.length; i += 2) {
      const slope = score(clusters, x[i], x[i + 1]);
      for (const j of [0, 1]) y[i + j] = way === WAYS[0]
        ? (x[i + j] + BETA[t] * slope[j]) / Math.sqrt(1 - BETA[t]) + spread * fresh[from + i + j]
        // x / alpha moves by the noise that is seen, times the change of sigma / alpha
        : Math.sqrt(b / a) * x[i + j] - Math.sqrt(1 - a) * slope[j] * turn;
    }
  }
  return path;
}

// What no slider changes: the states of all points, forward and in reverse, and the group that each end is in.
const known = new Map();
function film(data, way) {
  const law = LAWS[data];
  if (!known.has(data)) {
    const of = (i) => law[(i >> 1) % law.length];
    const there = [DATA.map((z, i) => of(i)[i % 2] + of(i)[2] * z)];
    for (let t = 1; t <= T; t++) there.push(there[t - 1].map((x, i) =>
      Math.sqrt(1 - BETA[t]) * x + Math.sqrt(BETA[t]) * THERE[(t - 1) * 2 * N + i]));
    known.set(data, there);
  }
  const there = known.get(data), key = data + way;
  if (!known.has(key)) known.set(key, goBack(law, way, there[T], BACK));
  const groups = (path) => Array.from({ length: N }, (_, i) =>
    law[score(noised(law, 0), path[0][2 * i], path[0][2 * i + 1])[2]][3]);
  const back = known.get(key);
  return { there, back, origin: groups(there), destination: groups(back) };
}

function compute({ time, data, way, start }) {
  const { there, back, origin, destination } = film(data, way), forward = time <= T;
  const t = forward ? time : 2 * T - time, path = forward ? there : back;
  const clusters = noised(LAWS[data], t);
  const trail = forward ? path.slice(0, t + 1) : path.slice(t).reverse();
  const own = goBack(LAWS[data], way, Float64Array.from(start), OWN), [x, y] = own[t];
  const slope = t ? score(clusters, x, y) : [0, 0]; // Tweedie: the best guess of the clean point
  const density = new Float64Array(GX.length * GY.length);
  for (const [a, b, v] of clusters) {
    const bell = (u) => Math.exp(-(u * u) / (2 * v)) / Math.sqrt(2 * Math.PI * v);
    const across = GX.map((u) => bell(u - a) / clusters.length), n = across.length;
    GY.forEach((u, row) => {
      const up = bell(u - b);
      for (let i = 0; i < n; i++) density[row * n + i] += across[i] * up;
    });
  }
  return { t, signal: Math.sqrt(BAR[t]), noise: Math.sqrt(1 - BAR[t]), cloud: path[t], density,
    trail: trail.map((p) => SHOWN.flatMap((i) => [p[2 * i], p[2 * i + 1]])), own,
    group: forward ? origin : destination,
    guess: [0, 1].map((j) => (own[t][j] + (1 - BAR[t]) * slope[j]) / Math.sqrt(BAR[t])),
    from: crossings(origin, destination),
    home: origin.filter((g, i) => g === destination[i]).length / N };
}

// Of the points that land in each group, the fractions that came from each.
function crossings(origin, destination) {
  const n = Math.max(...origin, ...destination) + 1;
  return Array.from({ length: n }, (_, to) => {
    const came = origin.filter((_, i) => destination[i] === to);
    return Array.from({ length: n }, (_, from) => came.filter((g) => g === from).length / came.length);
  });
}

const split = (pen) => pen.height - Math.max(64, 0.15 * pen.height);
const plane = (pen) => pen.axes({ box: [0, 0, pen.width, split(pen)], bare: true, square: true,
  x: [-WIDE, WIDE], y: [-HIGH, HIGH] });
const strip = (pen) => pen.axes({ box: [8, split(pen), pen.width - 16, pen.height - split(pen) - 18],
  bare: true, x: [0, 2 * T], y: [0, 1.2] });

// Who lands in a colour, by the colours that they came from: were the points at home, each bar had one.
function origins(pen, from, colours) {
  const c = pen.context, wide = pen.small ? 84 : 150, high = pen.small ? 8 : 12, size = pen.small ? 11 : 12;
  pen.text(pen.small ? "came from" : "who lands here came from", 8, 14, { size, color: pen.colours.soft });
  from.forEach((parts, to) => {
    const y = 26 + to * (high + 4);
    let x = 8 + 2 * high;
    Object.assign(c, { fillStyle: colours[to], globalAlpha: 1 });
    c.beginPath();
    c.arc(8 + high / 2, y + high / 2, high / 2, 0, 2 * Math.PI);
    c.fill();
    parts.forEach((part, g) => {
      c.fillStyle = colours[g];
      c.fillRect(x, y, part * wide, high);
      x += part * wide;
    });
  });
}

function draw(pen, { t, signal, cloud, density, own, group, trail, guess, from }, { time, way }) {
  const { ink, soft, faint, paper, blue, orange, green, pink } = pen.colours, forward = time <= T;
  const colours = [blue, orange, green, pink], top = plane(pen), low = strip(pen);
  top.shade(density, GX.length, 3 * Math.max(...density), soft);
  colours.forEach((color, g) => {
    const mine = cloud.filter((_, i) => group[i >> 1] === g);
    top.dots(every(mine, 0), every(mine, 1), { color, radius: pen.small ? 1.7 : 2.6, alpha: 0.8 });
  });
  const smooth = !forward && way === WAYS[1], last = smooth ? -40 : -10;
  SHOWN.forEach((one, i) => {
    const xs = trail.map((p) => p[2 * i]), ys = trail.map((p) => p[2 * i + 1]);
    const color = colours[group[one]];
    top.line(xs, ys, { color, width: 1.2, alpha: smooth ? 0.6 : 0.3 });
    top.line(xs.slice(last), ys.slice(last), { color, width: 2 });
    top.dots(xs.slice(-1), ys.slice(-1), { color, radius: pen.small ? 4 : 6, ring: paper });
  });
  if (!forward || time === T) {
    const xs = own.map((p) => p[0]), ys = own.map((p) => p[1]);
    top.line(xs, ys, { color: ink, width: 1, alpha: 0.4 });
    const end = smooth ? T + 1 : t + 11;
    top.line(xs.slice(t, end), ys.slice(t, end), { color: ink, width: 2 });
    top.line([xs[t], guess[0]], [ys[t], guess[1]], { color: ink, width: 1.2, dash: [3, 3] });
    top.dots([guess[0]], [guess[1]], { color: paper, radius: 4, ring: ink });
    top.dots([xs[t]], [ys[t]], { color: ink, radius: 7, ring: paper });
    if (Math.hypot(xs[t] - guess[0], ys[t] - guess[1]) > 0.6)
      top.label("best guess", guess[0], guess[1] - 0.35, { halo: paper, align: "center", size: 12 });
  }
  const words = forward ? "colour: where a point comes from" : "colour: where it will land";
  pen.text(words, pen.width - 8, 14, { align: "right", size: pen.small ? 11 : 13, color: soft });
  if (!forward) origins(pen, from, colours);
  const steps = grid(0, 2 * T, 2 * T + 1), left = steps.map((s) => Math.sqrt(BAR[T - Math.abs(s - T)]));
  low.line([0, 2 * T], [1, 1], { color: faint, width: 0, fill: soft });
  low.line(steps, left, { color: ink, width: 1.5, fill: blue });
  low.line([time, time], [0, 1.2], { color: ink, width: 1.5 });
  low.dots([time], [signal], { color: ink, radius: 5, ring: paper });
  low.label("noise", 0.82 * T, 0.6, { align: "center", size: 12 });
  low.label("signal", 0.17 * T, 0.45, { align: "center", size: 12 });
  const names = ["data", "forward →", "noise", pen.small ? "back →" : `back by ${way} →`, "data"];
  names.forEach((name, i) => pen.text(name, low.X((i * T) / 2), pen.height - 9, { color: soft,
    size: pen.small ? 11 : 12, align: ["left", "center", "center", "center", "right"][i] }));
}

const say = ({ t, signal, noise: sigma, home }, { time, way }) => time <= T
  ? `Forward, step ${t} of ${T}: x = ${signal.toFixed(2)} x₀ + ${sigma.toFixed(2)} ε. ` +
    "Each step adds a little noise, whatever the shape; at the end no shape is left."
  : `Reverse, step ${T - t} of ${T}, by ${way}. The distribution returns, the points do not: ` +
    `${(100 * home).toFixed(0)} % land in the colour they came from. ` +
    "Drag in the plane to send a point of your own.";

function touch(px, py, { time }, pen, kind, [, top]) {
  if (top > split(pen)) {
    const at = Math.round(strip(pen).at(px, py)[0]);
    return { time: Math.max(0, Math.min(2 * T, at)) };
  }
  return { start: plane(pen).at(px, py), time: Math.max(T, time) };
}

// The point of one's own, where it is seen.
const grip = (x, y, { time }, pen, { own, t }) =>
  time >= T && near(x, y, [plane(pen).X(own[t][0]), plane(pen).Y(own[t][1])]);

export const { about, controls, compute: mathematics, render } = figure({
  about: "Points dissolve into noise, and a sampler with the exact score brings the noise back.",
  controls: [
    { name: "time", label: "time", min: 0, max: 2 * T, step: 1, value: 36, play: 9,
      show: (v) => (v <= T ? `step ${v}` : `back, step ${v - T}`) },
    { name: "way", label: "reverse process", options: WAYS, value: WAYS[1] },
    { name: "data", label: "data", options: Object.keys(LAWS), value: "spiral" },
    { name: "start", value: [1.2, 1.5] },
  ],
  compute, draw, say, touch, grip, aspect: 0.66,
});
export default { render };
