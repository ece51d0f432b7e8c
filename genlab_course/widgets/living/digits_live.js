// A network at work in the page: noise becomes digits, one step of the sampler after another.
import { figure, normals } from "./stage.js";
import { attend, conv, groupNorm, join, linear, silu, sum, weights } from "./net.js";

const SIDE = 16, PIXELS = SIDE * SIDE, MANY = 10, NONE = 10; // NONE: the label of "no class"
const DATA_STD = 0.5, TOP = 20, LOW = 0.02, RHO = 7; // noise levels, in the data's own unit
let net = null, runs = new Map(); // what was computed already, a picture each
let made = 0, spent = 0; // network evaluations of this page, and their milliseconds
const load = (file) => { net = weights(file); runs = new Map(); };

function residual(name, x, size, emb) {
  const a = groupNorm(net, `net.${name}.norm_2`,
    conv(net, `net.${name}.conv_1`, silu(groupNorm(net, `net.${name}.norm_1`, x)), size));
  const told = linear(net, `net.${name}.to_shift_scale`, emb);
  const plane = size * size, c = told.length / 2;
  const moved = a.map((v, i) =>
    v * (1 + told[c + Math.floor(i / plane)]) + told[Math.floor(i / plane)]);
  const short = net[`net.${name}.shortcut.weight`] ? conv(net, `net.${name}.shortcut`, x, size) : x;
  return sum(short, conv(net, `net.${name}.conv_2`, silu(moved), size));
}

// Halve an image by means of 2 x 2 pixels; double it by repeating them.
const halve = (x, size) => Float64Array.from({ length: x.length / 4 }, (_, i) => {
  const half = size / 2, p = Math.floor(i / half) * 2 * size + (i % half) * 2;
  return (x[p] + x[p + 1] + x[p + size] + x[p + size + 1]) / 4;
});
const double = (x, size) => Float64Array.from({ length: x.length * 4 }, (_, i) =>
  x[Math.floor(i / (4 * size)) * size + Math.floor((i % (2 * size)) / 2)]);

// Every place of the image looks at all others.
function look(x, size) {
  const plane = size * size, c = x.length / plane, tall = groupNorm(net, "net.attention.norm", x);
  const told = Array.from({ length: plane }, (_, p) => linear(net, "net.attention.to_qkv",
    Float64Array.from({ length: c }, (_, k) => tall[k * plane + p])));
  const part = (j) => told.map((row) => row.subarray(j * c, (j + 1) * c));
  const [queries, keys, values] = [0, 1, 2].map(part);
  const read = queries.map((q) => linear(net, "net.attention.to_out", attend(q, keys, values, 4)));
  return x.map((v, i) => v + read[i % plane][Math.floor(i / plane)]);
}

// The raw U-Net: 16, 8 and 4 pixels on a side, and up again with what was seen on the way down.
function unet(x, noise, label) {
  const waves = Float64Array.from({ length: 24 }, (_, k) =>
    (k < 12 ? Math.cos : Math.sin)(250 * noise * 10000 ** (-(k % 12) / 12)));
  const time = linear(net, "net.embed_time.2", silu(linear(net, "net.embed_time.0", waves)));
  const table = net["net.embed_class.weight"], d = table.shape[1];
  const emb = silu(sum(time, table.data.subarray(label * d, (label + 1) * d)));
  let h = conv(net, "net.stem", x, SIDE), size = SIDE;
  const seen = [];
  for (let i = 0; i < 3; i++) {
    if (i) { h = halve(h, size); size /= 2; }
    seen.push(h = residual(`down.${i}`, h, size, emb));
  }
  h = residual("middle_2", look(residual("middle_1", h, size, emb), size), size, emb);
  for (let i = 0; i < 3; i++) {
    if (i) { h = double(h, size); size *= 2; }
    h = residual(`up.${i}`, join(h, seen.pop()), size, emb);
  }
  return conv(net, "net.conv_out", silu(groupNorm(net, "net.norm_out", h)), size);
}

// The clean picture that the network guesses behind a noisy one.
function denoise(x, sigma, label) {
  const total = sigma ** 2 + DATA_STD ** 2, skip = DATA_STD ** 2 / total, begun = performance.now();
  const out = (sigma * DATA_STD) / Math.sqrt(total);
  const raw = unet(x.map((v) => v / Math.sqrt(total)), Math.log(sigma) / 4, label);
  made += 1;
  spent += performance.now() - begun;
  return x.map((v, i) => skip * v + out * raw[i]);
}

function guess(x, sigma, label, w) {
  const given = w === 0 ? null : denoise(x, sigma, label);
  if (w === 1) return given;
  const free = denoise(x, sigma, NONE);
  return w === 0 ? free : free.map((v, i) => v + w * (given[i] - v));
}

const levels = (n) => Float64Array.from({ length: n + 1 }, (_, i) => i === n ? 0
  : (TOP ** (1 / RHO) + (i / (n - 1)) * (LOW ** (1 / RHO) - TOP ** (1 / RHO))) ** RHO);

// One picture on its way: its states from noise to digit, and what was guessed behind each.
function start(key, seed, label) {
  const noise = normals(seed), state = Float64Array.from({ length: PIXELS }, () => TOP * noise());
  const run = { label, states: [state], guesses: [] };
  if (runs.size > 200) runs.clear();
  runs.set(key, run);
  return run;
}

// A generator: yields after each step what is known, and before each picture's step.
function* compute({ digit, guidance, steps, seed, time, many, again }) {
  const sigmas = levels(steps), own = [];
  for (let i = 0; i < many; i++) {
    const label = digit === "all ten" ? i : +digit, from = 1000 * seed + 100 * i + again[i];
    const key = `${label} ${guidance} ${steps} ${from}`;
    own.push(runs.get(key) ?? start(key, from, label));
  }
  const known = () => {
    const reached = Math.min(...own.map((run) => run.states.length)) - 1;
    return { sigmas, reached, at: Math.min(reached, Math.floor((time / 100) * steps)),
      states: own.map((run) => run.states.slice(0, reached + 1)),
      guesses: own.map((run) => run.guesses.slice(0, reached + 1)) };
  };
  yield known();
  for (let k = 0; k < steps; k++) {
    for (const run of own) {
      if (run.states.length > k + 1) continue;
      yield;
      const x = run.states[k], best = guess(x, sigmas[k], run.label, guidance);
      const part = sigmas[k + 1] / sigmas[k]; // Euler's step: this fraction of the noise stays
      run.guesses[k] = best;
      run.states[k + 1] = x.map((v, i) => best[i] + part * (v - best[i]));
    }
    yield known();
  }
}

// Where the pictures stand: ten in a row, or five on a phone; below them the scale of noise.
function places(pen) {
  const columns = pen.small ? 5 : MANY, gap = pen.small ? 6 : 8;
  const cell = (pen.width - gap) / columns - gap, left = (i) => gap + (i % columns) * (cell + gap);
  const top = (row, i) => 24 + (pen.small ? (row * 2 + Math.floor(i / 5)) * (cell + gap) + row * 22
    : row * (cell + 32));
  return { cell, left, top, low: top(1, MANY - 1) + cell + 8 };
}

const ruler = (pen) => ({ left: pen.small ? 54 : 108, right: pen.width - 16,
  y: places(pen).low + (pen.small ? 10 : 16) });

function draw(pen, { sigmas, at, reached, states, guesses }, { time }) {
  const n = sigmas.length - 1, now = Math.min(reached, (time / 100) * n);
  const between = (v, next = v) => v + (now - at) * (next - v); // Euler's steps are straight lines
  const sigma = between(sigmas[at], sigmas[at + 1]), shrink = 1 / Math.sqrt(1 + sigma ** 2);
  const { ink, soft, faint, blue, orange } = pen.colours, { cell, left, top } = places(pen);
  const says = (row, words, color) =>
    pen.text(words, left(0), top(row, 0) - 11, { color, bold: true });
  says(0, "the sampler's state", ink);
  says(1, "the clean picture the network guesses", blue);
  states.forEach((run, i) => {
    const state = run[at].map((v, p) => between(v, run[at + 1]?.[p]));
    pen.picture(state.map((v) => (1 + v * shrink) / 2), SIDE, left(i), top(0, i), cell);
    const seen = guesses[i][at] ?? guesses[i][at - 1]; // while it computes: the last there is
    if (seen) pen.picture(seen.map((v) => (1 + v) / 2), SIDE, left(i), top(1, i), cell);
  });
  const { left: from, right, y } = ruler(pen), c = pen.context;
  pen.text(pen.small ? "steps" : "noise, by steps", 8, y, { color: soft, size: 12 });
  c.fillStyle = faint;
  c.fillRect(from, y - 1, right - from, 2);
  const place = (k) => from + (k / n) * (right - from);
  for (const k of [...sigmas.keys(), now]) { // where we are is drawn last
    c.fillStyle = k === now ? orange : k <= reached ? blue : faint;
    c.beginPath();
    c.arc(place(k), y, k === now ? 7 : 3.5, 0, 2 * Math.PI);
    c.fill();
  }
  const words = sigma ? `σ = ${sigma.toPrecision(2)}` : "no noise";
  const x = Math.max(from + 24, Math.min(right - 24, place(now)));
  pen.text(words, x, y + 17, { color: orange, align: "center", size: 12 });
}

const say = ({ sigmas, at, reached, states }, { guidance, many, digit }) => {
  const n = sigmas.length - 1, calls = at * many * (guidance === 0 || guidance === 1 ? 1 : 2);
  const last = states.map((run) => run[at]);
  const means = last[0].map((_, p) => last.reduce((a, x) => a + x[p] / many, 0));
  const apart = last.reduce((a, x) => a + x.reduce((b, v, p) => b + (v - means[p]) ** 2, 0), 0);
  const alike = digit === "all ten" ? "" : ` The ten differ from their mean by ${
    Math.sqrt(apart / many / PIXELS).toFixed(2)} a pixel.`;
  const busy = reached < n ? ` (computing step ${reached + 1})` : "";
  return `Step ${at} of ${n}${busy}, after ${calls} network evaluations in this page, ${
    (spent / Math.max(made, 1)).toFixed(0)} ms each.${alike} Tap a picture to give it other noise.`;
};

// A tap on a picture takes other noise for it; the ruler moves through the steps.
function touch(px, py, { again, many }, pen, kind) {
  const { left: from, right } = ruler(pen), { cell, left, top, low } = places(pen);
  const part = Math.max(0, Math.min(1, (px - from) / (right - from)));
  if (py > low - 4) return { time: Math.round(100 * part) };
  if (kind !== "pointerdown") return null;
  const hit = again.findIndex((_, i) => i < many && px > left(i) && px < left(i) + cell &&
    [0, 1].some((row) => py > top(row, i) && py < top(row, i) + cell));
  return hit < 0 ? null : { again: again.map((n, i) => n + (i === hit ? 1 : 0)), time: 100 };
}

export const { about, controls, compute: mathematics, render } = figure({
  about: "Ten pictures are denoised by a network that runs in this page.",
  controls: [
    { name: "time", label: "time", min: 0, max: 100, step: 1, value: 100, play: 4, opens: true,
      show: (v) => `${v} %` },
    { name: "guidance", label: "guidance w", min: 0, max: 6, step: 0.5, value: 2 },
    { name: "steps", label: "steps", min: 2, max: 24, step: 1, value: 12 },
    { name: "seed", label: "noise number", min: 1, max: 20, step: 1, value: 3 },
    { name: "digit", label: "digit", options: ["all ten", ..."0123456789"],
      value: "all ten" },
    { name: "many", value: MANY }, { name: "again", value: Array(MANY).fill(0) },
  ],
  compute, draw, say, touch, load, aspect: 0.345, tall: 1.06, narrow: 640,
});
export { load };
export default { render };
