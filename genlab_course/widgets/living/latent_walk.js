// The plane of a VAE with two latents: a straight walk between two codes, and a fade of pixels.
import { figure, near } from "./stage.js";
import { linear, silu, weights } from "./net.js";

const SIDE = 16, CELLS = 9, STOPS = 5; // pictures across the plane; along a walk
let net = null, atlases = new Map();
const load = (file) => { net = weights(file); atlases = new Map(); };

// The mean image of a code: how probable ink is in each pixel.
function decode(z) {
  let h = Float64Array.from(z);
  for (const k of [0, 2]) h = silu(linear(net, `decoder.0.net.${k}`, h));
  const [w0, w1] = net["head.weight"].data, [b0, b1] = net["head.bias"].data;
  return linear(net, "decoder.0.net.4", h).map((f) => 1 / (1 + Math.exp((w0 - w1) * f + b0 - b1)));
}

// What a coin for each pixel would still have to say, in bits.
const bits = (picture) => picture.reduce((total, p) =>
  total - (p > 0 ? p * Math.log2(p) : 0) - (p < 1 ? (1 - p) * Math.log2(1 - p) : 0), 0);

// Decoded pictures all over the plane, as one image; the second latent grows upwards.
function atlas(reach) {
  if (atlases.has(reach)) return atlases.get(reach);
  const wide = CELLS * SIDE, whole = new Float64Array(wide * wide);
  const place = (i) => reach * ((2 * i + 1) / CELLS - 1);
  for (let row = 0; row < CELLS; row++) for (let i = 0; i < CELLS; i++) {
    const picture = decode([place(i), -place(row)]);
    for (let y = 0; y < SIDE; y++) {
      whole.set(picture.subarray(y * SIDE, (y + 1) * SIDE), (row * SIDE + y) * wide + i * SIDE);
    }
  }
  atlases.set(reach, whole);
  return whole;
}

const between = (a, b, t) => Float64Array.from(a, (v, i) => (1 - t) * v + t * b[i]);

function compute({ walk, reach, from, to }) {
  const parts = Array.from({ length: STOPS }, (_, k) => k / (STOPS - 1)), at = walk / 100;
  const ends = [decode(from), decode(to)], here = between(from, to, at);
  const codes = parts.map((t) => between(from, to, t));
  const picture = decode(here), blend = between(...ends, at);
  return { here, picture, blend, bits: bits(picture), blendBits: bits(blend), atlas: atlas(reach),
    walked: codes.map(decode), faded: parts.map((t) => between(...ends, t)) };
}

// The plane on the left, or above on a phone; beside or below it the pictures.
function plane(pen, reach) {
  const side = pen.small ? pen.width : Math.min(pen.height, 0.56 * pen.width);
  return pen.axes({ box: [0, 0, side, side], x: [-reach, reach], y: [-reach, reach], bare: true });
}

function draw(pen, found, { from, to, reach, walk }) {
  const { here, picture, blend, walked, faded, atlas: map } = found;
  const { ink, soft, blue, orange } = pen.colours, c = pen.context, plot = plane(pen, reach);
  pen.picture(map.map((v) => 0.75 * v), CELLS * SIDE, plot.left, plot.top, plot.width);
  const turn = Array.from({ length: 73 }, (_, k) => (k * Math.PI) / 36);
  for (const r of [1, 2]) {
    plot.line(turn.map((a) => r * Math.cos(a)), turn.map((a) => r * Math.sin(a)),
      { color: soft, width: 1, dash: [3, 4] });
  }
  const ring = pen.colours.paper;
  plot.line([from[0], to[0]], [from[1], to[1]], { color: blue, width: 2.5 });
  plot.dots([from[0], to[0]], [from[1], to[1]], { color: blue, radius: 8, ring });
  plot.dots([here[0]], [here[1]], { color: orange, radius: 6, ring });

  const left = pen.small ? 6 : plot.left + plot.width + 22, room = pen.width - left - 6;
  let top = pen.small ? plot.top + plot.height + 8 : 10;
  if (!pen.small) { // the two pictures of this moment, large
    const big = (room - 12) / 2;
    pen.text("in the plane", left, top + 10, { bold: true, color: orange });
    pen.text("in the pixels", left + big + 12, top + 10, { bold: true, color: ink });
    pen.picture(picture, SIDE, left, top + 24, big);
    pen.picture(blend, SIDE, left + big + 12, top + 24, big);
    top += big + 50;
  }
  const cell = (room - 4 * (STOPS - 1)) / STOPS, x = (k) => left + k * (cell + 4);
  for (const [words, pictures, color] of [["a walk in the plane", walked, orange],
    ["a fade of the pixels", faded, ink]]) {
    pen.text(words, left, top + 8, { bold: true, color, size: 12 });
    pictures.forEach((one, k) => pen.picture(one, SIDE, x(k), top + 20, cell));
    const mark = left + cell / 2 + (walk / 100) * (room - cell);
    c.fillStyle = orange;
    c.fillRect(mark - cell / 2, top + 22 + cell, cell, 3);
    top += cell + (pen.small ? 36 : 44);
  }
}

const say = ({ here, bits: own, blendBits }, { walk }) =>
  `At ${walk} % of the way, z = (${here[0].toFixed(1)}, ${here[1].toFixed(1)}): the decoded picture ` +
  `has ${own.toFixed(0)} bits of uncertainty in its pixels, the fade ${blendBits.toFixed(0)}. ` +
  "Drag the blue ends; the circles hold 39 % and 86 % of the prior.";

let held = "to"; // the end that a drag has taken
function touch(px, py, settings, pen, kind, [left, top]) {
  const plot = plane(pen, settings.reach);
  const far = ([x, y]) => Math.hypot(plot.X(x) - px, plot.Y(y) - py);
  if (left > plot.left + plot.width + 8 || top > plot.top + plot.height + 8) return null;
  if (kind === "pointerdown") held = far(settings.from) < far(settings.to) ? "from" : "to";
  const z = plot.at(px, py).map((v) => Math.max(-settings.reach, Math.min(settings.reach, v)));
  return { [held]: z, walk: held === "from" ? 0 : 100 };
}

const grip = (x, y, { from, to, reach }, pen) => {
  const plot = plane(pen, reach);
  return near(x, y, ...[from, to].map(([a, b]) => [plot.X(a), plot.Y(b)]));
};

export const { about, controls, compute: mathematics, render } = figure({
  about: "Two codes in the plane of a VAE, and the pictures on the way from one to the other.",
  controls: [
    { name: "walk", label: "walk", min: 0, max: 100, step: 1, value: 50, play: 5,
      show: (v) => `${v} %` },
    { name: "reach", label: "plane up to", min: 1, max: 6, step: 0.5, value: 2.5 },
    { name: "from", value: [-1.6, 1.4] }, { name: "to", value: [1.6, 1.5] },
  ],
  compute, draw, say, touch, grip, load, aspect: 0.56, tall: 1.61, narrow: 640,
});
export { load };
export default { render };
