// A sheet of cells under one coupling, for lesson 04: the derivation scrolls, this picture obeys it.
import { figure, grid, integral } from "./stage.js";

const clamp = (v) => Math.max(0, Math.min(1, v));

// The lesson's tiny case, x_1 = 1 + 2 z_1 and x_2 = x_1 + 3 z_2, at its point z.
const Z = [0.5, 1], TINY = [[2, 0], [2, 3]], START = [1, 1];
const straight = ([a, b]) => TINY.map((row, i) => row[0] * a + row[1] * b + START[i]);
const STRETCH = TINY[0][0], AREA = TINY[0][0] * TINY[1][1] - TINY[0][1] * TINY[1][0];
const STARS = [-1, 0.5, 2]; // what may stand below the diagonal
const logBell = (...point) => point.reduce((sum, v) => sum - 0.5 * v * v - 0.5 * Math.log(2 * Math.PI), 0);

// Two couplings: the first moves the second coordinate, the second one the first.
const scaleOf = [(u) => 0.6 * Math.sin(1.3 * u), (u) => 0.4 * Math.sin(1.3 * u)];
const shiftOf = [(u) => 1.1 * Math.cos(1.2 * u) - 0.4, (u) => 0.5 * Math.sin(1.2 * u)];
const SIDE = 2, CELLS = 20, N = CELLS + 1;
const lattice = (side) => Float64Array.from({ length: 2 * side.length ** 2 }, (_, i) =>
  side[i % 2 ? Math.floor(i / 2 / side.length) : (i / 2) % side.length]);
const EDGE = grid(-SIDE, SIDE, N), CORNERS = lattice(EDGE), CENTRES = lattice(EDGE.slice(1).map((v) => v - SIDE / CELLS));

// Points [x, y, x, y, ...] through `walked` layers, or back through both, and their log-determinants.
function forward(points, walked) {
  const out = Float64Array.from(points), logDet = new Float64Array(points.length / 2);
  for (let k = 0; k < 2; k++) {
    const part = clamp(walked - k), moves = 1 - k;
    for (let i = 0; i < out.length; i += 2) {
      const u = out[i + 1 - moves], s = part * scaleOf[k](u);
      out[i + moves] = Math.exp(s) * out[i + moves] + part * shiftOf[k](u);
      logDet[i / 2] += s;
    }
  }
  return [out, logDet];
}
function backward(points) {
  const out = Float64Array.from(points), logDet = new Float64Array(points.length / 2);
  for (let k = 1; k >= 0; k--) {
    const moves = 1 - k;
    for (let i = 0; i < out.length; i += 2) {
      const u = out[i + 1 - moves], s = scaleOf[k](u);
      out[i + moves] = (out[i + moves] - shiftOf[k](u)) * Math.exp(-s);
      logDet[i / 2] -= s;
    }
  }
  return [out, logDet];
}

// The rim of a square of some side round z, and its image.
const RIM = 24; // points on an edge
function rim(side) {
  const corner = Z.map((v) => v - side / 2), walk = Array.from({ length: RIM }, (_, i) => (side * i) / RIM);
  return Float64Array.from([...walk.flatMap((u) => [corner[0] + u, corner[1]]),
    ...walk.flatMap((u) => [corner[0] + side, corner[1] + u]), ...walk.flatMap((u) => [corner[0] + side - u, corner[1] + side]),
    ...walk.flatMap((u) => [corner[0], corner[1] + side - u])]);
}
// A column of cells is stretched alike, so the area of the image is an integral over the columns.
const SQUARES = [1, 0.25].map((side) => [side, rim(side)]);
const BENT = SQUARES.map(([, p]) => forward(p, 1)[0]);
const GROWN = SQUARES.map(([side]) => {
  const u = grid(Z[0] - side / 2, Z[0] + side / 2, 2001);
  return integral(u.map((v) => Math.exp(scaleOf[0](v))), u[1] - u[0]) / side;
});
const [FIRST, [LOG_1]] = forward(Z, 1), [LAST, [LOG_BOTH]] = forward(Z, 2), LOG_2 = LOG_BOTH - LOG_1;
const [HOME, [LOG_BACK]] = backward(LAST);
// The Jacobian of the first coupling at z: its lower row, and the parallelogram that it makes of a square.
const SLANT = Math.exp(LOG_1) * 0.6 * 1.3 * Math.cos(1.3 * Z[0]) * Z[1] - 1.1 * 1.2 * Math.sin(1.2 * Z[0]);
const tangent = (p) => p.map((v, i) => { const [a, b] = i % 2 ? [p[i - 1] - Z[0], v - Z[1]] : [v - Z[0], p[i + 1] - Z[1]];
  return i % 2 ? FIRST[1] + SLANT * a + Math.exp(LOG_1) * b : FIRST[0] + a; });
const [BACK, BACK_AREA] = [backward(CORNERS)[0], backward(CENTRES)[1]];

// Of the sweeps (7): each remakes both coordinates from the last guess.
const SWEEPS = [[0, 0]];
for (let k = 0; k < 3; k++) SWEEPS.push([1 + STRETCH * Z[0], SWEEPS[k][0] + TINY[1][1] * Z[1]]);

// Its stages, and where in the text each begins: the first words of a paragraph.
export const stages = [
  { name: "a sliver keeps its mass", at: ["Step 1."] },
  { name: "a square, and its image", at: ["Step 2."] },
  { name: "bent, but straight close by", at: ["Step 3."] },
  { name: "a stack: logarithms add up", at: ["Step 4."] },
  { name: "back again: you score", at: ["Your turn 04.2"] },
  { name: "a triangle: slant is free", at: ["Step 5."] },
  { name: "half stays, half moves", at: ["Step 6."], until: ["The rest of a flow is short"] },
  { name: "one coordinate after the other", at: ["Step 8."] },
  { name: "all at once, in sweeps", at: ["Step 9."] },
];
export const terms = { z: "pink", pZ: "pink", z0: "pink", z1: "pink", z2: "pink", zA: "pink", zB: "pink", x: "green", pX: "green",
  x1: "green", x2: "green", xA: "green", xB: "green", J: "orange", Jf: "orange", Jfk: "orange", A: "orange", s: "orange", si: "orange" };
// What each stage shows: the middle of the plane, and how far it goes up and aside at least.
const VIEWS = [[1, 0.1, 3.4, 3.2], [1.5, 3, 2.3, 3.6], [0.5, 1.05, 1.3, 1.75], [0.1, 0, 2.9, 3.95], [0.3, 0, 3.2, 4], [4.5, 2.3, 4.7, 3.6],
  [0, 0.2, 2.3, 3.7], [1.5, 3, 2.3, 3.6], [1.5, 2.7, 2.3, 3.3]];
// The sum in logarithms: what z brings, then what each layer takes.
const SUMS = [[logBell(Z[0]), -Math.log(STRETCH), 0], [logBell(...Z), -Math.log(AREA), 0], [logBell(...Z), -LOG_1, 0],
  [logBell(...Z), -LOG_1, -LOG_2], [logBell(...HOME), LOG_BACK, 0]];
const between = (a, b, part) => a.map((v, i) => v + part * (b[i] - v));
const lerp = (list, stage) => { const k = Math.min(list.length - 2, Math.floor(stage)); return between(list[k], list[k + 1], Math.min(1, stage - k)); };

function compute({ stage }) {
  const walked = stage < 4.5 ? clamp(stage - 1) + clamp(stage - 2) : 1, [corners] = forward(CORNERS, walked);
  return { corners, area: forward(CENTRES, walked)[1], back: BACK, backArea: BACK_AREA, first: FIRST, last: LAST, home: HOME,
    logs: [LOG_1, LOG_2, LOG_BACK], grown: GROWN, tangent: [SLANT, Math.exp(LOG_1)], tiny: straight(Z), sums: lerp(SUMS, stage),
    sweeps: SWEEPS };
}

// A plane of equal scales, whatever its box.
function plane(pen, box, [x, y, wide, high]) {
  const scale = Math.min(box[2] / wide, box[3] / high) / 2;
  return pen.axes({ box, bare: true, x: [x - box[2] / scale / 2, x + box[2] / scale / 2], y: [y - box[3] / scale / 2, y + box[3] / scale / 2] });
}

function draw(pen, n, { stage }) {
  const { ink, soft, faint, paper, blue, orange, green, pink } = pen.colours, c = pen.context;
  const on = (k) => clamp(1 - 1.6 * Math.abs(stage - k)), over = (a, b) => (stage < a ? on(a) : stage > b ? on(b) : 1);
  const aside = pen.width > 1.5 * pen.height, sums = over(0, 4);
  const box = aside ? [0, 0, pen.width * (1 - 0.36 * sums), pen.height] : [0, 0, pen.width, pen.height - 62 * sums];
  const plot = plane(pen, box, lerp(VIEWS, stage));
  const faded = (alpha, f) => { if (alpha <= 0) return; c.save(); c.globalAlpha = alpha; f(); c.restore(); };
  const word = (words, x, y, color, alpha, { down = 0, ...more } = {}) => faded(alpha, () => pen.text(words, plot.X(x), plot.Y(y) + down, { size: 12, color, halo: paper, align: "center", ...more }));
  const shape = (points, color, alpha, { fill = 0.3, width = 2, dash = [] } = {}) => faded(alpha, () => {
    c.beginPath();
    c.rect(plot.left, plot.top, plot.width, plot.height);
    c.clip();
    c.beginPath();
    [...points, points[0]].forEach(([x, y]) => c.lineTo(plot.X(x), plot.Y(y)));
    Object.assign(c, { fillStyle: color, strokeStyle: color, lineWidth: width, globalAlpha: alpha * fill });
    if (fill) c.fill();
    c.globalAlpha = alpha;
    c.setLineDash(dash);
    if (width) c.stroke();
  });
  const twos = (p) => Array.from({ length: p.length / 2 }, (_, i) => [p[2 * i], p[2 * i + 1]]);
  const dot = ([x, y], color, alpha, more = {}) => plot.dots([x], [y], { color, alpha, radius: 5, ring: paper, ...more });
  const arrow = ([a, b], [p, q], color, alpha) => { if (alpha > 0) plot.arrow(a, b, p, q, { color, alpha, width: 2, head: 8 }); };
  const line = (from, to, color, alpha, dash = []) => { if (alpha > 0) plot.line([from[0], to[0]], [from[1], to[1]], { color, alpha, dash, width: 1.4 }); };

  // Stage 0: the line of z above, the line of x below; a sliver of each, of one mass.
  const sliver = on(0);
  if (sliver) {
    const [up, down, tall, half] = [0.9, -2.5, 4.4, 0.25], bell = grid(-3, 3, 121), high = (u) => tall * Math.exp(logBell(u));
    const side = (map, base, factor, color) => {
      shape([...Array.from(bell, (u) => [map(u), base + high(u) / factor]), [map(3), base], [map(-3), base]], color, sliver, { fill: 0.12, width: 1.6 });
      const cut = grid(Z[0] - half, Z[0] + half, 9);
      shape([...Array.from(cut, (u) => [map(u), base + high(u) / factor]), [map(cut[8]), base], [map(cut[0]), base]], color, sliver, { fill: 0.75, width: 0 });
      line([-9, base], [12, base], soft, sliver);
    };
    const to = (u) => START[0] + STRETCH * u;
    shape([[Z[0] - half, up], [Z[0] + half, up], [to(Z[0] + half), down], [to(Z[0] - half), down]], orange, sliver, { fill: 0.25, width: 0 });
    side((u) => u, up, 1, pink);
    side(to, down, STRETCH, green);
    word("z", -1.8, up + 0.35, pink, sliver);
    word("x", 4.2, down + 0.35, green, sliver);
    word(`× ${STRETCH}`, to(Z[0]) - 0.75, (up + down) / 2 - 0.3, orange, sliver, { bold: true });
  }

  // Stages 1 and 7: the tiny case in the plane.
  const map = (p) => straight(p), cell = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const square = on(1), chain = on(7), swept = on(8), tiny = Math.max(square, chain, swept);
  if (tiny) {
    line([-9, 0], [12, 0], faint, tiny);
    line([0, -9], [0, 12], faint, tiny);
  }
  if (square) {
    for (let k = -2; k < 6; k++) for (const [a, b] of [[[k / 2, -1], [k / 2, 2]], [[-1, k / 2], [2, k / 2]]]) line(map(a), map(b), orange, 0.25 * square);
    shape(cell.map(map), orange, square);
    shape(cell, pink, square);
    arrow(Z, between(map(Z), Z, 0.04), soft, square);
    dot(Z, pink, square);
    dot(map(Z), green, square);
    word("area 1", 0.5, -0.3, pink, square);
    word(`area ${AREA}`, 2.35, 3.4, orange, square, { bold: true });
    word("(2, 5)", 1.75, 5.35, green, square);
  }
  if (chain) {
    const stop = [map(Z)[0], Z[1]];
    arrow(Z, between(stop, Z, 0.05), soft, chain);
    arrow(stop, between(map(Z), stop, 0.03), soft, chain);
    line([2, -9], [2, 12], orange, 0.5 * chain, [4, 4]);
    for (const [p, color] of [[Z, pink], [stop, soft], [map(Z), green]]) dot(p, color, chain);
    word("z", Z[0], Z[1], pink, chain, { down: -14 });
    word("first x₁", 1.2, Z[1], ink, chain, { down: 14 });
    word("then x₂, which", 1.85, 3, ink, chain, { align: "right", down: -8 });
    word("reads x₁", 1.85, 3, ink, chain, { align: "right", down: 8 });
    word("x", 2.3, 5.1, green, chain);
  }
  if (swept) {
    const done = clamp((stage - 7.4) / 0.6) * 2, path = SWEEPS.slice(0, 3);
    line([2, -9], [2, 12], orange, 0.5 * swept, [4, 4]);
    path.slice(0, 2).forEach((p, k) => { if (done > k) arrow(p, between(p, path[k + 1], Math.min(0.97, done - k)), soft, swept); });
    path.forEach((p, k) => dot(p, k < 2 ? paper : green, k <= done + 1e-6 ? swept : 0, { ring: k < 2 ? ink : paper }));
    word("begin at 0", 0.2, 0, ink, swept, { align: "left", down: 12 });
    word("1 sweep:", 2.25, 3, ink, swept, { align: "left", down: -5 });
    word("x₁ is right", 2.25, 3, ink, swept, { align: "left", down: 11 });
    word("2 sweeps:", 2.25, 5, green, swept, { align: "left", down: -8 });
    word("x₂ too", 2.25, 5, green, swept, { align: "left", down: 8 });
  }

  // Stages 2 to 4 and 6: the sheet, its cells coloured by their change of area.
  const sheet = Math.max(over(2, 3), on(6)), back = on(4), shade = (v) => [v < 0 ? blue : orange, 0.15 + Math.min(0.75, Math.round(Math.abs(v) * 10) / 12)];
  const cells = (corners, area, alpha) => {
    plot.cells(corners, N, (i) => { const [color, a] = shade(area[i]); return [color, a * alpha]; });
    for (let k = 0; k < N; k += 2) for (const each of [(i) => k * N + i, (i) => i * N + k]) {
      const at = Array.from({ length: N }, (_, i) => each(i));
      plot.line(at.map((i) => corners[2 * i]), at.map((i) => corners[2 * i + 1]), { color: ink, width: 0.7, alpha: 0.5 * alpha });
    }
  };
  if (sheet) cells(n.corners, n.area, sheet);
  if (back) cells(n.back, n.backArea, back);
  if (over(2, 4)) shape([[-SIDE, -SIDE], [SIDE, -SIDE], [SIDE, SIDE], [-SIDE, SIDE]], back > 0.5 ? green : pink, over(2, 4), { fill: 0, width: 1.2, dash: [4, 4] });
  const near = on(2);
  SQUARES.forEach(([, p], k) => {
    shape(twos(p), pink, near, { fill: 0, width: 1.8 });
    shape(twos(BENT[k]), ink, near, { fill: 0, width: 2.4 });
    shape(twos(tangent(p)), paper, near, { fill: 0, width: 1.6, dash: [3, 3] });
  });
  if (stage > 1.4 && stage < 4.6) {
    const [one, two] = [over(2, 3), on(3)], way = [Z, n.first, n.last];
    if (two) { arrow(way[0], between(way[1], way[0], 0.08), ink, two); arrow(way[1], between(way[2], way[1], 0.08), ink, two); dot(way[1], paper, two, { ring: ink, radius: 4 }); }
    if (back) arrow(n.last, between(n.home, n.last, 0.06), ink, back);
    dot(Z, pink, Math.max(one, back));
    if (near) dot(n.first, green, near);
    if (two || back) dot(n.last, green, Math.max(two, back));
  }

  // Stage 5: three slants of one base and one height.
  const slants = on(5);
  STARS.forEach((star, k) => {
    const [left, w, h] = [0.2 + 3.3 * k, STRETCH, TINY[1][1]], foot = star < 0 ? 1.5 : 0.5;
    shape([[left, foot], [left + w, foot + star], [left + w, foot + star + h], [left, foot + h]], orange, slants);
    line([left, foot], [left, foot + h], ink, slants);
    word(`∗ = ${star}`, left + w / 2, -0.7, soft, slants);
    word(`${AREA}`, left + w / 2, foot + star / 2 + h / 2, orange, slants, { bold: true, size: 15 });
  });

  // Stage 6: columns that stay; below each, how much it is stretched.
  const half = on(6);
  if (half) {
    for (let k = 0; k <= CELLS; k += 4) line([EDGE[k], -9], [EDGE[k], 9], soft, 0.7 * half, [3, 4]);
    const u = grid(-SIDE, SIDE, 41);
    plot.line(u, u.map(shiftOf[0]), { color: paper, width: 5, alpha: 0.8 * half });
    plot.line(u, u.map(shiftOf[0]), { color: ink, width: 2.4, alpha: half });
    word("t", -1.7, shiftOf[0](-1.7) + 0.35, ink, half, { bold: true });
    word("smaller", -1.2, -3.2, blue, half);
    word("larger", 1.2, -3.2, orange, half);
  }

  // The sum in logarithms.
  if (!sums) return;
  const [from, wide, base, thick] = aside ? [pen.width * 0.66, pen.width * 0.32, pen.height * 0.5 - 20, 13] : [8, pen.width - 16, pen.height - 44, 13];
  const [home, one, two] = n.sums, at = (v) => from + wide * (1 + v / 5), scoring = stage > 3.5;
  const bar = (a, b, y, color, alpha = 1) => { Object.assign(c, { fillStyle: color, globalAlpha: alpha * sums }); c.fillRect(Math.min(at(a), at(b)), y, Math.max(1, Math.abs(at(a) - at(b))), thick); c.globalAlpha = 1; };
  const put = (words, x, y, color, align) => faded(sums, () => pen.text(words, x, y, { size: 12, color, align, halo: paper }));
  bar(0, home, base, pink, 0.75);
  bar(home, home + one, base, orange, 0.9);
  bar(home + one, home + one + two, base + 1, orange, 0.55);
  bar(0, home + one + two, base + thick + 3, green, 0.75);
  put("log p(z)", at(0), base - 10, pink, "right");
  put(`${scoring ? "+" : "−"} log|det|`, Math.min(at(home) - 8, from + wide - 62), base - 10, orange, "right");
  put("log p(x)", at(0), base + 2 * thick + 12, green, "right");
  put((home + one + two).toFixed(2), at(home + one + two) - 5, base + 1.5 * thick + 3, green, "right");
}

const f = (v, digits = 2) => v.toFixed(digits);
const say = (n, { stage }) => [
  `The map x = 1 + 2z stretches the sliver ${STRETCH} times, so its density falls from ${f(Math.exp(logBell(Z[0])), 3)} to ${f(Math.exp(logBell(Z[0])) / STRETCH, 3)}: the mass is the same.`,
  `The square has area 1, its image ${AREA}. So the density falls from ${f(Math.exp(logBell(...Z)), 4)} to ${f(Math.exp(logBell(...Z)) / AREA, 4)}.`,
  `Dashed: the Jacobian's parallelogram. The large square grew ${f(n.grown[0], 3)} times, the small one ${f(n.grown[1], 3)}, as |det J| says: ${f(n.tangent[1], 3)}.`,
  `The first layer adds ${f(n.logs[0])}; the second, where the point has come, ${f(n.logs[1])}. Together log|det J| = ${f(n.logs[0] + n.logs[1])}.`,
  `From x to z the logarithm has the other sign, ${f(n.logs[2])}, and it is added: ${f(n.sums[0])} and ${f(n.sums[1])} make ${f(n.sums[0] + n.sums[1])}.`,
  `Base ${STRETCH}, height ${TINY[1][1]}: whatever stands for the star, the area is ${AREA}.`,
  "A column stays at its place, which alone says how far it moves (t) and how much it is stretched.",
  `x₁ comes from z₁ alone. Then x₂ reads x₁. From (${Z.join(", ")}) to (${n.tiny.join(", ")}) in two evaluations, one a coordinate.`,
  `Remake both at once: (${n.sweeps[0].join(", ")}), then (${n.sweeps[1].join(", ")}), then (${n.sweeps[2].join(", ")}), and there it stays.`,
][Math.round(stage)];

export const { about, controls, compute: mathematics, render } = figure({
  about: "A sheet of cells that a map bends, with what the derivation says of it.",
  controls: [{ name: "stage", min: 0, max: stages.length - 1, step: 1, value: 0 }],
  compute, draw, say, aspect: 0.42, tall: 1.12, narrow: 312,
});
export default { render };
