// Straight against curved: the same starts and ends, joined by two flows, followed in few steps.
import { below, every, figure, grid, near, root, sunflower } from "./stage.js";

const N = 240, FRAMES = 60, REACH = 2.9, SHOWN = 20;
const TIMES = grid(1, 0, 17); // 1 is noise, 0 is data
const LAW = [[0.45, -1.7, 0.32], [0.55, 1.7, 0.32]]; // weight, mean, std: along either axis
const STARTS = sunflower(N);

// Where the exact flow of independent pairs is at time t: it keeps the fraction u of mass on its left.
const quantile = (u, t) => root((x) => LAW.reduce((sum, [w, m, s]) =>
  sum + w * below((x - (1 - t) * m) / Math.hypot((1 - t) * s, t)), -u));
const flow = (xs, t) => xs.map((x) => quantile(below(x), t));

// Mean velocity of all pairs (noise - data) that pass x at time t, along one axis.
function velocity(x, t) {
  let sum = 0, guess = 0;
  for (const [w, m, s] of LAW) {
    const v = ((1 - t) * s) ** 2 + t * t, off = x - (1 - t) * m;
    const p = (w * Math.exp((-off * off) / (2 * v))) / Math.sqrt(v);
    sum += p; guess += p * (m + ((1 - t) * s * s * off) / v);
  }
  return (x - guess / sum) / t;
}

// Euler's states with n equal steps. With optimal-transport pairs only one pair passes a place, and
// its velocity, start - end, does not change along the way.
function euler(starts, ends, n, straight) {
  const states = [starts];
  for (let k = 0; k < n; k++) states.push(states[k].map((x, i) =>
    x - (straight ? starts[i] - ends[i] : velocity(x, 1 - k / n)) / n));
  return states;
}

// What no control changes. On each axis the optimal map is the one that keeps the order.
const ENDS = flow(STARTS, 0), EACH = N / SHOWN;
const some = (points) => points.filter((_, i) => Math.floor(i / 2) % EACH === 0);
const EXACT = Array.from(TIMES, (t) => flow(some(STARTS), t));
function apart(p, q) { // mean distance of points
  const gaps = p.map((x, i) => (i % 2 ? 0 : Math.hypot(x - q[i], p[i + 1] - q[i + 1])));
  return gaps.reduce((a, b) => a + b, 0) / (p.length / 2);
}

function compute({ frame, steps, start }) {
  const part = (frame / FRAMES) * steps, k = Math.min(steps - 1, Math.floor(part));
  const mine = Float64Array.from(start), end = flow(mine, 0);
  const found = { exact: EXACT, ends: ENDS, end, truth: Array.from(TIMES, (t) => flow(mine, t)) };
  for (const kind of ["curved", "straight"]) {
    const states = euler(STARTS, ENDS, steps, kind === "straight");
    found[`${kind}Now`] = states[k].map((x, i) => x + (part - k) * (states[k + 1][i] - x));
    found[`${kind}Paths`] = states.map(some);
    found[`${kind}Own`] = euler(mine, end, steps, kind === "straight");
    found[`${kind}Miss`] = apart(states[steps], ENDS);
  }
  return found;
}

const panel = (pen, i) => pen.axes({ box: [(i * pen.width) / 2, 0, pen.width / 2, pen.height - 24],
  title: ["independent pairs", "optimal-transport pairs"][i], bare: true, square: true,
  x: [-REACH, REACH], y: [-REACH, REACH] });

function draw(pen, computed, { frame, steps, start }) {
  const { exact, ends, end, truth } = computed;
  const { ink, soft, paper, blue, orange, green, pink } = pen.colours;
  const hue = (x, y) => [blue, orange, green, pink][(x > 0) + 2 * (y > 0)];
  ["curved", "straight"].forEach((kind, side) => {
    const [now, own, paths, miss] = ["Now", "Own", "Paths", "Miss"].map((w) => computed[kind + w]);
    const map = panel(pen, side);
    const done = (frame / FRAMES) * steps; // how many steps of the paths to draw
    for (let i = 0; i < SHOWN; i++) {
      const color = hue(ends[2 * EACH * i], ends[2 * EACH * i + 1]);
      const at = (p, j) => p[2 * i + j], here = [now[2 * EACH * i], now[2 * EACH * i + 1]];
      if (!side) map.line(exact.map((p) => at(p, 0)), exact.map((p) => at(p, 1)),
        { color: soft, width: 1, alpha: 0.6 });
      const seen = paths.slice(0, Math.floor(done) + 1);
      map.line([...seen.map((p) => at(p, 0)), here[0]], [...seen.map((p) => at(p, 1)), here[1]],
        { color, width: 1.4, alpha: 0.9 });
    }
    for (const color of [blue, orange, green, pink]) {
      const mine = now.filter((_, i) => hue(ends[i - (i % 2)], ends[i - (i % 2) + 1]) === color);
      map.dots(every(mine, 0), every(mine, 1), { color, radius: pen.small ? 1.6 : 2.6, alpha: 0.85 });
    }
    const xs = own.map((p) => p[0]), ys = own.map((p) => p[1]);
    const led = side ? [start, end] : truth;
    map.line(led.map((p) => p[0]), led.map((p) => p[1]), { color: ink, width: 1.5, dash: [5, 4] });
    map.line(xs, ys, { color: paper, width: 5 });
    map.line(xs, ys, { color: ink, width: 2.5 });
    map.dots(xs, ys, { color: ink, radius: steps < 9 ? 4 : 3, ring: paper });
    map.dots([end[0]], [end[1]], { color: paper, radius: 5, ring: ink });
    pen.text(`${frame === FRAMES ? "missed" : "will miss"} by ${miss.toFixed(2)}`, map.left + map.width / 2,
      pen.height - 10, { align: "center", size: pen.small ? 12 : 14, bold: true });
  });
}

const say = ({ curvedMiss, straightMiss }, { frame, steps }) =>
  `At ${Math.round((100 * frame) / FRAMES)} % of the way from noise to data. ` +
  `Followed exactly, both flows carry each noise to the same sample. ` +
  `With ${steps} Euler step${steps > 1 ? "s" : ""} the curved flow misses it by ` +
  `${curvedMiss.toFixed(2)} on average, the straight one by ${straightMiss.toFixed(2)}. ` +
  "Drag to start a path of your own.";

function touch(px, py, settings, pen, kind, [left]) {
  const clip = (v) => Math.max(-2.8, Math.min(2.8, v));
  return { start: panel(pen, left > pen.width / 2 ? 1 : 0).at(px, py).map(clip) };
}

const grip = (x, y, { start }, pen) => near(x, y, ...[0, 1].map((i) =>
  [panel(pen, i).X(start[0]), panel(pen, i).Y(start[1])]));

export const { about, controls, compute: mathematics, render } = figure({
  about: "The same noise and the same data joined by a curved and by a straight flow, in Euler steps.",
  controls: [
    { name: "frame", label: "way to data", min: 0, max: FRAMES, step: 1, value: 54, play: 4,
      show: (v) => `${Math.round((100 * v) / FRAMES)} %` },
    { name: "steps", label: "Euler steps", min: 1, max: 16, step: 1, value: 3 },
    { name: "start", value: [-0.6, 1.5] },
  ],
  compute, draw, say, touch, grip, aspect: 0.53, tall: 0.64,
});
export default { render };
