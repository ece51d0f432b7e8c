// Covering and seeking: one normal distribution under a target that the reader may draw.
import { below, figure, grid, integral, logNormal, root } from "./stage.js";

const X = grid(-22, 22, 881), DX = X[1] - X[0], SEEN = 6, BINS = 25;
const MEAN = 6, WIDTH = [0.2, 4]; // how far q may go
const FLOOR = 1e-6; // of a drawn target: a density that is zero nowhere
const EMPTY = 0.01; // the fraction of the data that lives where a sample is drawn in red
const PLACES = Array.from({ length: 200 }, (_, i) => root((z) => below(z) - (i + 0.5) / 200)); // of N(0, 1)
const normal = (x, m, s) => Math.exp(logNormal(x, m, s));

// The lesson's two modes, the left one heavier; or heights at 25 places, joined by lines.
function target({ shape, drawn }) {
  if (shape === "two modes") return X.map((x) => 0.6 * normal(x, -2, 0.6) + 0.4 * normal(x, 2, 0.6));
  const p = X.map((x) => {
    if (Math.abs(x) > SEEN) return FLOOR;
    const at = ((x + SEEN) / (2 * SEEN)) * (BINS - 1), k = Math.min(BINS - 2, Math.floor(at));
    return FLOOR + drawn[k] * (k + 1 - at) + drawn[k + 1] * (at - k);
  });
  const total = integral(p, DX);
  return p.map((v) => v / total);
}

// KL(p || q), KL(q || p) in nats, and where on the line each is paid.
function costs(p, m, s) {
  const logP = p.map(Math.log), logQ = X.map((x) => logNormal(x, m, s)), q = logQ.map(Math.exp);
  const forwardAt = p.map((v, i) => v * (logP[i] - logQ[i]));
  const reverseAt = q.map((v, i) => v * (logQ[i] - logP[i]));
  return { q, forwardAt, reverseAt, forward: integral(forwardAt, DX), reverse: integral(reverseAt, DX) };
}

// The density below which the fraction EMPTY of the data lies.
function emptyBelow(p) {
  const rising = [...p].sort((a, b) => a - b), total = rising.reduce((a, b) => a + b, 0);
  let mass = 0;
  return rising.find((v) => (mass += v) >= EMPTY * total);
}

function densityAt(p, z) {
  const at = (z - X[0]) / DX, k = Math.floor(at);
  return p[k] * (k + 1 - at) + p[k + 1] * (at - k);
}

// One clipped natural-gradient step on (mean, log standard deviation) of either divergence.
function descend(p, m, s, which) {
  const z = X.map((x) => (x - m) / s);
  const weight = X.map((x, i) => which === "forward" ? -p[i]
    : normal(x, m, s) * (1 + logNormal(x, m, s) - Math.log(p[i])));
  const dMean = integral(weight.map((w, i) => (w * z[i]) / s), DX); // d log q / dm = z / s
  const dLog = integral(weight.map((w, i) => w * (z[i] ** 2 - 1)), DX); // d log q / d log s
  const clip = (v, low, high) => Math.max(low, Math.min(high, v));
  return [clip(m - clip(0.2 * s * s * dMean, -0.1, 0.1), -MEAN, MEAN),
    clip(s * Math.exp(-clip(0.1 * dLog, -0.1, 0.1)), ...WIDTH)];
}

function compute({ shape, drawn, mean, width, minimise, steps }) {
  const p = target({ shape, drawn });
  let at = [mean, width];
  for (let k = 0; k < steps; k++) at = descend(p, ...at, minimise);
  const floor = emptyBelow(p), [m, s] = at, samples = PLACES.map((z) => m + s * z);
  const lost = samples.filter((z) => densityAt(p, z) < floor).length / samples.length;
  return { p, at, floor, lost, samples, ...costs(p, ...at) };
}

function boxes(pen) {
  const split = Math.round(pen.height * 0.6);
  return [[0, 0, pen.width, split], [0, split, pen.width, pen.height - split]];
}

function densities(pen) {
  return pen.axes({ box: boxes(pen)[0], x: [-6, 6], y: [0, 0.9], ylabel: "density" });
}

function draw(pen, { p, q, floor, lost, samples, forwardAt, reverseAt }, { shape }) {
  const { ink, soft, paper, blue, orange, green, red } = pen.colours, top = densities(pen);
  top.line(X, p, { color: ink, fill: ink });
  top.line(X, q, { color: blue, width: 2.5, dash: [7, 4] });
  const height = (_, i) => 0.015 + 0.05 * ((i * 37) % 50) / 50; // none hides another
  for (const [color, isLost] of [[blue, false], [red, true]]) {
    const kept = samples.map((z, i) => [z, height(z, i)]).filter(([z]) => (densityAt(p, z) < floor) === isLost);
    top.dots(kept.map(([z]) => z), kept.map(([, y]) => y), { color, radius: pen.small ? 1.7 : 2.2 });
  }
  if (shape !== "drawn by you") {
    const [x, y] = [top.left + 12, top.top + 14];
    pen.text("Draw a target here", x, y, { bold: true, size: pen.small ? 13 : 15, halo: paper });
    pen.text("press, and go across", x, y + 18, { color: soft, size: 12, halo: paper });
  }
  pen.text("data p", top.left + top.width - 8, top.top + 12, { align: "right", color: ink });
  pen.text("model q", top.left + top.width - 8, top.top + 30, { align: "right", color: blue });
  pen.text(`${Math.round(100 * lost)} % where hardly any data live`, top.left + top.width - 8,
    top.top + 48, { align: "right", color: red, halo: paper });
  const high = Math.max(1.5, Math.max(...forwardAt, ...reverseAt) * 1.15);
  const low = pen.axes({ box: boxes(pen)[1], x: [-6, 6], y: [-0.5, high], xlabel: "x", ylabel: "nats per x" });
  low.line(X, forwardAt, { color: orange });
  low.line(X, reverseAt, { color: green, dash: [7, 4] });
  pen.text("p log(p/q): forward", low.left + low.width - 8, low.top + 10, { align: "right", color: orange });
  pen.text("q log(q/p): reverse", low.left + low.width - 8, low.top + 28, { align: "right", color: green });
}

const say = ({ at: [m, s], forward, reverse, lost }) =>
  `Mean ${m.toFixed(2)}, standard deviation ${s.toFixed(2)}: forward KL(p‖q) = ${forward.toFixed(3)} nats, ` +
  `reverse KL(q‖p) = ${reverse.toFixed(3)} nats. ${(100 * lost).toFixed(1)} % of 200 samples of q lie where hardly any data live.`;

function touch(px, py, { drawn }, pen, kind, begun) {
  const plot = densities(pen), [x, y] = plot.at(px, py), [, first] = plot.at(...begun);
  if (first < -0.1 || first > 1) return null;
  const k = Math.max(0, Math.min(BINS - 1, Math.round(((x + 6) / 12) * (BINS - 1))));
  return { drawn: drawn.map((h, i) => (i === k ? Math.max(0, Math.min(1, y)) : h)), shape: "drawn by you" };
}

// The target is drawn all over the upper panel.
function grip(x, y, settings, pen) {
  const { left, top, width, height } = densities(pen);
  return x > left && x < left + width && y > top && y < top + height;
}
const follow = ({ at: [mean, width] }) => ({ mean, width });

export const { about, controls, compute: mathematics, render } = figure({
  about: "A normal distribution is laid under a target; below, where each divergence is paid.",
  controls: [
    { name: "shape", label: "target", options: ["two modes", "drawn by you"], value: "two modes" },
    { name: "mean", label: "mean", min: -MEAN, max: MEAN, step: 0.05, value: 0 },
    { name: "width", label: "standard deviation", min: WIDTH[0], max: WIDTH[1], step: 0.05, value: 1 },
    { name: "minimise", label: "minimise", options: ["forward", "reverse"], value: "reverse" },
    { name: "steps", label: "gradient steps", min: 0, max: 60, step: 1, value: 0, play: 4 },
    { name: "drawn", value: Array.from(grid(-SEEN, SEEN, BINS), (x) => 0.8 * Math.exp(-((x + 2) ** 2) / 2)) },
  ],
  compute, draw, say, touch, grip, follow, reset: { steps: 0 }, aspect: 0.62, tall: 1.25,
});
export default { render };
