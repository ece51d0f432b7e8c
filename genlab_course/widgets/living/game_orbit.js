// The smallest GAN: a sample chases a slope, the slope runs after the sample; who ever arrives?
import { figure, near } from "./stage.js";

const STEPS = 150, REACH = 2.7, LOW = -2, HIGH = 1; // of the distance, as powers of ten
const COLOURS = { simultaneous: "red", alternating: "blue", extragradient: "green",
  optimistic: "orange" };
const METHODS = Object.keys(COLOURS), ALL = "all four";
const colour = (pen, method) => pen.colours[COLOURS[method]];
const strong = (method) => (method === ALL ? METHODS : [method]);

// Where each player would go: the datum is 0, the sample theta, the discriminator's logit psi x.
function field([theta, psi], gamma) {
  const turn = 1 / (1 + Math.exp(-theta * psi));
  return [psi * turn, -theta * turn - gamma * psi];
}

const go = (z, rate, v) => [z[0] + rate * v[0], z[1] + rate * v[1]];
const STEP = { // the state after a step; `v` is the field here, `before` what it was a step ago
  simultaneous: (z, rate, v) => go(z, rate, v),
  alternating(z, rate, v, before, gamma) {
    const theta = z[0] + rate * v[0];
    return [theta, z[1] + rate * field([theta, z[1]], gamma)[1]];
  },
  extragradient: (z, rate, v, before, gamma) => go(z, rate, field(go(z, rate, v), gamma)),
  optimistic: (z, rate, v, before) => go(z, rate, [2 * v[0] - before[0], 2 * v[1] - before[1]]),
};

function orbit(method, start, rate, gamma, steps) {
  let z = start, before = field(z, gamma);
  const path = [z];
  for (let k = 0; k < steps; k++) {
    const v = field(z, gamma);
    z = STEP[method](z, rate, v, before, gamma);
    before = v;
    path.push(z);
  }
  return path;
}

function compute({ start, rate, gamma, steps }) {
  const out = {};
  for (const m of METHODS) {
    out[m] = orbit(m, start, rate, gamma, steps);
    out[`${m} distance`] = out[m].map((z) => Math.hypot(...z));
  }
  return out;
}

function boxes({ width, height, small }) {
  if (small) {
    const side = Math.min(width, height * 0.58);
    return { plane: [0, 0, width, side], far: [0, side, width, height - side] };
  }
  const left = height + 26, split = Math.round(height * 0.4);
  return { plane: [0, 0, left, height], gan: [left + 30, 0, width - left - 38, split],
    far: [left, split, width - left, height - split] };
}

const players = (pen) => pen.axes({ box: boxes(pen).plane, x: [-REACH, REACH], y: [-REACH, REACH],
  xlabel: "generator's sample θ", ylabel: "discriminator's slope ψ", square: true });

// The players' plane: where the field turns, and every orbit; the chosen ones are strong.
function orbits(pen, computed, { start, gamma, method }) {
  const plane = players(pen), { soft, ink, paper } = pen.colours;
  const look = { color: soft, width: 1, head: 4, alpha: 0.45 };
  for (let a = -2.4; a < 2.5; a += 0.4) for (let b = -2.4; b < 2.5; b += 0.4) {
    const [u, v] = field([a, b], gamma), scale = 0.26 / (0.6 + Math.hypot(u, v));
    plane.arrow(a, b, a + scale * u, b + scale * v, look);
  }
  const first = strong(method);
  for (const m of [...METHODS.filter((m) => !first.includes(m)), ...first]) {
    const path = computed[m], color = colour(pen, m), chosen = first.includes(m), end = path.at(-1);
    const theta = path.map((z) => z[0]), psi = path.map((z) => z[1]);
    plane.line(theta, psi, { color, width: chosen ? 2.2 : 1.2, alpha: chosen ? 0.9 : 0.5 });
    if (m === method) plane.dots(theta, psi, { color, radius: 2.2 });
    plane.dots([end[0]], [end[1]], { color, radius: chosen ? 7 : 4.5, ring: paper });
  }
  plane.line([-0.12, 0.12], [0, 0]);
  plane.line([0, 0], [-0.12, 0.12]);
  plane.dots([start[0]], [start[1]], { color: paper, radius: 6, ring: ink });
  const right = start[0] < 1.2; // where there is room for the words
  pen.text("drag the start", plane.X(start[0]) + (right ? 10 : -10), plane.Y(start[1]) - 8,
    { size: 12, align: right ? "left" : "right", halo: pen.colours.paper });
}

// What the two numbers mean: a logit that is a line, and the point that climbs it.
function chase(pen, computed, { method }) {
  const plot = pen.axes({ box: boxes(pen).gan, x: [-REACH, REACH], y: [-2, 2], bare: true,
    title: "this GAN: logit ψx" });
  plot.line([-REACH, REACH], [0, 0], { color: pen.colours.faint });
  for (const m of strong(method)) {
    const psi = computed[m].at(-1)[1];
    plot.line([-9, 9], [-9 * psi, 9 * psi], { color: colour(pen, m), width: 2 });
  }
  if (method === ALL) {
    for (const m of METHODS) plot.dots([computed[m].at(-1)[0]], [0], { color: colour(pen, m), radius: 6 });
    plot.dots([0], [0], { radius: 4 });
    plot.label("data", 0.15, -0.95, { halo: pen.colours.paper });
    return;
  }
  plot.dots([0], [0], { radius: 6 });
  const [theta, psi] = computed[method].at(-1), color = colour(pen, method);
  const aside = psi < 0 ? ["right", -0.2] : ["left", 0.2]; // where the line is not
  plot.label("data", aside[1], -0.45, { align: aside[0] });
  plot.dots([theta], [0], { color, radius: 6 });
  const climb = 1.2 * psi / (1 + Math.exp(-theta * psi));
  plot.arrow(theta, 0, theta + climb, 0, { color, width: 2.5, head: 9 });
  plot.label("sample θ", theta, 0.45, { align: "center", color, halo: pen.colours.paper });
}

function distances(pen, computed, { method }) {
  const [left, top, width, height] = boxes(pen).far;
  const plot = pen.axes({ box: [left, top, width - 88, height], x: [0, STEPS], y: [LOW, HIGH],
    xlabel: "step", title: "distance from equilibrium", end: pen.width,
    yshow: (v) => String(+(10 ** v).toPrecision(1)) });
  const ends = [], power = (d) => Math.max(LOW, Math.min(9, Math.log10(d)));
  for (const m of METHODS) {
    const far = computed[`${m} distance`].map(power);
    plot.line(far.map((_, k) => k), far, { color: colour(pen, m), width: strong(method).includes(m) ? 3 : 1.5 });
    ends.push([plot.Y(Math.max(LOW + 0.3, Math.min(HIGH - 0.3, far.at(-1)))), m]);
  }
  ends.sort((a, b) => a[0] - b[0]);
  for (const k of [1, 2, 3]) ends[k][0] = Math.max(ends[k][0], ends[k - 1][0] + 15);
  const over = Math.max(0, ends[3][0] - (plot.top + plot.height - 8));
  for (const [y, m] of ends) pen.text(m, plot.X(STEPS) + 5, y - over,
    { size: 12, color: colour(pen, m), bold: strong(method).includes(m) });
}

function draw(pen, computed, settings) {
  orbits(pen, computed, settings);
  if (!pen.small) chase(pen, computed, settings);
  distances(pen, computed, settings);
}

function say(computed, { rate, gamma, steps, start }) {
  const words = METHODS.map((m) => {
    const d = computed[`${m} distance`].at(-1);
    return `${m} ${d > 1000 ? "far away" : String(+d.toPrecision(2))}`;
  });
  return `R1 ${gamma ? `γ = ${gamma.toFixed(1)}` : "off"}, rate ${rate.toFixed(2)}: from ` +
    `distance ${Math.hypot(...start).toFixed(2)}, after ${steps} steps: ${words.join(", ")}.`;
}

function touch(px, py, settings, pen, kind, begun) {
  const clip = (v) => +Math.max(-REACH, Math.min(REACH, v)).toFixed(3), plane = players(pen);
  return plane.at(...begun).some((v) => Math.abs(v) > REACH + 0.3) ? null
    : { start: plane.at(px, py).map(clip) };
}

const grip = (x, y, { start }, pen) => near(x, y, [players(pen).X(start[0]), players(pen).Y(start[1])]);

export const { about, controls, compute: mathematics, render } = figure({
  about: "Orbits of the two players of the smallest GAN, stepped in four ways from one start.",
  controls: [
    { name: "method", label: "update", options: [ALL, ...METHODS], value: ALL },
    { name: "rate", label: "rate", min: 0.05, max: 0.8, step: 0.05, value: 0.3 },
    { name: "gamma", label: "R1 gamma", min: 0, max: 2, step: 0.1, value: 0 },
    { name: "steps", label: "steps", min: 0, max: STEPS, step: 1, value: STEPS, play: 8 },
    { name: "start", value: [0.6, 0.4] },
  ],
  compute, draw, say, touch, grip, aspect: 0.56, tall: 1.45,
});
export default { render };
