// A language model writes in the page: what it may say next, and what temperature and top-p leave.
import { figure, normals } from "./stage.js";
import { attend, linear, rmsNorm, rotate, silu, softmax, sum, weights } from "./net.js";

const BYTES = 256, LAYERS = 3, HEADS = 6, SIZE = 32; // SIZE: features of a head
const PROMPTS = ["The function returns", "If the object is", "A class can", "New in version 3"];
const BODY = "lm.net.body", LONGEST = 40;
const WORD = new RegExp("'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|" +
  "\\s+(?!\\S)|\\s+", "gu");
let net = null, pieces = [], ranks = new Map(), read = []; // read: tokens, their keys and logits

function load(file) {
  net = weights(file);
  pieces = Array.from({ length: BYTES }, (_, b) => [b]);
  ranks = new Map();
  read = [];
  const merges = net.merges.data;
  for (let k = 0; k < merges.length; k += 2) {
    ranks.set(`${merges[k]} ${merges[k + 1]}`, pieces.length);
    pieces.push([...pieces[merges[k]], ...pieces[merges[k + 1]]]);
  }
}

// Tokens of a text: in each word, of all merges that apply, the earliest learned comes first.
const encode = (text) => text.match(WORD).flatMap((word) => {
  const tokens = [...new TextEncoder().encode(word)];
  for (;;) {
    const open = tokens.map((t, i) => ranks.get(`${t} ${tokens[i + 1]}`) ?? Infinity);
    const best = Math.min(...open), i = open.indexOf(best);
    if (best === Infinity) return tokens;
    tokens.splice(i, 2, best);
  }
});
const decode = (token) => new TextDecoder().decode(Uint8Array.from(pieces[token]));

// One more token through the network, given keys and values of those before: logits of the next.
function extend(token, past) {
  const table = net["lm.net.embedding.weight"], d = table.shape[1], kept = [], at = past.length;
  let h = Float64Array.from(table.data.subarray(token * d, (token + 1) * d));
  for (let i = 0; i < LAYERS; i++) {
    const name = `${BODY}.blocks.${i}`, x = rmsNorm(net, `${name}.norm_1`, h);
    const q = rotate(linear(net, `${name}.attention.w_q`, x), at, SIZE);
    const k = rotate(linear(net, `${name}.attention.w_k`, x), at, SIZE);
    const v = linear(net, `${name}.attention.w_v`, x);
    kept.push({ k, v });
    const keys = [...past.map((p) => p.kept[i].k), k];
    const values = [...past.map((p) => p.kept[i].v), v];
    h = sum(h, linear(net, `${name}.attention.w_o`, attend(q, keys, values, HEADS)));
    const y = rmsNorm(net, `${name}.norm_2`, h), gate = silu(linear(net, `${name}.mlp.w_1`, y));
    const up = linear(net, `${name}.mlp.w_3`, y);
    h = sum(h, linear(net, `${name}.mlp.w_2`, gate.map((v, j) => v * up[j])));
  }
  // the head is the embedding, less the token that begins a text
  const out = rmsNorm(net, `${BODY}.norm`, h);
  return { token, kept, logits: linear(net, "lm.net.embedding", out, table.shape[0] - 1) };
}

// Logits after a text that begins with `start`; what was read before is not read again.
function after(tokens) {
  let same = 0;
  while (same < tokens.length && read[same]?.token === tokens[same]) same += 1;
  if (same < tokens.length) read.length = same;
  for (let i = same; i < tokens.length; i++) read.push(extend(tokens[i], read));
  return read[tokens.length - 1].logits;
}

const ranked = (p) => Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);

// Temperature first, then the smallest set of likeliest tokens whose probability reaches p.
function reshape(logits, temperature, topP) {
  const p = softmax(logits.map((v) => v / temperature));
  if (topP >= 1) return p;
  const order = ranked(p), kept = new Float64Array(p.length);
  for (let i = 0, before = 0; i < order.length && before < topP; i++) {
    kept[order[i]] = p[order[i]];
    before += p[order[i]];
  }
  const total = kept.reduce((a, b) => a + b);
  return kept.map((v) => v / total);
}

// The first token whose cumulative probability exceeds u.
function pick(p, u) {
  const total = p.reduce((a, b) => a + b);
  for (let k = 0, reached = 0; k < p.length; k++) if ((reached += p[k]) > u * total) return k;
  return p.length - 1;
}

function* compute({ prompt, temperature, top, seed, length, chosen }) {
  const noise = normals(seed), begin = net["lm.net.embedding.weight"].shape[0] - 1;
  const tokens = [begin, ...encode(prompt)], start = tokens.length, cost = [];
  for (let n = 0; ; n++) {
    const logits = after(tokens), plain = softmax(logits), p = reshape(logits, temperature, top);
    const spread = plain.reduce((h, v) => h - (v ? v * Math.log2(v) : 0), 0);
    yield { tokens: tokens.slice(1), start: start - 1, cost: [...cost], plain, p, bits: spread };
    if (n >= length) return;
    const u = noise.uniform(), hand = chosen.find(([at, , when]) => at === n && when === prompt);
    const next = hand ? hand[1] : pick(p, u); // written by the reader, or drawn
    cost.push(-Math.log2(plain[next]));
    tokens.push(next);
    if (tokens.some((token, i) => read[i]?.token !== token)) yield; // it must be read first
  }
}

const shown = (token) => decode(token).replaceAll("\n", "⏎").replaceAll(" ", "␣");
let bars = []; // of the last picture: their tokens

const rows = (pen) => pen.small ? { n: Math.floor((pen.height - 156) / 24), top: 152, step: 24 }
  : { n: Math.floor((pen.height - 116) / 25), top: 112, step: 25 };

// How strongly a token is marked that has cost some bits, and the colour of the letters on it.
const MOST_BITS = 8;
const shadeOf = (bits) => Math.min(1, bits / MOST_BITS);
const onOrange = ({ colours, night }, shade) => (night && shade > 0.4 ? colours.paper : colours.ink);

// The text with its tokens as they were drawn: the darker, the more bits each has cost.
function write(pen, { tokens, start, cost }) {
  const { ink, blue, orange, soft } = pen.colours, c = pen.context, size = pen.small ? 13 : 17;
  c.font = `${size}px ui-monospace, "DejaVu Sans Mono", monospace`;
  const wide = c.measureText("m").width, room = Math.floor((pen.width - 16) / wide), spans = [];
  let line = 0, column = 0;
  tokens.forEach((token, i) => [...decode(token).replaceAll("\n", "⏎")].forEach((letter) => {
    if (column === room) { line += 1; column = 0; }
    spans.push([letter, line, column++, i]);
  }));
  const skip = Math.max(0, line - (pen.small ? 4 : 2)), high = size + 7;
  Object.assign(c, { textAlign: "left", textBaseline: "middle" });
  for (const [letter, row, col, i] of spans.filter(([, row]) => row >= skip)) {
    const x = 8 + col * wide, y = 18 + (row - skip) * high;
    const shade = i < start ? 0 : shadeOf(cost[i - start]);
    Object.assign(c, { fillStyle: orange, globalAlpha: shade });
    c.fillRect(Math.round(x), y - high / 2 + 1, Math.round(x + wide) - Math.round(x), high - 2);
    c.fillStyle = i < start ? blue : onOrange(pen, shade);
    c.globalAlpha = letter === "⏎" ? 0.45 : 1;
    c.fillText(letter, x, y);
  }
  c.globalAlpha = 1;
  c.fillStyle = soft;
  c.fillRect(8 + column * wide + 1, 18 + (line - skip) * high - high / 2 + 2, 2, high - 4);
}

function draw(pen, found, settings) {
  write(pen, found);
  const { p, plain } = found, { ink, soft, blue } = pen.colours, c = pen.context;
  const { n, top, step } = rows(pen), left = pen.small ? 92 : 130, room = pen.width - left - 64;
  bars = ranked(plain).slice(0, n);
  bars.of = found.tokens.length - found.start === settings.length && JSON.stringify(settings);
  const most = Math.max(0.2, ...bars.map((k) => Math.max(p[k], plain[k])));
  pen.text("the next token", 8, top - 14, { bold: true });
  const note = pen.small ? "" : "blue: drawn from, grey: before temperature and top-p";
  pen.text(note, left, top - 14, { size: 12, color: soft });
  const scale = pen.width - (pen.small ? 164 : 204), part = pen.small ? 16 : 20; // what a shade says
  pen.text("cost, bits", scale - 8, top - 14, { size: 12, color: soft, align: "right" });
  for (let bits = 0; bits <= MOST_BITS; bits += 2) {
    const x = scale + 2 * part * (bits / 2), shade = shadeOf(bits);
    Object.assign(c, { fillStyle: pen.colours.orange, globalAlpha: shade });
    c.fillRect(x, top - 24, 2 * part, 20);
    c.globalAlpha = 1;
    pen.text(`${bits}${bits === MOST_BITS ? "+" : ""}`, x + part, top - 14,
      { size: 12, align: "center", color: onOrange(pen, shade) });
  }
  bars.forEach((token, i) => {
    const y = top + i * step, gone = p[token] === 0;
    pen.text(shown(token), left - 8, y + step / 2, { align: "right", color: gone ? soft : ink });
    Object.assign(c, { fillStyle: soft, globalAlpha: 0.35 });
    c.fillRect(left, y + 2, Math.max(1, (plain[token] / most) * room), step - 4);
    Object.assign(c, { fillStyle: blue, globalAlpha: 1 });
    c.fillRect(left, y + 6, (p[token] / most) * room, step - 12);
    const far = left + (Math.max(p[token], plain[token]) / most) * room + 6;
    const percent = `${(100 * p[token]).toFixed(p[token] < 0.1 ? 1 : 0)} %`;
    pen.text(gone ? "cut" : percent, far, y + step / 2, { size: 12, color: gone ? soft : blue });
  });
}

const say = ({ plain, p, bits, cost }, { temperature, top }) => {
  const kept = p.reduce((n, v) => n + (v > 0), 0);
  const mean = cost.reduce((a, b) => a + b, 0) / cost.length;
  const lost = plain.reduce((a, v, k) => a + (p[k] ? 0 : 100 * v), 0).toFixed(0);
  return `The next token has ${bits.toFixed(1)} bits of uncertainty. ` +
    `Temperature ${temperature} and top-p ${top} keep ${kept} of ${p.length} tokens ` +
    `and cut ${lost} % of the probability. ` +
    (cost.length ? `So far ${cost.length} tokens, ${mean.toFixed(1)} bits each (darker is more). ` : "") +
    "Tap a bar to write its token.";
};

// A tap on a bar writes its token, once the bars are those of the text so far.
function touch(px, py, settings, pen, kind) {
  const { length, chosen, prompt } = settings, { top, step } = rows(pen);
  const token = bars.of === JSON.stringify(settings) ? bars[Math.floor((py - top) / step)] : undefined;
  if (kind !== "pointerdown" || py < top || token === undefined || length >= LONGEST) return null;
  const earlier = chosen.filter(([at, , when]) => at < length && when === prompt);
  return { length: length + 1, chosen: [...earlier, [length, token, prompt]] };
}

export const { about, controls, compute: mathematics, render } = figure({
  about: "A language model that runs in this page writes, token by token.",
  controls: [
    { name: "length", label: "written", min: 0, max: LONGEST, step: 1, value: 14, play: 9 },
    { name: "temperature", label: "temperature", min: 0.1, max: 2, step: 0.05, value: 0.8 },
    { name: "top", label: "top-p", min: 0.05, max: 1, step: 0.05, value: 0.9 },
    { name: "seed", label: "draw", min: 1, max: 20, step: 1, value: 1 },
    { name: "prompt", label: "text begins", options: PROMPTS, value: PROMPTS[0] },
    { name: "chosen", value: [] },
  ],
  compute, draw, say, touch, load, aspect: 0.56, tall: 1.05,
});
export { load };
export default { render };
