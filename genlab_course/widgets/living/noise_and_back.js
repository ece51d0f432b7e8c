// One walk from data to noise and back, for lesson 12: the derivation scrolls, this picture obeys it.
import { figure, grid, integral, noise } from "./stage.js";

const N = 20, NOW = 11, FAR = 4; // steps; the step t that is looked at, and where a large step back ends
const PEAKS = [-1, 1], SPREAD = 0.1; // the data: two narrow peaks
const BAR = [1, ...Array.from(grid(4.5, -5, N), (ratio) => 1 / (1 + Math.exp(-ratio)))];
const BETA = BAR.map((a, t) => (t ? 1 - a / BAR[t - 1] : 0));
const X = grid(-3, 3, 1201), DX = X[1] - X[0];
const normal = (x, mean, variance) => Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);

// The walk that all pictures show.
const FRESH = noise(27, N);
const PATH = [1];
for (let t = 1; t <= N; t++) PATH.push(Math.sqrt(1 - BETA[t]) * PATH[t - 1] + Math.sqrt(BETA[t]) * FRESH[t - 1]);

// Given one state, a later one; given x_0 and a state, the one before (6).
const jump = (from, to, x) => [Math.sqrt(BAR[to] / BAR[from]) * x, 1 - BAR[to] / BAR[from]];
const posterior = (t, x0, x) => [
  (Math.sqrt(BAR[t - 1]) * BETA[t] * x0 + Math.sqrt(1 - BETA[t]) * (1 - BAR[t - 1]) * x) / (1 - BAR[t]),
  ((1 - BAR[t - 1]) / (1 - BAR[t])) * BETA[t]];

// Of all noisy data at one step: the density, and the mean of x_0 given a state.
const spread = (t) => BAR[t] * SPREAD ** 2 + 1 - BAR[t];
const density = (t, x) => PEAKS.reduce((sum, m) => sum + normal(x, Math.sqrt(BAR[t]) * m, spread(t)) / 2, 0);
function bestGuess(t, x) {
  const a = Math.sqrt(BAR[t]), v = spread(t), weights = PEAKS.map((m) => normal(x, a * m, v));
  const total = weights.reduce((s, w) => s + w, 0);
  return PEAKS.reduce((s, m, k) => s + (weights[k] / total) * (m + (a * SPREAD ** 2 * (x - a * m)) / v), 0);
}
const noiseIn = (t, x, x0) => (x - Math.sqrt(BAR[t]) * x0) / Math.sqrt(1 - BAR[t]);
const meanFrom = (t, x, eps) => (x - (BETA[t] / Math.sqrt(1 - BAR[t])) * eps) / Math.sqrt(1 - BETA[t]);

// The exact step back to s given x_t alone, with the normal of the same mean and variance, and its misfit.
function stepBack(s, t, x) {
  const f = BAR[t] / BAR[s], raw = X.map((u) => density(s, u) * normal(x, Math.sqrt(f) * u, 1 - f));
  const total = integral(raw, DX), p = raw.map((v) => v / total);
  const mean = integral(p.map((v, i) => v * X[i]), DX);
  const variance = integral(p.map((v, i) => v * (X[i] - mean) ** 2), DX);
  const misfit = integral(p.map((v, i) => (v > 0 ? v * Math.log(v / normal(X[i], mean, variance)) : 0)), DX);
  return { p, mean, variance, misfit };
}

// The price of each step of the model (12) on this walk, its variance beta, in nats; and of the prior.
const priceOf = (gap, exact, model) => (gap * gap + exact) / (2 * model) - 0.5 + 0.5 * Math.log(model / exact);
const BEST = PATH.map((x, t) => (t ? bestGuess(t, x) : x));
const MODEL = PATH.map((x, t) => (t ? meanFrom(t, x, noiseIn(t, x, BEST[t])) : 0));
const PRICES = PATH.map((x, t) => {
  if (t < 2) return 0;
  const [mean, variance] = posterior(t, PATH[0], x);
  return priceOf(mean - MODEL[t], variance, BETA[t]);
});
const PRIOR = priceOf(Math.sqrt(BAR[N]) * PATH[0], 1 - BAR[N], 1);

// The walk back of several from pure noise, the network being the best there is.
const START = noise(6, 9), AGAIN = noise(8, 9 * N);
const WALKS = [];
WALKS[N] = START;
for (let t = N; t > 0; t--) WALKS[t - 1] = WALKS[t].map((x, i) =>
  meanFrom(t, x, noiseIn(t, x, bestGuess(t, x))) + (t > 1 ? Math.sqrt(BETA[t]) * AGAIN[9 * (N - t) + i] : 0));

const ONE = stepBack(NOW - 1, NOW, PATH[NOW]), LARGE = stepBack(FAR, NOW, PATH[NOW]);
const between = (a, b, part) => a.map((v, i) => v + part * (b[i] - v));
const clamp = (v) => Math.max(0, Math.min(1, v));

// Its stages, and where in the text each begins: the first words of a paragraph.
export const stages = [
  { name: "one step", at: ["Copy a photograph"] },
  { name: "two steps at once", at: ["Step 1."] },
  { name: "the jump", at: ["Step 2."] },
  { name: "two neighbours", at: ["Step 3."] },
  { name: "one step back, knowing x₀", at: ["Step 4.", "If you simplify"] },
  { name: "one step back, not knowing x₀", at: ["Step 5."] },
  { name: "two chains", at: ["We cannot compute the step back", "Step 6.", "Step 7."] },
  { name: "what each step costs", at: ["Step 8."] },
  { name: "the noise and its guess", at: ["Step 9.", "Step 10.", "Step 11."] },
  { name: "the walk back", at: ["Start from pure noise"] },
];
const VIEWS = [[8.4, 12.6], [7.4, 12.6], [-0.8, 13.4], [-0.8, 13.4], [-0.8, 13.4], [-0.8, 14.4], [5.5, 13.5], [-0.8, N + 1.8],
  [-0.8, 14.4], [-0.8, N + 0.8]]; // which steps each stage shows
export const terms = { x0: "blue", "xt−1": "orange", xt: "green", "ϵ": "pink", "ϵθ": "pink" };

function compute({ stage }) {
  const of = (t) => jump(t, NOW, PATH[t]), origins = [of(NOW - 1), of(NOW - 2), of(0)];
  const k = Math.min(1, Math.floor(stage)), part = clamp(stage - k);
  const after = between(origins[k], origins[k + 1], part); // x_t given where one stood
  const known = posterior(NOW, PATH[0], PATH[NOW]);
  const before = between(jump(0, NOW - 1, PATH[0]), known, clamp(stage - 3)); // x_{t-1} given x_0, then x_t too
  const eps = noiseIn(NOW, PATH[NOW], PATH[0]), guessed = noiseIn(NOW, PATH[NOW], BEST[NOW]);
  return { bar: BAR, beta: BETA, path: PATH, after, before, eps, guessed, best: BEST[NOW], mean: known[0],
    model: MODEL, prices: PRICES, prior: PRIOR, one: ONE.p, large: LARGE.p, moments: [ONE.mean, ONE.variance,
      LARGE.mean, LARGE.variance], misfits: [ONE.misfit, LARGE.misfit], walks: WALKS.map((row) => [...row]) };
}

const RIVER = (() => { // the density of all states, in each column from 0 to 1
  const rows = 81, ys = grid(-1.95, 1.95, rows), out = new Float64Array(rows * (N + 1));
  for (let t = 0; t <= N; t++) {
    const column = ys.map((y) => density(t, y) + (t ? 0 : 1e-9)), top = Math.max(...column);
    column.forEach((v, row) => { out[row * (N + 1) + t] = v / top; });
  }
  return out;
})();


// A letter with its index, beside a point.
function letter(pen, base, index, x, y, color, alpha, align = "left") {
  const size = 14, small = 10, wide = pen.wide(base, size) + pen.wide(index, small);
  const left = x - { left: 0, center: wide / 2, right: wide }[align], halo = pen.colours.paper;
  pen.context.globalAlpha = alpha;
  pen.text(base, left, y, { size, color, halo });
  pen.text(index, left + pen.wide(base, size) + 0.5, y + 4, { size: small, color, halo });
  pen.context.globalAlpha = 1;
}

// A density at one step, drawn along the axis of x: its height goes to the right.
function bell(plot, t, height, color, { alpha = 1, dash = [], fill = true } = {}) {
  const { context: c } = plot.pen, column = plot.X(1) - plot.X(0);
  const tall = Math.min(0.16 * plot.width, 46) / column / Math.max(0.8, ...height);
  const seen = X.map((x, i) => i).filter((i) => height[i] > 0.01 && i % 6 === 0);
  const ts = seen.map((i) => t + tall * height[i]), xs = seen.map((i) => X[i]);
  if (fill) {
    c.save();
    Object.assign(c, { fillStyle: color, globalAlpha: 0.32 * alpha });
    c.beginPath();
    ts.forEach((v, i) => c.lineTo(plot.X(v), plot.Y(xs[i])));
    c.lineTo(plot.X(t), plot.Y(xs[xs.length - 1]));
    c.lineTo(plot.X(t), plot.Y(xs[0]));
    c.fill();
    c.restore();
  }
  plot.line(ts, xs, { color, alpha, dash, width: fill ? 2 : 1.6 });
}
const curve = (mean, variance) => X.map((x) => normal(x, mean, Math.max(variance, 1e-4)));

function draw(pen, n, { stage }) {
  const { ink, soft, faint, paper, blue, orange, green, pink } = pen.colours, c = pen.context, t = NOW;
  const low = Math.min(stages.length - 2, Math.floor(stage)), view = between(VIEWS[low], VIEWS[low + 1], stage - low);
  const plot = pen.axes({ box: [0, 0, pen.width, pen.height - 17], bare: true, x: view, y: [-1.95, 1.95] });
  const on = (k) => clamp(1 - Math.abs(stage - k)), over = (a, b) => (stage < a ? on(a) : stage > b ? on(b) : 1);
  const left = plot.X(-0.5) - 4, right = plot.X(N + 0.5) + 4;
  c.save();
  c.beginPath();
  c.rect(plot.left, plot.top, plot.width, plot.height);
  c.clip();
  pen.axes({ box: [left, plot.top - 4, right - left, plot.height + 8], bare: true, x: [0, 1], y: [0, 1] })
    .shade(RIVER, N + 1, 1, faint);
  c.restore();
  const dot = (k, x, color, alpha, more = {}) => plot.dots([k], [x], { color, alpha, radius: 5, ring: paper, ...more });
  const steps = Float64Array.from(PATH, (_, k) => k), bold = { color: ink, width: 1.4 };

  // The walk itself, behind everything but the walk back.
  const walked = 1 - 0.75 * on(9);
  plot.line(steps, PATH, { color: soft, width: 1.3, alpha: 0.75 * walked });
  plot.dots(steps, PATH, { color: soft, radius: 2.2, alpha: walked });

  // Stages 0 to 2: from where one stood to x_t, and how far the noise may carry it.
  const forward = over(0, 2);
  if (forward) {
    const k = Math.min(1, Math.floor(stage)), part = clamp(stage - k), origins = [t - 1, t - 2, 0];
    const origin = origins[k] + part * (origins[k + 1] - origins[k]), low = Math.floor(origin);
    const stood = PATH[low] + (origin - low) * ((PATH[low + 1] ?? 0) - PATH[low]);
    const way = grid(origin, t, 30), shrink = (u) => stood + ((u - origin) / (t - origin)) * (n.after[0] - stood);
    const bar = (u) => { const i = Math.min(N - 1, Math.floor(u)); return BAR[i] + (u - i) * (BAR[i + 1] - BAR[i]); };
    const fades = stage > 1.5 ? way.map((u) => Math.sqrt(bar(u)) * PATH[0]) : way.map(shrink);
    plot.line(way, fades, { color: stage > 1.5 ? blue : orange, dash: [4, 3], width: 1.6, alpha: forward });
    bell(plot, t, curve(...n.after), green, { alpha: forward });
    dot(origin, stood, stage > 1.5 ? blue : stage < 0.5 ? orange : soft, forward);
    if (stage < 0.5) letter(pen, "x", "t−1", plot.X(origin) - 8, plot.Y(stood) - 11, orange, on(0), "right");
    if (Math.abs(stage - 1) < 0.5) letter(pen, "x", "t−2", plot.X(origin) - 8, plot.Y(stood) - 11, soft, on(1), "right");
    const arrow = stage > 1.5 ? on(2) : 0;
    if (arrow) {
      plot.arrow(t, n.after[0], t, PATH[t] + 0.12, { color: pink, width: 3, head: 9, alpha: arrow });
      letter(pen, "noise ε", "", plot.X(t) - 8, plot.Y((n.after[0] + PATH[t]) / 2), pink, arrow, "right");
    }
  }

  // Stages 3 and 4: its neighbour, given x_0, and then given x_t as well.
  const pair = over(3, 4);
  if (pair) {
    const seen = clamp(stage - 3);
    bell(plot, t, curve(Math.sqrt(BAR[t]) * PATH[0], 1 - BAR[t]), green, { alpha: pair * (1 - seen) });
    for (const [from, x, color] of [[0, PATH[0], blue], [t, PATH[t], green]])
      plot.line([from, t - 1], [x, n.before[0]], { color, width: 1.6, dash: [4, 3], alpha: pair * seen });
    const fade = grid(0, t, 40), bars = fade.map((u) => { const i = Math.min(N - 1, Math.floor(u)); return BAR[i] + (u - i) * (BAR[i + 1] - BAR[i]); });
    plot.line(fade, bars.map((a) => Math.sqrt(a) * PATH[0]), { color: blue, dash: [4, 3], width: 1.6, alpha: pair * (1 - seen) });
    bell(plot, t - 1, curve(...n.before), orange, { alpha: pair });
    dot(t - 1, n.before[0], orange, pair * seen, { radius: 4 });
    letter(pen, "x", "t−1", plot.X(t - 1) - 4, plot.Y(n.before[0] - 2.1 * Math.sqrt(n.before[1])) + 10, orange, pair, "center");
  }

  // Stage 5: x_0 is unknown; one small step, and a large one.
  const unknown = on(5);
  if (unknown) {
    const [mean, variance, far, broad] = n.moments;
    bell(plot, t - 1, n.one, orange, { alpha: unknown });
    bell(plot, t - 1, curve(mean, variance), ink, { alpha: unknown, dash: [4, 3], fill: false });
    bell(plot, FAR, n.large, orange, { alpha: unknown });
    bell(plot, FAR, curve(far, broad), ink, { alpha: unknown, dash: [4, 3], fill: false });
    c.globalAlpha = unknown;
    pen.text("one step", plot.X(t + 0.4), plot.top + 12, { size: 12, halo: paper, align: "center" });
    pen.text(`${t - FAR} steps`, plot.X(FAR), plot.top + 12, { size: 12, halo: paper, align: "center" });
    pen.text("dashed: the normal of equal moments", pen.width - 10, plot.top + plot.height - 8, { size: 11, color: soft, align: "right", halo: paper });
    c.globalAlpha = 1;
  }

  // Stages 6 and 7: two chains over the same states, and what each link costs.
  const chains = over(6, 7);
  if (chains) {
    for (let k = 0; k < N && on(6); k++) { // to and fro beside the line between two states
      const [a, b, p, q] = [plot.X(k), plot.Y(PATH[k]), plot.X(k + 1), plot.Y(PATH[k + 1])];
      const long = Math.hypot(p - a, q - b), u = [(p - a) / long, (q - b) / long], side = [5 * u[1], -5 * u[0]];
      const ends = (sign) => [[a + 8 * u[0] + sign * side[0], b + 8 * u[1] + sign * side[1]],
        [p - 8 * u[0] + sign * side[0], q - 8 * u[1] + sign * side[1]]].map(([x, y]) => plot.at(x, y));
      const [there, back] = [ends(1), ends(-1).reverse()];
      plot.arrow(...there[0], ...there[1], { color: soft, width: 2, head: 6, alpha: on(6) });
      plot.arrow(...back[0], ...back[1], { color: ink, width: 2, head: 6, alpha: on(6) });
    }
    plot.dots(steps, PATH, { color: ink, radius: 3, alpha: chains });
    c.globalAlpha = on(6);
    if (on(6)) {
      pen.text("q adds noise →", pen.width - 10, plot.Y(1.3), { size: 12, color: soft, align: "right", halo: paper });
      pen.text("← the model goes back", pen.width - 10, plot.Y(-0.45), { size: 12, align: "right", halo: paper });
    }
    c.globalAlpha = 1;
    const cost = on(7), top = Math.max(...PRICES), tall = 0.3 * plot.height;
    if (cost) {
      const base = plot.top + plot.height;
      for (let k = 2; k <= N; k++) {
        Object.assign(c, { fillStyle: orange, globalAlpha: 0.85 * cost });
        const high = (tall * PRICES[k]) / top, x0 = plot.X(k - 1.35), x1 = plot.X(k - 0.65);
        c.fillRect(x0, base - high, x1 - x0, high);
      }
      c.globalAlpha = cost;
      const at = (k) => plot.X(k), y = base - tall - 9;
      letter(pen, "L", "0", at(0), base - 8, blue, cost, "center");
      letter(pen, "L", "t−1", at(PRICES.indexOf(top) - 1), base - tall - 8, orange, cost, "center");
      letter(pen, "prior", "", pen.width - 6, base - 8, soft, cost, "right");
      c.globalAlpha = 1;
    }
  }

  // Stage 8: the noise that was added, and the noise that the best network guesses.
  const guess = on(8);
  if (guess) {
    const a = Math.sqrt(BAR[t]), truth = a * PATH[0], thought = a * n.best, seen = PATH[t];
    plot.line([0, t], [PATH[0], truth], { color: blue, dash: [4, 3], width: 1.6, alpha: guess });
    plot.line([0, t], [n.best, thought], { color: blue, dash: [1.5, 3], width: 1.6, alpha: guess });
    plot.line([t + 1.1, t + 1.1], [truth, thought], { color: pink, width: 6, alpha: 0.3 * guess });
    plot.arrow(t, truth, t, seen + 0.1, { color: pink, width: 3, head: 9, alpha: guess });
    plot.line([t - 0.35, t + 1.4], [truth, truth], { color: pink, width: 1, alpha: guess });
    plot.line([t - 0.35, t + 1.4], [thought, thought], { color: pink, width: 1, alpha: guess });
    dot(0, n.best, paper, guess, { ring: blue });
    letter(pen, "ε", "", plot.X(t) + 6, plot.Y(seen + 0.72 * (truth - seen)), pink, guess);
    letter(pen, "gap: the loss", "", pen.width - 10, plot.Y(truth) - 12, pink, guess, "right");
    letter(pen, "guessed x", "0", plot.X(0.4), plot.Y(n.best) + 16, blue, guess);
    dot(t - 1, n.mean, orange, guess, { radius: 4 });
    dot(t - 1, n.model[t], paper, guess, { radius: 4, ring: orange });
  }

  // Stage 9: the walk back, from the right.
  const back = on(9);
  if (back) {
    const first = Math.round(N * (1 - clamp(stage - 8)));
    for (let i = 0; i < n.walks[0].length; i++) {
      const ks = steps.slice(first), xs = n.walks.slice(first).map((row) => row[i]);
      plot.line(ks, xs, { color: ink, width: 1.3, alpha: 0.7 });
      plot.dots([first], [xs[0]], { color: first ? ink : blue, radius: 3.5 });
    }
  }

  const known = over(0, 8) * (1 - unknown), now = over(0, 5) || guess;
  dot(0, PATH[0], blue, over(2, 4) || guess || 0.5 * known);
  if (over(2, 4) || guess) letter(pen, "x", "0", plot.X(0), plot.Y(PATH[0]) - 14, blue, over(2, 4) || guess, "center");
  if (now && !(stage > 3 && stage < 3.2)) {
    dot(t, PATH[t], green, now);
    letter(pen, "x", "t", plot.X(t) + 9, plot.Y(PATH[t]) + 8, green, now);
  }
  for (const [words, x, align] of [["data", 8, "left"], ["more noise →", pen.width / 2, "center"], ["noise", pen.width - 8, "right"]])
    if (align === "center" || (align === "left" ? view[0] < 0 : view[1] > N)) pen.text(words, x, pen.height - 8, { size: 11, color: soft, align });
}

const say = (n, { stage }) => [
  `One step (1): fade by ${Math.sqrt(1 - BETA[NOW]).toFixed(2)}, then add noise of variance ${BETA[NOW].toFixed(2)}.`,
  `Two steps at once: the noises add their variances, to ${n.after[1].toFixed(2)}.`,
  `The jump (2): x₀ fades to ${Math.sqrt(BAR[NOW]).toFixed(2)} of itself; noise of variance ${(1 - BAR[NOW]).toFixed(2)} carries it to its place.`,
  `Given x₀, both neighbours are normals, of variances ${(1 - BAR[NOW - 1]).toFixed(2)} and ${(1 - BAR[NOW]).toFixed(2)}.`,
  `Knowing both ends, the state before is near ${n.before[0].toFixed(2)}, with variance ${n.before[1].toFixed(2)} only.`,
  `One step back is nearly a normal (KL ${n.misfits[0].toFixed(4)} nats), ${NOW - FAR} steps at once have two humps (${n.misfits[1].toFixed(2)}).`,
  "Two chains over the same states: q is fixed and adds noise, the model goes back.",
  `Each bar is one step's divergence in nats, ${n.prices.reduce((a, b) => a + b, 0).toFixed(2)} together; the prior costs ${n.prior.toFixed(3)}.`,
  `The noise was ${n.eps.toFixed(2)}; the best guess, not knowing x₀, is ${n.guessed.toFixed(2)}. The loss is the gap's square.`,
  "From pure noise, step by step, with the best guess of the noise: the two peaks are found again.",
][Math.round(stage)];

export const { about, controls, compute: mathematics, render } = figure({
  about: "A walk from data to noise and back, with what the derivation says of it.",
  controls: [{ name: "stage", min: 0, max: stages.length - 1, step: 1, value: 0 }],
  compute, draw, say, aspect: 0.42, tall: 1.05, narrow: 312,
});
export default { render };
