// log p as a bound and a gap, for lesson 05: the derivation scrolls, this picture obeys it.
import { figure, grid } from "./stage.js";

const clamp = (v) => Math.max(0, Math.min(1, v));
const between = (a, b, part) => a + part * (b - a);

// The lesson's tiny case: a fair coin, two templates that ink the pixel, a guess of the coin.
const COIN = 0.5, INKS = [0.2, 0.8], GUESS = 0.7;
const JOINT = INKS.map((ink) => COIN * ink), EVIDENCE = JOINT[0] + JOINT[1], POSTERIOR = JOINT[1] / EVIDENCE;
const sides = (q) => [1 - q, q], nats = (p, q) => (p ? p * Math.log(q) : 0);
const boundOf = (q, joint) => sides(q).reduce((sum, v, z) => sum + nats(v, joint[z]) - nats(v, v), 0);
const WEIGHTS = sides(GUESS).map((v, z) => JOINT[z] / v);
const RECONSTRUCTION = sides(GUESS).reduce((sum, v, z) => sum + nats(v, INKS[z]), 0);
const PRICE = sides(GUESS).reduce((sum, v) => sum + v * Math.log(v / COIN), 0);
const BOUND = boundOf(GUESS, JOINT), LOG_P = Math.log(EVIDENCE);
const Q = grid(0.01, 0.99, 99), ARCH = Q.map((q) => boundOf(q, JOINT));
const PARABOLA = Q.map((q) => LOG_P - (q - POSTERIOR) ** 2 / (2 * POSTERIOR * (1 - POSTERIOR)));

// EM with one number: ten pixels, six with ink. Template 1 inks always, template 0 now and then; unknown
// is how often template 1 is picked. The guess is about the pixels with ink: blank ones are template 0's.
const INKED = 0.6, SLIP = 0.2, STEPS = 5;
const jointOf = (pick) => [SLIP * (1 - pick), pick];
const blank = (pick) => (1 - INKED) * Math.log((1 - SLIP) * (1 - pick));
const emBound = (q, pick) => INKED * boundOf(q, jointOf(pick)) + blank(pick);
const emLogP = (pick) => INKED * Math.log(jointOf(pick)[0] + jointOf(pick)[1]) + blank(pick);
const best = (pick) => jointOf(pick)[1] / (jointOf(pick)[0] + jointOf(pick)[1]); // E
const count = (q) => INKED * q; // M
const CLIMB = [[0.9, 0.15]]; // [guess, model], after each half of a step
for (let k = 0; k < STEPS; k++) {
  const [, pick] = CLIMB.at(-1), q = best(pick);
  CLIMB.push([q, pick], [q, count(q)]);
}

// The bound of K draws in the tiny case: all outcomes, by how many of the draws are a 1.
const DRAWS = [1, 2, 4, 8, 16];
const boundFrom = (n) => {
  let ways = 1, sum = 0;
  for (let ones = 0; ones <= n; ones++) {
    const mean = (ones * WEIGHTS[1] + (n - ones) * WEIGHTS[0]) / n;
    sum += ways * GUESS ** ones * (1 - GUESS) ** (n - ones) * Math.log(mean);
    ways *= (n - ones) / (ones + 1);
  }
  return sum;
};
const MORE = DRAWS.map(boundFrom);

// Its stages, and where in the text each begins: the first words of a paragraph.
export const stages = [
  { name: "all the ways it happened", at: ["Step 1."] },
  { name: "the same areas, by your guess", at: ["Step 3."] },
  { name: "log of mean, mean of logs", at: ["In the tiny case, guess 0.7"] },
  { name: "two terms that you can compute", at: ["Step 4."] },
  { name: "log p = bound + gap", at: ["Step 5."] },
  { name: "an error costs its square", at: ["Step 6."] },
  { name: "one of two at a time", at: ["Step 7."] },
  { name: "E: the guess closes the gap", at: ["Step 8."] },
  { name: "M: the model lifts the bound", at: ["Step 9."], until: ["There they are, made"] },
  { name: "more draws, a smaller gap", at: ["Step 12."] },
];
export const terms = { q: "blue", "qϕ": "blue", qik: "blue", ELBO: "green", "ELBOi": "green", "ℒK": "green", w: "orange", wk: "orange", KL: "pink", δ: "pink" };

function compute({ stage }) {
  const part = clamp(stage - 6), lift = clamp(stage - 7); // E, then M
  const guess = between(CLIMB[0][0], CLIMB[1][0], part), pick = between(CLIMB[1][1], CLIMB[2][1], lift);
  return { evidence: EVIDENCE, posterior: POSTERIOR, weights: WEIGHTS, reconstruction: RECONSTRUCTION, price: PRICE, bound: BOUND,
    logP: LOG_P, arch: ARCH, parabola: PARABOLA, climb: CLIMB, rises: CLIMB.map(([q, p]) => [emBound(q, p), emLogP(p)]),
    now: [guess, pick, emBound(guess, pick), emLogP(pick)], archNow: Q.map((q) => emBound(q, pick)), more: MORE };
}

function draw(pen, n, { stage }) {
  const { ink, soft, faint, paper, blue, orange, green, pink } = pen.colours, c = pen.context, W = pen.width;
  const on = (k) => clamp(1 - 1.7 * Math.abs(stage - k)), over = (a, b) => (stage < a ? on(a) : stage > b ? on(b) : 1);
  const aside = W > 1.5 * pen.height;
  const faded = (alpha, f) => { if (alpha <= 0) return; c.save(); c.globalAlpha = alpha; f(); c.restore(); };
  const words = (said, x, y, color, alpha, more = {}) => faded(alpha, () => pen.text(said, x, y, { size: 12, color, halo: paper, align: "center", ...more }));
  const box = (x, y, w, h, color, alpha) => faded(alpha, () => { c.fillStyle = color; c.fillRect(x, y, w, h); });
  const frame = (x, y, w, h, color, alpha) => faded(alpha, () => { Object.assign(c, { strokeStyle: color, lineWidth: 1.6 }); c.strokeRect(x, y, w, h); });

  // The bar of log p, below the picture or beside it: a bound, and the gap that is left.
  const bars = Math.max(over(1, 5) * clamp(stage), over(6, 8)), em = clamp((stage - 5.2) / 0.6);
  const room = aside ? [0, 0, W - 0.37 * W * clamp(2 * bars), pen.height] : [0, 0, W, pen.height - 58 * clamp(2 * bars)];
  if (bars) {
    const [left, wide, top, thick] = aside ? [0.66 * W, 0.31 * W, pen.height / 2 - 8, 16] : [10, W - 20, pen.height - 38, 16];
    const low = between(-0.78, -1.14, em), high = between(-0.64, -0.6, em), X = (v) => left + (wide * (v - low)) / (high - low);
    const [bound, truth] = em < 0.5 ? [n.bound, n.logP] : n.now.slice(2);
    box(left, top, X(bound) - left, thick, green, 0.8 * bars);
    box(X(bound), top, X(truth) - X(bound), thick, pink, 0.95 * bars);
    box(X(truth) - 1.2, top - 5, 2.4, thick + 10, ink, bars);
    words("log p(x)", Math.min(X(truth), W - 30), top - 13, ink, bars);
    words(`ELBO ${bound.toFixed(3)}`, left, top + thick + 10, green, bars, { align: "left" });
    words(`gap ${(truth - bound).toFixed(3)}`, aside ? left : left + wide, top + thick + (aside ? 26 : 10), pink, bars, { align: aside ? "left" : "right" });
  }

  // Stages 0 and 1: areas p(x, z), of width p(z) and then of width q(z): the height is what remains.
  const tiles = over(0, 1);
  if (tiles) {
    const part = clamp(stage), tall = Math.min(room[3] - 50, 1.1 * room[2]), wide = Math.min(room[2] - 40, 1.15 * tall), x0 = (room[2] - wide) / 2 + 6, y0 = 22 + tall;
    const split = between(1 - COIN, 1 - GUESS, part), edges = [0, split, 1];
    for (const z of [0, 1]) {
      const x = x0 + edges[z] * wide, w = (edges[z + 1] - edges[z]) * wide, h = tall * between(INKS[z], n.weights[z], part);
      frame(x + 1, y0 - tall, w - 2, tall, soft, 0.6 * tiles * (1 - part));
      box(x + 1, y0 - h, w - 2, h, part > 0.5 ? orange : ink, tiles * (part > 0.5 ? 0.75 : 0.55));
      words("blank", x + w / 2, y0 - tall + 12, soft, z ? 0 : tiles * (1 - 2 * part));
      words(`${part < 0.5 ? "ink " : ""}${JOINT[z].toFixed(1)}`, x + w / 2, y0 - h / 2, ink, tiles, { bold: true });
      words(part < 0.5 ? `z = ${z}` : w < 64 ? `${sides(GUESS)[z].toFixed(1)}` : `q = ${sides(GUESS)[z].toFixed(1)}`, x + w / 2, y0 + 12, part < 0.5 ? ink : blue, tiles);
      words(part < 0.5 ? `${INKS[z]}` : `w = ${n.weights[z].toFixed(2)}`, x + w / 2, y0 - h - 10, part < 0.5 ? soft : orange, tiles);
    }
    if (part > 0.5) faded(tiles, () => {
      Object.assign(c, { strokeStyle: ink, lineWidth: 1.6 });
      c.setLineDash([5, 4]);
      c.beginPath();
      c.moveTo(x0 - 8, y0 - n.evidence * tall);
      c.lineTo(x0 + wide + 8, y0 - n.evidence * tall);
      c.stroke();
    });
  }

  // Stage 2: the logarithm bends, so its chord lies below it.
  const jensen = on(2);
  if (jensen) {
    const plot = pen.axes({ box: [room[0] + 6, 4, room[2] - 12, room[3] - 12], bare: true, x: [0.28, 0.64], y: [-1.3, -0.38] }), w = grid(0.28, 0.64, 60);
    plot.line(w, w.map(Math.log), { color: ink, width: 2, alpha: jensen });
    plot.line(n.weights, n.weights.map(Math.log), { color: green, width: 1.6, dash: [4, 3], alpha: jensen });
    plot.line([n.evidence, n.evidence], [n.bound, n.logP], { color: pink, width: 4, alpha: jensen });
    plot.dots(n.weights, n.weights.map(Math.log), { color: orange, radius: 5, ring: paper, alpha: jensen });
    plot.dots([n.evidence], [n.logP], { color: ink, radius: 5, ring: paper, alpha: jensen });
    plot.dots([n.evidence], [n.bound], { color: green, radius: 5, ring: paper, alpha: jensen });
    const at = (x, y, dx, dy) => [plot.X(x) + dx, plot.Y(y) + dy];
    words("w = 1/3", ...at(n.weights[0], Math.log(n.weights[0]), 12, 10), orange, jensen, { align: "left" });
    words("4/7", ...at(n.weights[1], Math.log(n.weights[1]), 6, 14), orange, jensen, { align: "left" });
    words("log of the mean", ...at(n.evidence, n.logP, -10, -12), ink, jensen, { align: "right" });
    words("mean of the logs", ...at(n.evidence, n.bound, 0, 18), green, jensen);
  }

  // Stages 3 and 4: reconstruction less price is the bound; closer by, what it leaves out.
  const two = over(3, 4);
  if (two) {
    const zoom = clamp(stage - 3), top = between(0, -0.6, zoom), low = between(-0.86, -0.745, zoom), high = 20, tall = room[3] - high - 22;
    const Y = (v) => high + (tall * (top - Math.max(low, Math.min(top, v)))) / (top - low), unit = (room[2] - 16) / 4, w = 0.62 * unit;
    const column = (k, from, to, color, alpha = 0.8) => box(8 + k * unit + (unit - w) / 2, Y(from), w, Math.max(0, Y(to) - Y(from)), color, alpha * two);
    const middle = (k) => 8 + (k + 0.5) * unit, foot = room[3] - 9;
    column(0, 0, n.reconstruction, blue, 0.6);
    column(1, n.reconstruction, n.bound, pink, 0.95);
    column(2, 0, n.bound, green);
    column(3, 0, n.logP, ink, 0.6);
    faded(two, () => {
      Object.assign(c, { strokeStyle: soft, lineWidth: 1 });
      c.beginPath();
      c.moveTo(8, high - 3);
      c.lineTo(room[2] - 8, high - 3);
      c.stroke();
    });
    words(top > -0.01 ? "0 nats" : `${top.toFixed(2)} nats`, 8, 9, soft, two, { align: "left" });
    for (const [k, said, color] of [[0, unit < 90 ? "reconstr." : "reconstruction", blue], [1, "price", pink], [2, "ELBO", green], [3, "log p", ink]])
      words(said, middle(k), foot, color, two);
    const near = clamp(3 * (zoom - 0.6)) * two;
    column(3, n.logP, n.bound, pink, 0.95 * near);
    words("gap", middle(3), Y((n.logP + n.bound) / 2), ink, near, { bold: true });
  }

  // Stages 5 to 8: the bound as an arch over the guess, below log p.
  const arch = over(5, 8);
  if (arch) {
    const plot = pen.axes({ box: [room[0] + 8, 16, room[2] - 16, room[3] - 44], bare: true, x: [0, 1], y: [between(-1.1, -1.22, em), between(-0.6, -0.62, em)] });
    const line = (ys, look) => plot.line(Q, ys, look), level = (v, color, alpha, dash = [6, 4]) => plot.line([0, 1], [v, v], { color, width: 1.8, dash, alpha });
    const tiny = on(5), steps = over(6, 8), [guess, , bound, truth] = n.now;
    if (tiny) {
      line(n.arch, { color: green, width: 2.4, alpha: tiny });
      line(n.parabola, { color: pink, width: 1.6, dash: [4, 3], alpha: tiny });
      level(n.logP, ink, tiny);
      plot.line([GUESS, GUESS], [n.bound, n.logP], { color: pink, width: 4, alpha: tiny });
      plot.dots([GUESS], [n.bound], { color: blue, radius: 6, ring: paper, alpha: tiny });
      words("log p(x)", plot.X(0.16), plot.Y(n.logP) - 11, ink, tiny);
      words("parabola", plot.X(0.42), plot.Y(-1.02), pink, tiny, { align: "right" });
      words("posterior", plot.X(n.posterior), plot.Y(n.logP) - 11, soft, tiny);
    }
    if (steps) {
      const before = Q.map((q) => emBound(q, CLIMB[1][1]));
      if (stage < 6.5) for (let k = 2; k < n.climb.length; k += 2) {
        line(Q.map((q) => emBound(q, n.climb[k][1])), { color: green, width: 1, alpha: 0.35 * on(6) });
      }
      if (stage < 6.5) plot.line(n.climb.map(([q]) => q), n.rises.map(([b]) => b), { color: blue, width: 1.6, alpha: 0.8 * on(6) });
      if (stage < 6.5) plot.dots(n.climb.map(([q]) => q), n.rises.map(([b]) => b), { color: blue, radius: 2.5, alpha: on(6) });
      if (stage > 7) {
        line(before, { color: green, width: 1.2, dash: [4, 3], alpha: 0.6 * steps });
        level(n.rises[1][1], soft, 0.8 * steps, [3, 4]);
      }
      line(n.archNow, { color: green, width: 2.4, alpha: steps });
      level(truth, ink, steps);
      plot.line([guess, guess], [bound, truth], { color: pink, width: 4, alpha: steps });
      plot.dots([guess], [bound], { color: blue, radius: 6, ring: paper, alpha: steps });
      words("log p(x)", plot.X(0.86), plot.Y(truth) - 10, ink, steps * (1 - clamp(2 - Math.abs(stage - 6) * 4)));
      if (stage > 6.6 && stage < 7.4) plot.arrow(CLIMB[0][0] - 0.06, n.rises[0][0] + 0.04, guess + 0.12, bound - 0.03, { color: blue, width: 2, head: 8, alpha: on(7) });
    }
    words("0", plot.X(0), plot.top + plot.height + 12, soft, arch, { align: "left" });
    words("your guess q(1)", plot.X(0.5), plot.top + plot.height + 12, blue, arch);
    words("1", plot.X(1), plot.top + plot.height + 12, soft, arch, { align: "right" });
  }

  // Stage 9: the bounds of 1, 2, 4, 8, 16 draws.
  const draws = on(9);
  if (draws) {
    const high = 26, foot = pen.height - 30, low = -0.73, top = n.logP, Y = (v) => high + ((foot - high) * (top - v)) / (top - low), unit = (W - 16) / DRAWS.length;
    DRAWS.forEach((k, i) => {
      const x = 8 + i * unit + 0.16 * unit, w = 0.68 * unit;
      box(x, Y(n.more[i]), w, foot - Y(n.more[i]), green, 0.8 * draws);
      box(x, Y(top), w, Y(n.more[i]) - Y(top), pink, 0.95 * draws);
      words(`${k}`, x + w / 2, foot + 9, ink, draws);
      if (i < 4) words((top - n.more[i]).toFixed(i < 3 ? 3 : 4), x + w / 2, Math.max(Y(top) + 9, (Y(top) + Y(n.more[i])) / 2), ink, draws, { size: 11, bold: true });
    });
    box(4, Y(top) - 1.2, W - 8, 2.4, ink, draws);
    words("log p(x)", 8, 13, ink, draws, { align: "left" });
    words("draws K", W / 2, pen.height - 8, soft, draws);
  }
}

const f = (v, digits = 3) => v.toFixed(digits);
const say = (n, { stage }) => [
  `Two ways to ink: areas ${f(JOINT[0], 1)} and ${f(JOINT[1], 1)}. Together p(x) = ${f(n.evidence, 1)}; of it template 1 has ${f(n.posterior, 1)}, the posterior.`,
  `The same two areas, cut by a guess of ${GUESS}: what was height is now a weight. Their mean (dashed) is p(x) = ${f(n.evidence, 1)}.`,
  `The log of the mean weight is ${f(n.logP)}. The mean of the logs lies on the chord, at ${f(n.bound)}.`,
  `Reconstruction ${f(n.reconstruction)} less the price ${f(n.price)}: a bound of ${f(n.bound)}, and nothing in it needs p(x).`,
  `Closer by: log p(x) = ${f(n.logP)} is the bound and a gap of ${f(n.logP - n.bound)}, KL(guess ‖ posterior).`,
  `Off by ${f(n.posterior - GUESS, 1)}, the guess loses ${f(n.logP - n.bound)} nats; the parabola says ${f((n.posterior - GUESS) ** 2 / (2 * n.posterior * (1 - n.posterior)))}.`,
  `Ten pixels, six inked. Template 1 always inks, 0 by ${SLIP}. How often is 1 picked? In ${STEPS} steps log p goes from ${f(n.rises[0][1], 2)} to ${f(n.rises.at(-1)[1], 2)}.`,
  `E: the guess goes to the posterior, ${f(n.now[0], 2)}. The gap closes, the bound is log p = ${f(n.now[3])}.`,
  `M: template 1 is now picked by ${f(n.now[1], 2)}. The bound rises to ${f(n.now[2])}, log p to ${f(n.now[3])}, at least as high.`,
  `In the tiny case the gap falls from ${f(n.logP - n.more[0], 4)} with one draw to ${f(n.logP - n.more.at(-1), 4)} with ${DRAWS.at(-1)}, about as 1/K.`,
][Math.round(stage)];

export const { about, controls, compute: mathematics, render } = figure({
  about: "log p(x) as a bound and a gap, with what the derivation says of it.",
  controls: [{ name: "stage", min: 0, max: stages.length - 1, step: 1, value: 0 }],
  compute, draw, say, aspect: 0.42, tall: 1.05, narrow: 312,
});
export default { render };
