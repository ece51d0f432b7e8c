// Who may read whom: a mask that the reader draws, what it costs, and the words that come of it.
import { figure, normals } from "./stage.js";

const N = 8, LETTERS = "abcdef", K = LETTERS.length, WORDS = 60;
const RIGHT = 0.9, OTHER = 0.02; // after a letter: the next of the alphabet, each of the others
const MASKS = { // which tokens j output i reads
  "causal": (i, j) => j < i, "left neighbour": (i, j) => j === i - 1,
  "diagonal too": (i, j) => j <= i, "all but itself": (i, j) => j !== i,
  "right to left": (i, j) => j > i, "nothing": () => false,
};
const every = (f) => Array.from({ length: N * N }, (_, at) => +f(Math.floor(at / N), at % N));
const U = ((next) => Array.from({ length: WORDS * N }, () => next.uniform()))(normals(2));
const sum = (values) => values.reduce((a, b) => a + b, 0);

const chosen = ({ preset, mask }) => (MASKS[preset] ? every(MASKS[preset]) : mask);

// The tokens that output i depends on: the mask's own, then theirs, once more for each layer.
function reachable(mask, layers) {
  let seen = mask;
  for (let l = 1; l < layers; l++) {
    const last = seen;
    seen = every((i, j) => last[i * N + j] ||
      mask.slice(i * N, i * N + N).some((m, k) => m && last[k * N + j]));
  }
  return seen;
}

// The letter k places after `from`: its probabilities, in closed form.
function later(from, to, k) {
  const kept = (RIGHT - OTHER) ** k;
  return (1 - kept) / K + ((from + k) % K === to ? kept : 0);
}

// p(x_i | the tokens seen): of a chain only the nearest on each side count, or the token itself.
function conditional(word, i, seen) {
  if (seen[i]) return Array.from(LETTERS, (_, v) => +(v === word[i]));
  const left = seen.lastIndexOf(1, i), right = seen.indexOf(1, i);
  const p = Array.from(LETTERS, (_, v) => (left < 0 ? 1 : later(word[left], v, i - left)) *
    (right < 0 ? 1 : later(v, word[right], right - i)));
  const total = sum(p);
  return p.map((v) => v / total);
}

// H(x_i | the tokens seen) in nats: the surprise of the best network with this mask.
function cost(i, seen) {
  const left = seen.lastIndexOf(1, i), right = seen.indexOf(1, i), word = new Array(N).fill(0);
  return sum(Array.from(LETTERS, (_, r) => { // the letter on the right; the one on the left is a
    if (right >= 0) word[right] = r;
    const weight = left >= 0 && right > i ? later(0, r, right - left) : 1 / K;
    return -weight * sum(conditional(word, i, seen).map((v) => (v > 0 ? v * Math.log(v) : 0)));
  }));
}

// Token by token, each after those it reads, the first such one next; null: no order exists.
function drawable(reach) {
  const order = [], ready = (i) => !order.includes(i) &&
    reach.slice(i * N, i * N + N).every((m, j) => !m || order.includes(j));
  for (let k = 0; k < N; k++) order.push(Array.from({ length: N }, (_, i) => i).find(ready));
  return order.includes(undefined) ? null : order;
}

function compute(settings) {
  const mask = chosen(settings), reach = reachable(mask, settings.layers), all = reachable(mask, N);
  const leak = every((i, j) => reach[i * N + j] && all[j * N + i]); // i and j wait for each other
  const rows = Array.from({ length: N }, (_, i) => reach.slice(i * N, i * N + N));
  const costs = rows.map((seen, i) => cost(i, seen)), found = drawable(reach);
  const order = found ?? Array.from({ length: N }, (_, i) => i), words = [];
  for (let w = 0; w < WORDS; w++) { // what is not drawn yet reads as an a
    const word = new Array(N).fill(0);
    for (const i of order) {
      let left = U[w * N + i], v = 0;
      const p = conditional(word, i, rows[i]);
      while (v < K - 1 && left >= p[v]) left -= p[v++];
      word[i] = v;
    }
    words.push(word);
  }
  const follows = sum(words.flatMap((w) => w.slice(1).map((v, i) => +(v === (w[i] + 1) % K))));
  const step = -RIGHT * Math.log(RIGHT) - (K - 1) * OTHER * Math.log(OTHER);
  return { mask, reach, leak, honest: +(found !== null), order, costs, score: sum(costs) / N,
    entropy: (Math.log(K) + (N - 1) * step) / N, words, follows: follows / (WORDS * (N - 1)) };
}

// Where things stand, in pixels: the grid, the bars, the words (on a phone below the grid).
function layout({ small, width }) {
  const cell = small ? Math.min(29, (width - 112) / N) : Math.min(43, width / 21);
  const left = small ? 24 : 44, top = small ? 44 : 52;
  const bars = left + N * cell + 12;
  return { cell, left, top, bars, unit: (small ? 74 : 88) / Math.log(K), rows: small ? 5 : N,
    x: small ? left : width - N * cell - 4, y: small ? top + N * cell + 112 : top };
}

function tile(pen, x, y, size, color, alpha) {
  const c = pen.context;
  Object.assign(c, { fillStyle: color, globalAlpha: alpha });
  c.beginPath();
  c.roundRect(x + 1.5, y + 1.5, size - 3, size - 3, size / 6);
  c.fill();
  c.globalAlpha = 1;
}

// The grid with the cost of its rows, the key to its colours, and the words.
function draw(pen, found, { drawn, layers }) {
  const { mask, reach, leak, honest, order, costs, score, entropy, words } = found;
  const { cell, left, top, bars, unit, rows, x, y } = layout(pen), { colours } = pen;
  const { ink, soft, faint, blue, red } = colours, size = pen.small ? 12 : 13, end = top + N * cell;
  const now = drawn < N ? order[drawn] : -1, good = honest ? blue : red;
  const rainbow = [blue, colours.sky, colours.green, colours.orange, red, colours.pink];
  const wait = (i) => order.indexOf(i) >= drawn;
  pen.text(pen.small ? "output i may read token j" : "tap: may output i read token j?", left, 12,
    { bold: true, size: size + 1 });
  for (let i = 0; i < N; i++) {
    const middle = top + (i + 0.5) * cell, bad = reach[i * N + i];
    pen.text(i + 1, left + (i + 0.5) * cell, top - 10, { align: "center", color: soft, size });
    pen.text(i === now ? `▸${i + 1}` : i + 1, left - 6, middle,
      { align: "right", color: i === now ? ink : soft, size, bold: i === now });
    for (let j = 0; j < N; j++) {
      const at = i * N + j, color = leak[at] ? red : reach[at] ? blue : faint;
      tile(pen, left + j * cell, top + i * cell, cell, color, mask[at] || !reach[at] ? 1 : 0.35);
      if (i === j) pen.text("×", left + (j + 0.5) * cell, middle,
        { align: "center", color: mask[at] ? colours.paper : bad ? ink : soft,
          size: size + 3, bold: bad });
    }
    pen.context.fillStyle = bad ? red : blue;
    pen.context.fillRect(bars, middle - 7, Math.max(2, costs[i] * unit), 14);
    pen.text(costs[i].toFixed(2), bars + costs[i] * unit + 5 - (costs[i] > 1.2 ? 38 : 0), middle,
      { size, color: costs[i] > 1.2 ? colours.paper : ink });
  }
  const through = pen.small ? "by layers" : "through layers";
  pen.key([[blue, 1, "reads"], ...(layers > 1 ? [[blue, 0.35, through]] : []), [red, 1, "a leak"]],
    left + 2, end + 46, pen.small ? 11 : 12);
  pen.text(pen.small ? "nats" : "surprise (nats)", bars, top - 10, { color: soft, size });
  pen.context.fillStyle = good;
  pen.context.fillRect(bars, end + 13, Math.max(2, score * unit), 18);
  pen.context.fillStyle = ink;
  pen.context.fillRect(bars + entropy * unit - 1, end + 8, 2, 28);
  pen.text(`mean ${score.toFixed(2)}`, bars - 8, end + 22,
    { align: "right", bold: true, color: good, size: size + 1 });
  pen.text(`data ${entropy.toFixed(2)}`, bars, end + 45, { size });
  pen.text(honest ? "drawn in this order" : "no order: from the left", x, y - 40,
    { bold: true, color: honest ? ink : red, size: size + 1 });
  for (let i = 0; i < N; i++) {
    pen.text(order.indexOf(i) + 1, x + (i + 0.5) * cell, y - 10,
      { align: "center", color: good, size, bold: true });
    for (let w = 0; w < rows; w++) {
      const v = words[w][i], color = wait(i) ? faint : rainbow[v];
      tile(pen, x + i * cell, y + w * cell, cell, color, wait(i) ? 0.5 : 0.4);
      pen.text(wait(i) ? "a" : LETTERS[v], x + (i + 0.5) * cell, y + (w + 0.5) * cell,
        { align: "center", size: size + 2, color: wait(i) ? soft : ink });
    }
  }
}

function say({ reach, honest, score, entropy, follows, order }) {
  const copies = order.filter((i) => reach[i * N + i]).map((i) => i + 1);
  const numbers = `${score.toFixed(2)} nats a token (entropy of the data: ${entropy.toFixed(2)})`;
  const words = `${Math.round(100 * follows)} % of the pairs it draws follow the alphabet ` +
    "(in the data 90 %).";
  if (honest) return `No leak: each token can be drawn after those it reads. ${numbers}; ${words}`;
  const why = copies.length > 1 ? `A leak: ${copies.length} outputs see their own token`
    : copies.length ? `A leak: output ${copies[0]} sees its own token`
      : "A cycle: some outputs depend on each other";
  return `${why}. ${numbers}${score < entropy ? ", too good to be true" : ""}; ${words}`;
}

// A tap opens or closes a cell; a drag goes on with what the tap did.
let brush = 1;
function touch(px, py, settings, pen, event) {
  const { cell, left, top } = layout(pen), mask = chosen(settings);
  const i = Math.floor((py - top) / cell), j = Math.floor((px - left) / cell), at = i * N + j;
  if (i < 0 || j < 0 || i >= N || j >= N) return null;
  if (event === "pointerdown") brush = 1 - mask[at];
  return { mask: mask.map((m, k) => (k === at ? brush : m)), preset: "drawn by you" };
}

const grip = (x, y, settings, pen) => {
  const { cell, left, top } = layout(pen);
  return x > left && x < left + N * cell && y > top && y < top + N * cell;
};

export const { about, controls, compute: mathematics, render } = figure({
  about: "A grid says which tokens each output reads; next to it its cost, and words drawn with it.",
  controls: [
    { name: "preset", label: "mask", options: [...Object.keys(MASKS), "drawn by you"],
      value: "left neighbour" },
    { name: "layers", label: "layers", min: 1, max: 4, step: 1, value: 2 },
    { name: "drawn", label: "letters drawn", min: 0, max: N, step: 1, value: 6, play: 5 },
    { name: "mask", value: every(MASKS.causal) },
  ],
  compute, draw, say, touch, grip, aspect: 0.54, tall: 1.53, narrow: 600,
});
export default { render };
