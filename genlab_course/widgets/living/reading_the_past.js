// One picture read pixel by pixel, for lesson 02: the derivation scrolls, this picture obeys it.
import { figure } from "./stage.js";

const SIDE = 5, N = SIDE * SIDE, ASKED = 14; // the pixel that is asked for, counted from 1
const INK = [0.1, 0.8, 1, 0.7, 0, 0.3, 0.2, 0.1, 0.9, 0.2, 0, 0, 0.5, 0.8, 0, 0, 0.4, 0.9, 0.2, 0, 0.3, 1, 1, 0.9, 0.8]; // a 2
const place = (i) => [Math.floor(i / SIDE), i % SIDE];

// Position i reads the shifted input: place 0 holds "begin", place j the pixel j. A key says where its
// pixel stands, as the hands of two clocks; a query asks for the pixel above its own; a value is ink.
const D = 4, LOUD = 3, TURN = (2 * Math.PI) / 10;
const clock = (row, column) => [Math.cos(TURN * row), Math.sin(TURN * row),
  Math.cos(TURN * column), Math.sin(TURN * column)].map((v) => LOUD * v);
const QUERIES = INK.map((_, i) => { const [row, column] = place(i); return clock(row - 1, column); });
const KEYS = INK.map((_, j) => (j ? clock(...place(j - 1)) : [0, 0, 0, 0]));
const VALUES = INK.map((_, j) => (j ? INK[j - 1] : 0));

const TRIANGLE = INK.map((_, i) => INK.map((_, j) => (j <= i ? 1 : 0)));
const BEFORE = INK.map((_, i) => INK.map((_, j) => (j < i ? 1 : 0))); // not shifted yet
const MEANS = TRIANGLE.map((row) => { const sum = row.reduce((a, b) => a + b); return row.map((v) => v / sum); });
const SCORES = QUERIES.map((q) => KEYS.map((k) => q.reduce((sum, v, n) => sum + v * k[n], 0) / Math.sqrt(D)));
const WEIGHTS = SCORES.map((row, i) => {
  const top = Math.max(...row.slice(0, i + 1)), e = row.map((s, j) => (j <= i ? Math.exp(s - top) : 0));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
});
const output = (weights) => weights.map((row) => row.reduce((sum, w, j) => sum + w * VALUES[j], 0));
const OUTPUTS = output(WEIGHTS), AVERAGES = output(MEANS);

// Its stages, and where in the text each begins; before the words under `until` it leaves the page.
export const stages = [
  { name: "the past of one pixel", at: ["Step 1."] },
  { name: "draw in the same order", at: ["Step 2."], until: ["These are your first samples"] },
  { name: "one row of the rule", at: ["Step 8."] },
  { name: "shift, then mask", at: ["Step 9."] },
  { name: "a mean, by a loop", at: ["Step 10."] },
  { name: "the triangle: no loop", at: ["Step 11."] },
  { name: "one query meets its keys", at: ["Step 12."] },
  { name: "weights, and their mean", at: ["Follow one query by hand", "Step 13."] },
  { name: "the sampling walk", at: ["Here is a fast sampler", "Your loss, your attention", "Step 18."], until: ["The whole cache is"] },
];
export const terms = { q: "orange", qi: "orange", k: "blue", kj: "blue", v: "green", vj: "green" };

const clamp = (v) => Math.max(0, Math.min(1, v)), I = ASKED - 1;
function compute({ stage }) {
  const scores = SCORES[I].slice(0, ASKED);
  return { open: stage < 2.5 ? BEFORE : TRIANGLE, means: MEANS, scores, weights: WEIGHTS, output: OUTPUTS[I],
    average: AVERAGES[I], drawn: Math.round(N * clamp(stage - 7)) };
}

// How strongly the past of the asked pixel is marked, each place from 0 to 1.
function marks({ means, scores, weights }, stage) {
  const row = stage < 5.5 ? means[I] : stage < 6.5 ? scores.map((s) => Math.max(0, s)) : weights[I];
  const most = Math.max(...row);
  return row.slice(0, ASKED).map((v) => v / most);
}

// How dark a cell of the matrix is.
function shade({ open, means, weights, scores }, stage, r, q) {
  const mine = r === I;
  if (!open[r][q]) return 0;
  if (stage < 2.5) return mine ? 0.75 : 0.12;
  if (stage < 3.5) return 0.6;
  if (stage < 4.5) return mine ? 0.75 : 0.12;
  if (stage < 5.5) return Math.max(0.1, Math.sqrt(means[r][q]));
  if (stage < 6.5) return mine ? 0.1 + 0.7 * Math.max(0, scores[q] / Math.max(...scores)) : 0.1;
  return (mine ? 1 : 0.4) * Math.sqrt(weights[r][q]);
}

// A picture and a matrix, [left, top, side] of each: side by side or one above the other; the picture
// is `alone` (1), or the matrix stands with it (0).
function squares(W, H, alone) {
  const pad = 8, foot = 16, wide = W > 1.4 * H, whole = Math.min(W - 2 * pad, H - 2 * pad - foot);
  const small = wide ? Math.min(H - 2 * pad - foot, 0.36 * W) : 0.34 * H, side = small + alone * (whole - small);
  const middle = [(W - whole) / 2, (H - foot - whole) / 2], beside = wide ? [Math.max(pad, (W - 2 * small - 5 * pad) / 2 - 36), pad] : [(W - small) / 2, pad];
  const big = wide ? small : Math.min(H - small - 3.6 * pad - foot, W - 2 * pad);
  const [left, top] = beside.map((v, k) => v + alone * (middle[k] - v));
  return [[left, top, side], wide ? [beside[0] + small + 5 * pad, pad, big] : [(W - big) / 2, small + 3.2 * pad, big]];
}

function draw(pen, n, { stage }) {
  const { ink, soft, faint, paper, blue, orange, green } = pen.colours, c = pen.context;
  const on = (k) => clamp(1 - Math.abs(stage - k)), over = (a, b) => (stage < a ? on(a) : stage > b ? on(b) : 1);
  const walking = stage > 7.5, alone = Math.max(over(0, 1), on(8)), bars = over(6, 7);
  const [[left, top, side], [mleft, mtop, big]] = squares(pen.width, pen.height, alone), cell = side / SIDE;
  const at = (k) => { const [row, column] = place(k); return [left + column * cell, top + row * cell]; };
  const faded = (alpha, action) => { c.globalAlpha = alpha; action(); c.globalAlpha = 1; };
  const box = (x, y, w, h, color, alpha) => faded(alpha, () => { c.fillStyle = color; c.fillRect(x, y, w, h); });
  const frame = (x, y, w, h, color, width, alpha = 1) => faded(alpha, () => {
    Object.assign(c, { strokeStyle: color, lineWidth: width });
    c.strokeRect(x, y, w, h);
  });

  // The picture: what is known of it, and how strongly its past is read.
  const known = walking ? n.drawn : I, read = over(4, 7), strength = marks(n, stage);
  for (let k = 0; k < N; k++) {
    const [x, y] = at(k), past = k < known;
    box(x, y, cell, cell, ink, past ? 0.12 + 0.78 * INK[k] : 0.03);
    frame(x, y, cell, cell, faint, 1);
    if (!past && stage < 0.5) faded(2 * (0.5 - stage), () => pen.text("?", x + cell / 2, y + cell / 2, { size: 0.3 * cell, color: soft, align: "center" }));
    if (!past || walking) continue;
    const w = strength[k + 1];
    frame(x + 1.5, y + 1.5, cell - 3, cell - 3, blue, 1.5 + 1.7 * read * w, 0.5 + read * (w - 0.5));
    faded(0.85 * read, () => {
      c.fillStyle = blue;
      c.beginPath();
      c.arc(x + cell / 2, y + cell / 2, Math.max(0.5, 0.34 * cell * read * Math.sqrt(w)), 0, 2 * Math.PI);
      c.fill();
    });
  }
  const [askedX, askedY] = at(Math.min(N - 1, known));
  if (known < N) frame(askedX + 1, askedY + 1, cell - 2, cell - 2, orange, 3);
  const order = Math.max(on(1), on(8)); // of reading, as one line
  if (order) faded(0.75 * order, () => {
    Object.assign(c, { strokeStyle: orange, lineWidth: 2, lineJoin: "round" });
    c.beginPath();
    for (let k = 0; k < Math.max(1, walking ? n.drawn : ASKED); k++) c.lineTo(at(k)[0] + cell / 2, at(k)[1] + cell / 2);
    c.stroke();
  });
  if (alone > 0.5 && stage < 1.5) pen.text("blue: the past", left, top + side + 10, { size: 11, color: blue });

  // The matrix: rows predict, columns are what they may read.
  const seen = Math.max(over(2, 7) - alone, 0), unit = big / N, tall = 1 - 0.45 * bars;
  if (!seen) return;
  for (let r = 0; r < N; r++) for (let q = 0; q < N; q++)
    box(mleft + q * unit, mtop + r * unit * tall, unit - 0.6, unit * tall - 0.6, n.open[r][q] ? blue : soft,
      seen * Math.max(0.07, shade(n, stage, r, q)));
  frame(mleft - 1, mtop + I * unit * tall - 1, big + 1, unit * tall + 1, orange, 2, seen);
  faded(seen * (1 - bars), () => {
    pen.text(stage < 2.5 ? "columns: the pixels" : "columns: begin, then the pixels", mleft, mtop + big + 10, { size: 11, color: soft });
    pen.text(`row ${ASKED}`, mleft + big - 4, mtop + (I - 1) * unit - 2, { size: 11, color: orange, align: "right", halo: paper });
  });
  if (!bars) return;
  const base = mtop + big - 8, high = 0.33 * big, soften = clamp(stage - 6), top1 = Math.max(...n.scores);
  for (let q = 0; q < ASKED; q++) { // one bar a column: its score, then its weight
    const score = Math.max(0.02, n.scores[q] / top1), value = score + soften * (n.weights[I][q] / Math.max(...n.weights[I]) - score);
    box(mleft + q * unit, base - value * high, unit - 1, value * high, blue, 0.85 * bars);
    box(mleft + q * unit, base + 2, unit - 1, 6, green, soften * bars * (0.12 + 0.88 * VALUES[q]));
  }
  faded(bars, () => {
    const aside = pen.width > 1.4 * pen.height, x = mleft + (aside ? big + 6 : big), align = aside ? "left" : "right";
    pen.text(stage < 6.5 ? "q·k/√d" : "weights", x, base - 0.8 * high, { size: 12, color: blue, align });
    if (stage > 6.5) pen.text("values: ink", x, base + 4, { size: 12, color: green, align });
  });
}

const say = (n, { stage }) => [
  `Pixel ${ASKED} is asked for. What may be known are the ${I} pixels before it, and nothing after.`,
  "Read like a page: draw a pixel, go on to the next, and never back.",
  `Row ${ASKED} answers for pixel ${ASKED}, from the ${I} pixels before it alone.`,
  `The input is delayed by one, so the diagonal is open: ${(N * (N + 1)) / 2} of ${N * N} cells, the causal mask.`,
  `The loop goes over the past of one row: ${ASKED} values, each of weight ${n.means[I][0].toFixed(3)}. Their mean is ${n.average.toFixed(2)}.`,
  "The triangle, each row divided by its sum, does all rows at once.",
  `The query of pixel ${ASKED} asks for the pixel above. Its scores with ${ASKED} keys go from ${Math.min(...n.scores).toFixed(1)} to ${Math.max(...n.scores).toFixed(1)}.`,
  `Softmax makes weights: the largest is ${Math.max(...n.weights[I]).toFixed(2)}. The mean of the values is ${n.output.toFixed(2)}; without a choice it was ${n.average.toFixed(2)}.`,
  `${n.drawn} of ${N} pixels, in the order of reading, one network evaluation each. (A stored picture is read out here.)`,
][Math.round(stage)];

export const { about, controls, compute: mathematics, render } = figure({
  about: "A picture read pixel by pixel, with what the derivation says of it.",
  controls: [{ name: "stage", min: 0, max: stages.length - 1, step: 1, value: 0 }],
  compute, draw, say, aspect: 0.42, tall: 1.16, narrow: 312,
});
export default { render };
