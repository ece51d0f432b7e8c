// Two densities and the clerk between them, for lesson 07: the derivation scrolls, this picture obeys it.
import { figure, grid, integral, logNormal } from "./stage.js";

const clamp = (v) => Math.max(0, Math.min(1, v));
const HILLS = [[0.4, -1.5, 0.5], [0.6, 1, 0.7]]; // the data: weight, mean, spread; the samples: the same, shifted
const X = grid(-7, 15, 881), DX = X[1] - X[0], MARK = 0.7; // the outcome that is looked at
const density = (x) => HILLS.reduce((sum, [w, m, s]) => sum + w * Math.exp(logNormal(x, m, s)), 0);
const score = (x) => HILLS.reduce((sum, [w, m, s]) => sum + w * Math.exp(logNormal(x, m, s)) * (m - x) / s ** 2, 0) / density(x);
const P = X.map(density), logP = P.map(Math.log);

// The best clerk: D = p / (p + q), as a logit the difference of two log-densities (3); and its slope.
const logit = (x, shift) => Math.log(density(x)) - Math.log(density(x - shift));
const slope = (x, shift) => score(x) - score(x - shift);
const sigmoid = (l) => 1 / (1 + Math.exp(-l)), softplus = (l) => Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l)));
function game(shift) {
  const q = X.map((x) => density(x - shift)), l = X.map((x, i) => logP[i] - Math.log(q[i])), d = l.map(sigmoid);
  const value = -integral(l.map((v, i) => P[i] * softplus(-v) + q[i] * softplus(v)), DX); // (1)
  const js = integral(P.map((p, i) => { const m = (p + q[i]) / 2; return (p * Math.log(p / m) + q[i] * Math.log(q[i] / m)) / 2; }), DX);
  return { q, l, d, value, js };
}
const penalty = (shift) => integral(P.map((p, i) => (p * slope(X[i], shift) ** 2) / 2), DX); // (10), gamma = 1

// One outcome (2): the bracket for every answer.
const ANSWERS = grid(0.01, 0.99, 99), NEAR = 1.6, BEFORE = 2.4, NEXT = 0.8;
const [P_HERE, Q_HERE] = [density(MARK), density(MARK - NEAR)];
const BRACKET = ANSWERS.map((d) => P_HERE * Math.log(d) + Q_HERE * Math.log(1 - d));
const BEST = P_HERE / (P_HERE + Q_HERE);

// Two losses of the generator, by the logit, and their slopes (5) for a fake that was recognised, D = 0.01.
const LOGITS = grid(-6, 6, 121), LOW = Math.log(0.01 / 0.99);
const LOSSES = [LOGITS.map((l) => -softplus(l)), LOGITS.map((l) => softplus(-l))];
const SLOPES = [-sigmoid(LOW), sigmoid(LOW) - 1];

// Some samples, and how far each climbs the logit in the generator's turn.
const NOTES = [-0.4, 0, 0.5, 1.7, 2.2, 2.6, 3, 3.5], FAKES = [-0.5, 0.4, 2.2, 2.8];
const CLIMB = FAKES.map((x) => (1 - sigmoid(logit(x, NEAR))) * slope(x, NEAR));
const REAL = [-2, -1.5, -1, 0.3, 1, 1.7];
const PENALTIES = [NEAR, NEXT, 0].map(penalty), SLANTS = REAL.map((x) => slope(x, NEXT));

// Its stages, and where in the text each begins: the first words of a paragraph.
export const stages = [
  { name: "two sorts of notes", at: ["Step 1."] },
  { name: "one outcome at a time", at: ["Step 2."] },
  { name: "the best clerk, everywhere", at: ["Step 3."] },
  { name: "the value of the game", at: ["Step 4."] },
  { name: "a perfect forger: −log 4", at: ["JS is the Jensen"] },
  { name: "far apart: a ceiling", at: ["Step 5."] },
  { name: "same way, other strength", at: ["Step 6."] },
  { name: "turn by turn, uphill", at: ["Step 7."] },
  { name: "flat where the data are", at: ["Step 11."] },
];
export const terms = { p: "orange", q: "blue", D: "green", l: "green", JS: "pink", V: "pink" };
const SHIFTS = [NEAR, NEAR, NEAR, NEAR, 0, 7, NEAR, NEAR, NEXT];
const lerp = (list, stage) => { const k = Math.min(list.length - 2, Math.floor(stage)); return list[k] + (list[k + 1] - list[k]) * Math.min(1, stage - k); };

function compute({ stage }) {
  const shift = lerp(SHIFTS, stage), { q, l, d, value, js } = game(shift), asked = clamp(2 * stage - 1); // a clerk who knows nothing first
  const clerk = d.map((v) => 0.5 + asked * (v - 0.5));
  return { p: P, q, l, d: clerk, js, value: asked < 1 ? -Math.log(4) : value, here: [P_HERE, Q_HERE, BEST], bracket: BRACKET, losses: LOSSES, slopes: SLOPES,
    climb: CLIMB, before: game(BEFORE).d, penalties: PENALTIES, slants: SLANTS };
}

const f = (v, digits = 3) => v.toFixed(digits).replace(/^-(?=0\.?0*$)/, "");

function draw(pen, n, { stage }) {
  const { ink, soft, faint, paper, blue, orange, green, pink } = pen.colours, c = pen.context, W = pen.width, H = pen.height;
  const on = (k) => clamp(1 - 1.7 * Math.abs(stage - k)), over = (a, b) => (stage < a ? on(a) : stage > b ? on(b) : 1);
  const aside = W > 1.5 * H, bars = over(0, 5) - on(1), wide = aside ? W * (1 - 0.34 * Math.max(0, bars)) : W, tall = aside ? H : H - 56 * Math.max(0, bars);
  const words = (said, x, y, color, alpha, more = {}) => {
    if (alpha <= 0) return;
    c.globalAlpha = alpha;
    pen.text(said, x, y, { size: 12, color, halo: paper, align: "center", ...more });
    c.globalAlpha = 1;
  };
  const shift = lerp(SHIFTS, stage), view = stage < 4 || stage > 6 ? 0 : 1 - Math.abs(stage - 5), x = [-4, 5.6 + 5.4 * view];
  const split = 0.5 * tall, above = pen.axes({ box: [4, 6, wide - 8, split - 12], bare: true, x, y: [0, 0.44] });
  const whole = over(0, 5), low = over(7, 8), two = Math.max(whole, low);

  // The two densities.
  if (two) {
    above.line(X, n.p, { color: orange, width: 2, fill: orange, alpha: two });
    above.line(X, n.q, { color: blue, width: 2.2, alpha: two });
    const apart = Math.abs(shift) > 0.4;
    words("data p", above.X(-1.5), above.Y(n.p[0] + 0.36), orange, two * (H > 150));
    words(apart ? "samples q" : "q = p", Math.min(above.X(1 + shift) + (apart ? 10 : 26), wide - 34), above.Y(0.385), blue, two);
    above.line(x, [0, 0], { color: soft, width: 1.2, alpha: two });
  }
  if (on(0)) {
    REAL.forEach((v) => above.line([v, v], [0, 0.045], { color: orange, width: 3, alpha: on(0) }));
    NOTES.forEach((v) => above.line([v, v], [0, 0.045], { color: blue, width: 3, alpha: on(0) }));
  }

  // The clerk's answer at every place.
  const below = pen.axes({ box: [4, split + 8, wide - 8, tall - split - 22], bare: true, x, y: [0, 1] });
  const answer = Math.max(over(2, 5), on(0), on(7));
  if (answer) {
    for (const v of [0, 0.5, 1]) below.line(x, [v, v], { color: v === 0.5 ? soft : faint, width: 1, dash: v === 0.5 ? [3, 4] : [], alpha: answer });
    if (on(7)) below.line(X, n.before, { color: green, width: 1.4, dash: [4, 3], alpha: on(7) });
    below.line(X, n.d, { color: green, width: 2.4, alpha: answer });
    words("D", below.left + 10, below.Y(n.d[Math.round((x[0] + 0.5 - X[0]) / DX)]) + (n.d[0] > 0.7 ? 12 : -12), green, answer, { bold: true });
    words("½", wide - 12, below.Y(0.5) - 9, soft, answer);
  }
  const marked = over(1, 2);
  if (marked) {
    const [p, q, best] = n.here, bracket = on(1);
    above.line([MARK, MARK], [0, 0.44], { color: ink, width: 1.2, dash: [4, 3], alpha: marked });
    above.dots([MARK], [p], { color: orange, radius: 5, ring: paper, alpha: marked });
    above.dots([MARK], [q], { color: blue, radius: 5, ring: paper, alpha: marked });
    if (bracket) {
      const curve = pen.axes({ box: [24, split + 8, wide - 48, tall - split - 30], bare: true, x: [0, 1], y: [-1.15, -0.2] });
      curve.line(ANSWERS, n.bracket, { color: green, width: 2.4, alpha: bracket });
      const top = p * Math.log(best) + q * Math.log(1 - best);
      curve.line([best, best], [-2, top], { color: green, width: 1.4, dash: [4, 3], alpha: bracket });
      curve.dots([best], [top], { color: green, radius: 5, ring: paper, alpha: bracket });
      words(`best: ${best.toFixed(2)}`, curve.X(best), curve.Y(top) - 13, green, bracket);
      words("0", curve.X(0), H - 8, soft, bracket);
      words("every answer D", curve.X(0.42), H - 8, soft, bracket);
      words("1", curve.X(1), H - 8, soft, bracket);
    }
    if (on(2)) {
      below.line([MARK, MARK], [0, 1], { color: ink, width: 1.2, dash: [4, 3], alpha: on(2) });
      below.line([MARK, MARK], [0, best], { color: orange, width: 6, alpha: 0.8 * on(2) });
      below.line([MARK, MARK], [best, 1], { color: blue, width: 6, alpha: 0.8 * on(2) });
      below.dots([MARK], [best], { color: green, radius: 5, ring: paper, alpha: on(2) });
    }
  }
  if (on(3)) {
    above.line(X, n.p.map((v, i) => (v + n.q[i]) / 2), { color: ink, width: 1.8, dash: [5, 4], alpha: on(3) });
    words("m", above.X(-2.6), above.Y(0.11), ink, on(3), { bold: true });
  }

  // The value of the game: from minus log 4 up by twice the divergence.
  if (bars > 0) {
    const [left, long, top, thick] = aside ? [wide + 14, W - wide - 28, H / 2 - 8, 16] : [12, W - 24, H - 38, 16], at = (v) => left + long * (1 + v / Math.log(4));
    c.globalAlpha = bars;
    c.fillStyle = faint;
    c.fillRect(left, top, long, thick);
    c.fillStyle = pink;
    c.fillRect(left, top, at(n.value) - left, thick);
    c.fillStyle = ink;
    c.fillRect(at(n.value) - 1.2, top - 5, 2.4, thick + 10);
    c.globalAlpha = 1;
    words("−log 4", left, top + thick + 10, soft, bars, { align: "left" });
    words("0", left + long, top + thick + 10, soft, bars, { align: "right" });
    words(`V = ${f(n.value)}`, Math.max(left + 34, Math.min(left + long - 36, at(n.value))), top - 13, ink, bars);
    if (n.value > -1.1) words("2 JS", (left + at(n.value)) / 2, top + thick / 2, ink, bars, { bold: true });
  }

  // Stage 6: both losses fall, one of them steeply where the fake was recognised.
  if (on(6)) {
    const plot = pen.axes({ box: [6, 8, W - 12, H - 26], bare: true, x: [-6, 4], y: [-4.4, 6.2] }), look = { width: 2.4, alpha: on(6) };
    plot.line([-6, 4], [0, 0], { color: soft, width: 1, alpha: on(6) });
    plot.line(LOGITS, n.losses[0], { color: ink, ...look });
    plot.line(LOGITS, n.losses[1], { color: blue, ...look });
    [-softplus(LOW), softplus(-LOW)].forEach((y, k) => {
      plot.arrow(LOW, y, LOW + 1.8, y + 1.8 * n.slopes[k], { color: [ink, blue][k], width: 2.4, head: 8, alpha: on(6) });
      plot.dots([LOW], [y], { color: [ink, blue][k], radius: 5, ring: paper, alpha: on(6) });
    });
    plot.line([LOW, LOW], [-4.4, 6.2], { color: soft, width: 1, dash: [3, 4], alpha: on(6) });
    words("−log D", plot.X(-2.2), plot.Y(3.7), blue, on(6), { align: "left" });
    words("log(1 − D)", plot.X(1.2), plot.Y(-1.1) - 4, ink, on(6), { align: "left" });
    words("D = 0.01", plot.X(LOW) + 4, plot.Y(-3), soft, on(6), { align: "left" });
    words("logit →", W - 8, H - 9, green, on(6), { align: "right" });
  }

  // Stage 7: samples climb the logit of the clerk who has just answered.
  if (on(7)) FAKES.forEach((v, k) => {
    const to = v + 0.22 * n.climb[k], D = (u) => sigmoid(logit(u, NEAR));
    above.line([v, v], [0, 0.045], { color: blue, width: 3, alpha: on(7) });
    below.arrow(v, D(v), to, D(to), { color: blue, width: 2.4, head: 8, alpha: on(7) });
    below.dots([v], [D(v)], { color: blue, radius: 4.5, ring: paper, alpha: on(7) });
  });

  // Stage 8: the logit, and its slope at the data.
  if (on(8)) {
    const plot = pen.axes({ box: [4, split + 8, wide - 8, tall - split - 16], bare: true, x, y: [-5, 5] });
    plot.line(x, [0, 0], { color: soft, width: 1, dash: [3, 4], alpha: on(8) });
    plot.line(X, X.map((v) => logit(v, NEAR)), { color: green, width: 1.2, dash: [4, 3], alpha: 0.8 * on(8) });
    plot.line(X, n.l, { color: green, width: 2.4, alpha: on(8) });
    REAL.forEach((v, k) => {
      const y = logit(v, NEXT), h = 0.42 / Math.hypot(1, n.slants[k] / 3);
      plot.line([v - h, v + h], [y - h * n.slants[k], y + h * n.slants[k]], { color: orange, width: 4, alpha: on(8) });
      above.line([v, v], [0, 0.045], { color: orange, width: 3, alpha: on(8) });
    });
    words("logit l", plot.left + 8, plot.top + 8, green, on(8), { align: "left" });
  }
}

const say = (n, { stage }) => [
  `Half of the notes are real (orange), half are fakes (blue). A clerk who always says ½ scores −log 4 = ${f(-Math.log(4))}.`,
  `At the dashed place p is ${f(n.here[0], 2)} and q is ${f(n.here[1], 2)}. Of all answers one scores best: ${f(n.here[2], 2)}.`,
  "D = p / (p + q) at every place: p's part of the two, above one half where p exceeds q.",
  `Against the best clerk the game is worth ${f(n.value)}: −log 4 and twice the JS of ${f(n.js)}.`,
  `The samples have come onto the data: D is ½ everywhere, JS is ${f(n.js, 0)}, and the value has fallen to −log 4.`,
  `Apart, D is a cliff. JS is ${f(n.js)}, and log 2 = ${f(Math.log(2))} is its ceiling: still farther away changes nothing.`,
  `A fake with D = 0.01: log(1 − D) has the slope ${f(n.slopes[0], 2)} there, −log D has ${f(n.slopes[1], 2)}.`,
  "The clerk's turn: D (dashed) answers the newest fakes. The forger's turn: each sample climbs D's logit.",
  `R1 charges the slopes at the data: ${f(n.penalties[0], 1)} for the dashed logit, ${f(n.penalties[1], 1)} for this one, ${f(n.penalties[2], 0)} when q is p.`,
][Math.round(stage)];

export const { about, controls, compute: mathematics, render } = figure({
  about: "Two densities and the best discriminator, with what the derivation says of them.",
  controls: [{ name: "stage", min: 0, max: stages.length - 1, step: 1, value: 0 }],
  compute, draw, say, aspect: 0.42, tall: 1.05, narrow: 312,
});
export default { render };
