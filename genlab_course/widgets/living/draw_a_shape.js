// Draw a shape; five machines learn it. Each trains in a worker of its own (machines.js); this page
// only draws what they tell.
import { DAY, NIGHT, dark, normals } from "./stage.js";
import { machines } from "./machines.js";
import { Gif } from "./gif.js";

const controls = [
  { name: "shape", value: "ring" },
  { name: "share", value: 1 }, // of the training
  { name: "seconds", value: 18 },
];
const about = "A square to draw in; beside it five generative models learn what was drawn.";
const POINTS = 400; // of the shape that is learned
const TOGETHER = 2000; // milliseconds in which strokes belong together
const REST = 0.12; // the length that a dot counts as

const MACHINES = [
  { kind: "autoregressive", name: "Autoregressive", day: DAY.blue, night: NIGHT.blue, likelihood: "exact", calls: 2,
    line: "−log <i>p</i>(<i>x</i>) − log <i>p</i>(<i>y</i> | <i>x</i>)", loss: "−log likelihood" },
  { kind: "flow", name: "Normalising flow", day: DAY.sky, night: NIGHT.sky, likelihood: "exact", calls: 1,
    line: "−log <i>p</i>(<i>f</i>(<i>x</i>)) − log |<i>f</i>′(<i>x</i>)|", loss: "−log likelihood" },
  { kind: "vae", name: "VAE", day: DAY.orange, night: NIGHT.orange, likelihood: "bound", calls: 1,
    line: "KL(<i>q</i> ‖ <i>p</i>) − E log <i>p</i>(<i>x</i> | <i>z</i>)", loss: "−ELBO" },
  { kind: "gan", name: "GAN", day: DAY.red, night: NIGHT.red, likelihood: "none", calls: 1,
    line: "−log <i>D</i>(<i>G</i>(<i>z</i>))", loss: "generator" },
  { kind: "diffusion", name: "Diffusion", day: DAY.green, night: NIGHT.green, likelihood: "bound", calls: 100,
    line: "‖<i>v</i><sub>θ</sub>(<i>x<sub>t</sub></i>, <i>t</i>) − <i>v</i>‖²", loss: "velocity error" },
];
const FACTS = [
  ["likelihood", "whether a machine can say how likely a point is"],
  ["calls per sample", "how often a network is asked for one sample"],
  ["blur, bridges", "samples that lie off the line"],
  ["modes lost", "line that has no sample near"],
];
const NOTES = [...FACTS.slice(1), ["best", "what the true distribution of the shape would score; less only by chance"],
  ["at rest", "the generator's loss when the discriminator can no longer tell"]];
const NATS = ["autoregressive", "flow", "vae"];
const KINDS = MACHINES.map(({ kind }) => kind);

const path = (n, at) => Array.from({ length: n + 1 }, (_, i) => at(i / n));
const arc = (x, y, r, from, to) => path(60, (p) => {
  const a = 2 * Math.PI * (from + p * (to - from));
  return [x + r * Math.cos(a), y + r * Math.sin(a)];
});
const SHAPES = {
  ring: () => [arc(0, 0, 0.62, 0.25, -0.75)],
  "two moons": () => [arc(-0.27, -0.14, 0.48, 0.5, 0), arc(0.27, 0.14, 0.48, 0.5, 1)],
  spiral: () => [path(150, (p) => {
    const a = 4 * Math.PI * p + 0.6, r = 0.1 + 0.62 * p;
    return [r * Math.cos(a), r * Math.sin(a)];
  })],
  "eight dots": () => Array.from({ length: 8 }, (_, k) => [[0.64 * Math.cos(k * Math.PI / 4), 0.64 * Math.sin(k * Math.PI / 4)]]),
};

// Letters of single strokes, points x y of a grid 4 wide and 6 high.
const LETTERS = Object.fromEntries(`A 002640 1232|B 0006 063645443303 3342413000|C 4536160501103041|D 0006 062645412000
E 46060040 0333|F 460600 0333|G 45361605011030414323|H 0006 4046 0343|I 2026|J 4641301001|K 0006 460340|L 060040
M 0006234640|N 00064046|O 160501103041453616|P 0006 063645443303|Q 160501103041453616 2240|R 0006 063645443303 2340
S 453616050413334241301001|T 0646 2620|U 060110304146|V 062046|W 0610243046|X 0046 0640|Y 062346 2320|Z 06460040`
  .split(/[|\n]/).map((row) => [row.trim()[0], row.trim().slice(2).split(" ")]));
function initials(words) {
  const letters = [...words.toUpperCase()].filter((letter) => letter in LETTERS), n = letters.length;
  const unit = Math.min(1.5 / (6 * n - 2), 1.15 / 6), left = -0.5 * (6 * n - 2) * unit;
  return letters.flatMap((letter, k) => LETTERS[letter].map((stroke) => stroke.match(/../g).flatMap((pair, i, all) => {
    const at = (p) => [left + (6 * k + +p[0]) * unit, (+p[1] - 3) * unit], [a, b] = [at(pair), at(all[i + 1] ?? pair)];
    return i + 1 < all.length ? path(7, (p) => [a[0] + p * (b[0] - a[0]), a[1] + p * (b[1] - a[1])]) : [a];
  })));
}

// Points evenly along some strokes; a tap counts as a short line.
function along(strokes, n = POINTS) {
  const parts = [];
  let length = 0;
  for (const stroke of strokes) {
    const sides = stroke.slice(1).map((b, i) => [stroke[i], b, Math.hypot(b[0] - stroke[i][0], b[1] - stroke[i][1])]);
    const whole = sides.reduce((sum, side) => sum + side[2], 0);
    if (whole < REST) sides.splice(0, sides.length, [stroke[0], stroke.at(-1), REST]);
    for (const [a, b, far] of sides.filter((side) => side[2] > 0)) { parts.push([a, b, far, length]); length += far; }
  }
  const out = new Float64Array(2 * n);
  for (let i = 0, j = 0; i < n; i++) {
    const at = ((i + 0.5) / n) * length;
    while (j + 1 < parts.length && parts[j + 1][3] <= at) j += 1;
    const [a, b, far, before] = parts[j], p = (at - before) / far;
    for (const k of [0, 1]) out[2 * i + k] = a[k] + p * (b[k] - a[k]);
  }
  return out;
}

const STYLE = `
.genlab-stage { container-type: inline-size; font-size: 15px; line-height: 1.4;
  --ink: #222; --soft: #6b6b6b; --rim: #dcdad4; --sheet: #fff; color: var(--ink); }
.genlab-stage[data-night] { --ink: #e6e6e6; --soft: #a2a2a2; --rim: #343a42; --sheet: #101215; }
.genlab-stage .row { display: grid; gap: 14px clamp(10px, 1.3cqw, 24px); align-items: start;
  grid-template-columns: minmax(0, 1.62fr) repeat(5, minmax(0, 1fr)); }
.genlab-stage section { min-width: 0; }
.genlab-stage canvas { display: block; width: 100%; aspect-ratio: 1; border-radius: 10px; background: var(--sheet);
  border: 1px solid var(--rim); box-sizing: border-box; }
.genlab-stage canvas.yours { cursor: crosshair; touch-action: none; border: 1.5px dashed var(--soft); }
.genlab-stage :focus-visible { outline: 2px solid #d55e00; outline-offset: 2px; }
.genlab-stage h3 { margin: 0 0 6px; font-size: 15px; font-weight: 600; line-height: 22px; white-space: nowrap; }
.genlab-stage h3::before { content: ""; display: inline-block; width: 10px; height: 10px; margin-right: 7px;
  border-radius: 50%; background: var(--family, transparent); }
.genlab-stage section.first h3::before { display: none; }
.genlab-stage p { margin: 7px 0 0; max-width: none; overflow: visible; }
.genlab-stage .maths { font: 15px/20px "Genlab Serif", "STIX Two Math", "Cambria Math", Georgia, serif; min-height: 20px; white-space: nowrap;
  overflow: hidden; font-size: clamp(11px, 1.05cqw, 17px); }
.genlab-stage .maths sub { line-height: 0; }
.genlab-stage .loss { font-variant-numeric: tabular-nums; font-size: 13px; color: var(--soft); line-height: 18px; }
.genlab-stage .loss b { color: var(--ink); font-size: 17px; font-weight: 600; }
.genlab-stage .loss b::after { content: attr(data-unit); font-size: 13px; font-weight: 400; color: var(--soft); }
.genlab-stage ul { list-style: none; margin: 6px 0 0; padding: 0; font-size: 13px; line-height: 19px; }
.genlab-stage li { display: flex; justify-content: space-between; gap: 6px; margin: 0; border-top: 1px solid var(--rim); padding: 2px 0;
  color: var(--soft); font-variant-numeric: tabular-nums; }
.genlab-stage li b { font-weight: 600; color: var(--ink); opacity: 0; transition: opacity 0.6s; text-align: right; }
.genlab-stage li.true b { opacity: 1; }
.genlab-stage .hint, .genlab-stage .notes { font-size: 13px; color: var(--soft); }
.genlab-stage .notes { margin-top: 12px; } .genlab-stage .notes b { font-weight: 600; }
.genlab-stage .bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin-top: 9px; }
.genlab-stage button, .genlab-stage input { font: inherit; font-size: 13px; min-height: 32px; padding: 2px 10px; color: inherit; background: transparent;
  border: 1px solid var(--rim); border-radius: 17px; cursor: pointer; }
.genlab-stage input { width: 6em; cursor: text; }
.genlab-stage button.film { font-weight: 600; border-color: var(--soft); }
.genlab-stage button[aria-pressed=true] { border-color: var(--ink); }
.genlab-stage [hidden] { display: none; }
.genlab-stage .progress { height: 3px; border-radius: 2px; margin-top: 12px; background: var(--rim); overflow: hidden; }
.genlab-stage .progress i { display: block; height: 100%; width: 0; background: var(--soft); }
@media print { .genlab-stage :is(.bar, .hint, .progress) { display: none; } }
@container (max-width: 880px) {
  .genlab-stage .row { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .genlab-stage .maths { font-size: clamp(11px, 1.9cqw, 16px); }
}
@container (max-width: 560px) {
  .genlab-stage .row { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .genlab-stage section.first { grid-column: 1 / -1; }
  .genlab-stage canvas.yours { width: 82%; margin: 0 auto; } /* beside it a finger scrolls the page */
  .genlab-stage .maths { font-size: clamp(11px, 3.6cqw, 16px); }
  .genlab-stage button { min-height: 44px; border-radius: 22px; }
}`;

const make = (tag, more = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...children);
  return element;
};
const percent = (share) => `${Math.round(100 * share)} %`;
const wide = (share) => `${100 * share}%`;
const signed = (value) => (Number.isFinite(value) ? value.toFixed(2).replace("-", "−") : "∞");

// One square that shows points, and moves them to where they are told to be.
class Sheet {
  constructor(canvas) { Object.assign(this, { canvas, shown: null, goal: null, shape: [], strokes: [], moves: true }); }

  size() {
    const { canvas } = this, scale = devicePixelRatio || 1, side = Math.round(canvas.clientWidth * scale);
    if (side && canvas.width !== side) canvas.width = canvas.height = side;
    return side;
  }

  tell(points, { jump = false } = {}) {
    this.goal = points;
    if (jump || !this.shown || this.shown.length !== points.length) this.shown = Float32Array.from(points);
  }

  // Whether anything still moves.
  go() {
    const { shown, goal } = this;
    if (!goal) return false;
    let far = 0;
    for (let i = 0; i < goal.length; i++) {
      const step = 0.35 * (goal[i] - shown[i]);
      shown[i] += step;
      far = Math.max(far, Math.abs(step));
    }
    return far > 1e-4;
  }

  draw(context, side, { ink, soft, color }) {
    const place = (v) => (0.5 + 0.5 * v) * side, X = (x) => place(x), Y = (y) => side - place(y), c = context;
    Object.assign(c, { lineCap: "round", lineJoin: "round", strokeStyle: color ? soft : ink, globalAlpha: color ? 0.2 : 1 });
    c.lineWidth = Math.max(1, side * (color ? 0.012 : 0.02));
    for (const stroke of this.strokes) {
      c.beginPath();
      c.moveTo(X(stroke[0][0]) - 0.01, Y(stroke[0][1])); // so that a tap is seen
      for (const [x, y] of stroke) c.lineTo(X(x), Y(y));
      c.stroke();
    }
    if (this.shown) {
      const r = Math.max(1.1, side * 0.0062);
      Object.assign(c, { fillStyle: color, globalAlpha: 0.85 });
      c.beginPath();
      for (let i = 0; i < this.shown.length; i += 2) {
        const x = X(this.shown[i]), y = Y(this.shown[i + 1]);
        c.moveTo(x + r, y);
        c.arc(x, y, r, 0, 2 * Math.PI);
      }
      c.fill();
    }
    c.globalAlpha = 1;
  }

  paint(colours) {
    const side = this.size();
    if (!side) return;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    this.draw(context, side, colours);
  }
}

// Moments of a training, at most 400 and evenly: each second one goes when there are more.
class Past {
  constructor() { Object.assign(this, { moments: [], heard: 0, stride: 1 }); }

  keep(moment, last) {
    if (this.heard++ % this.stride === 0 || last) this.moments.push(moment);
    if (this.moments.length <= 400) return;
    this.moments = this.moments.filter((_, i) => i % 2 === 0 || i === this.moments.length - 1);
    this.stride *= 2;
  }

  at(part) { return this.moments[Math.round(part * (this.moments.length - 1))]; }
}

// The film: a shape is drawn, and five machines learn it.
const FILM = { width: 1200, height: 350, fps: 14, draws: 14, learns: 56, rest: 130 };
const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
function palette(night) {
  const [paper, ink] = night ? ["#121417", NIGHT.ink] : ["#fbfaf7", DAY.ink], all = [rgb(paper)];
  const blend = (hex, n) => {
    for (let k = 1; k <= n; k++) all.push(rgb(hex).map((v, i) => Math.round(rgb(paper)[i] + (k / n) * (v - rgb(paper)[i]))));
  };
  blend(ink, 24);
  MACHINES.forEach((one) => blend(night ? one.night : one.day, 20));
  return all;
}

function scene(context, night, face, strokes, drawn, moments) {
  const { width, height } = FILM, c = context, big = 268, small = 160, gap = 17, left = 22, top = 60;
  const [paper, ink, soft] = night ? ["#121417", NIGHT.ink, "#a2a2a2"] : ["#fbfaf7", DAY.ink, "#6b6b6b"];
  const write = (words, x, y, size, color = ink, bold = false) => {
    Object.assign(c, { fillStyle: color, font: `${bold ? "600 " : ""}${size}px ${face}`, textBaseline: "alphabetic" });
    c.fillText(words, x, y);
  };
  const square = (x, y, side, sheet, colours) => {
    c.save();
    c.translate(x, y);
    c.beginPath();
    c.roundRect(0, 0, side, side, 10);
    Object.assign(c, { strokeStyle: soft, lineWidth: 1, globalAlpha: 0.4 });
    c.stroke();
    c.globalAlpha = 1;
    c.clip();
    sheet.draw(c, side, colours);
    c.restore();
  };
  c.fillStyle = paper;
  c.fillRect(0, 0, width, height);
  write("Draw a shape. Five machines learn it.", left, 36, 22, ink, true);
  c.textAlign = "right";
  write("genlab", width - left, 36, 17, soft);
  c.textAlign = "left";
  const mine = new Sheet(null);
  mine.strokes = drawn;
  square(left, top, big, mine, { ink, soft });
  MACHINES.forEach((machine, k) => {
    const x = left + big + gap + k * (small + gap), moment = moments?.[k], sheet = new Sheet(null), color = night ? machine.night : machine.day;
    Object.assign(sheet, { strokes: moments ? strokes : drawn, shown: moment?.points ?? null });
    c.fillStyle = color;
    c.beginPath();
    c.arc(x + 6, top + 12, 5, 0, 2 * Math.PI);
    c.fill();
    write(machine.name, x + 18, top + 17, 15, ink, true);
    square(x, top + 30, small, sheet, { ink, soft: night ? "#ffffff" : "#000000", color });
    if (!moment) return;
    write(`${machine.loss} ${signed(moment.loss)}`, x, top + 214, 13, soft);
    const calls = moment.call ?? machine.calls;
    write(`likelihood ${machine.likelihood}`, x, top + 234, 13, soft);
    write(`${calls} call${calls === 1 ? "" : "s"} per sample`, x, top + 254, 13, soft);
  });
}

// The moments of a film; `part` of its way through the training.
const momentsAt = (past, part) => KINDS.map((kind) => past[kind].at(part));

async function film(strokes, past, face, progress) {
  const { width, height, fps, draws, learns, rest } = FILM, night = dark(), gif = new Gif(width, height, palette(night));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  const total = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  for (let k = 0; k <= draws + learns; k++) {
    const part = (k - draws) / learns, drawn = k < draws ? begun(strokes, Math.ceil((total * (k + 1)) / draws)) : strokes;
    scene(context, night, face, strokes, drawn, part < 0 ? null : momentsAt(past, part));
    gif.add(context.getImageData(0, 0, width, height).data, k < draws + learns ? Math.round(100 / fps) : rest);
    progress((k + 1) / (draws + learns + 1));
    await new Promise((next) => { setTimeout(next); });
  }
  return gif.file();
}

// The first points of some strokes.
function begun(strokes, left) {
  return strokes.map((stroke) => {
    const part = stroke.slice(0, Math.max(0, left));
    left -= stroke.length;
    return part;
  }).filter((stroke) => stroke.length);
}

function render({ model, el }) {
  const state = { ...Object.fromEntries(controls.map(({ name, value }) => [name, value])), ...model.get("settings") };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const root = make("div", { className: "genlab-stage" }, make("style", {}, STYLE));
  const row = make("div", { className: "row" }), thread = make("i");
  const yours = make("canvas", { className: "yours", tabIndex: 0 });
  yours.setAttribute("role", "img");
  yours.ariaLabel = "A square to draw a shape in, with a finger or the mouse. The buttons below hold shapes.";
  const hint = make("p", { className: "hint" }), bar = make("div", { className: "bar" });
  row.append(make("section", { className: "first" }, make("h3", {}, "Draw a shape"), yours,
    make("div", { className: "progress" }, thread), hint, bar));
  const mine = new Sheet(yours), sheets = {}, told = {}, workers = {}, past = {};
  let strokes = [], ended = 0, began = 0, frame = 0, drawing = null, closed = false;

  for (const machine of MACHINES) {
    const canvas = make("canvas"), loss = make("b", {}, "–"), floor = make("span");
    canvas.setAttribute("role", "img");
    const facts = FACTS.map(([words, title]) => make("li", { title }, words, make("b")));
    const section = make("section", { className: "machine" }, make("h3", {}, machine.name), canvas,
      make("p", { className: "maths", innerHTML: machine.line }),
      make("p", { className: "loss" }, machine.loss, floor, make("br"), loss), make("ul", {}, ...facts));
    section.dataset.kind = machine.kind;
    row.append(section);
    sheets[machine.kind] = new Sheet(canvas);
    told[machine.kind] = { section, canvas, loss, floor, facts };
  }
  const notes = NOTES.flatMap(([words, means], k) => [k ? " · " : "", make("b", {}, `${words}:`), ` ${means}`]);
  root.append(row, make("p", { className: "notes" }, ...notes));
  const buttons = Object.keys(SHAPES).map((name) => {
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => show(SHAPES[name](), name));
    bar.append(button);
    return [name, button];
  });
  const letters = make("input", { maxLength: 3, placeholder: "initials", ariaLabel: "your initials" });
  letters.addEventListener("input", () => {
    clearTimeout(letters.wait);
    letters.wait = setTimeout(() => { if (initials(letters.value).length) show(initials(letters.value)); }, 700);
  });
  bar.append(letters);
  const save = make("button", { type: "button", hidden: true, className: "film" }, "Keep this film");
  save.addEventListener("click", async () => {
    save.disabled = true;
    const file = await film(strokes, past, getComputedStyle(root).fontFamily, (part) => { save.textContent = `Keep this film: ${percent(part)}`; });
    const link = make("a", { href: URL.createObjectURL(file), download: "five-machines.gif" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    Object.assign(save, { disabled: false, textContent: "Keep this film" });
  });
  bar.append(save);
  el.append(root);

  const night = () => {
    root.toggleAttribute("data-night", dark());
    for (const machine of MACHINES) told[machine.kind].section.style.setProperty("--family", dark() ? machine.night : machine.day);
    repaint();
  };
  const colours = (machine) => ({ ink: dark() ? NIGHT.ink : DAY.ink, soft: dark() ? "#fff" : "#000",
    color: machine && (dark() ? machine.night : machine.day) });

  // A recorded run of the ring, where nothing may move or nothing can train.
  const recorded = ((data) => (data instanceof DataView ? JSON.parse(new TextDecoder().decode(data)) : data))(model.get("data"));
  function record(words) {
    strokes = SHAPES.ring();
    for (const kind of KINDS) {
      past[kind] = new Past();
      sheets[kind].strokes = strokes;
      if (recorded?.[kind]) hear({ kind, call: null, done: true, ...recorded[kind], points: Float32Array.from(recorded[kind].points, (v) => v / 1000) });
    }
    root.dataset.state = "recorded";
    hint.textContent = words;
    repaint();
  }
  function fail() {
    stop();
    bar.hidden = true;
    Object.assign(yours.style, { pointerEvents: "none", borderStyle: "solid" });
    record("A recorded run: this browser lets nothing train here.");
  }

  const times = [];
  function paint() {
    frame = 0;
    const now = performance.now();
    let moves = false;
    if (drawing) moves = drawing(now) || moves;
    mine.strokes = strokes;
    mine.paint(colours());
    for (const machine of MACHINES) {
      const sheet = sheets[machine.kind];
      moves = sheet.go() || moves;
      sheet.paint(colours(machine));
    }
    times.push(performance.now() - now);
    if (moves) repaint();
  }
  const repaint = () => { if (!closed) frame ||= requestAnimationFrame(paint); };

  // What a machine told: its samples, its loss, and each fact from the moment it is seen.
  function hear({ kind, points, step, steps, loss, floor, wrong, call, done }) {
    const machine = MACHINES.find((one) => one.kind === kind), { section, canvas, facts, loss: said, floor: least } = told[kind];
    Object.assign(told[kind], { step, steps, done, said: { points, step, steps, loss, floor, wrong } });
    const restart = call === 0; // a new pass begins in noise
    past[kind].keep({ points, loss, call }, done);
    if (still && !done) {
      hint.textContent = `They train: ${percent(Math.min(...KINDS.map((k) => (told[k].step ?? 0) / (told[k].steps ?? 1))))}.`;
      return;
    }
    sheets[kind].tell(points, { jump: restart });
    const part = step / steps;
    said.textContent = signed(loss);
    least.textContent = floor === null ? (kind === "gan" ? ", at rest 0.69" : "") : `, best ${signed(floor)}`;
    said.dataset.unit = NATS.includes(kind) ? " nats" : "";
    const say = (k, value, yes) => {
      facts[k].lastChild.textContent = value;
      facts[k].classList.toggle("true", yes);
    };
    say(0, machine.likelihood, part > 0.05);
    say(1, call === null || done ? machine.calls : call, true);
    if (wrong) {
      say(2, percent(wrong.astray), true);
      say(3, percent(wrong.lost), true);
      canvas.ariaLabel = `${machine.name}: samples after ${step} of ${steps} steps. ${percent(wrong.astray)} of them lie ` +
        `off the line, ${percent(wrong.lost)} of the line has no sample near.`;
    }
    section.toggleAttribute("data-done", done);
    const parts = KINDS.map((k) => (told[k].steps ? told[k].step / told[k].steps : 0));
    thread.style.width = wide(parts.reduce((a, b) => a + b) / parts.length);
    const behind = Math.min(...parts), spent = (performance.now() - began) / 1000;
    if (root.dataset.state === "training") hint.textContent = `Five machines learn it, ${behind > 0.05
      ? `about ${Math.ceil((spent * (1 - behind)) / behind)} s left` : `for about ${Math.ceil(state.seconds) + 2} s`}. Grey: the shape.`;
    if (root.dataset.state === "training" && KINDS.every((k) => told[k].done)) finish();
    repaint();
  }

  function finish() {
    root.dataset.state = "done";
    save.hidden = false;
    root.dataset.frame = (times.reduce((a, b) => a + b, 0) / times.length).toFixed(1);
    hint.textContent = "Draw another shape, or choose one.";
    el.dispatchEvent(new CustomEvent("trained", { detail: told }));
  }

  function stop() {
    for (const kind of KINDS) { workers[kind]?.terminate(); delete workers[kind]; }
  }

  // All five begin anew.
  function train() {
    stop();
    save.hidden = true;
    times.length = 0;
    root.dataset.state = "training";
    began = performance.now();
    hint.textContent = `Five machines learn it, for about ${Math.ceil(state.seconds) + 2} s. Grey: the shape.`;
    const shape = along(strokes), text = `const normals = ${normals};\n(${machines})(normals).work(self);`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    for (const kind of KINDS) {
      Object.assign(told[kind], { step: 0, steps: 1, done: false });
      past[kind] = new Past();
      sheets[kind].strokes = strokes;
      if (still) sheets[kind].shown = sheets[kind].goal = null;
      try { workers[kind] = new Worker(url); } catch { fail(); return; }
      workers[kind].onmessage = ({ data }) => hear(data);
      workers[kind].onerror = fail;
      workers[kind].postMessage({ kind, shape, seed: 1, share: state.share, seconds: still ? 1 : state.seconds });
    }
    setTimeout(() => URL.revokeObjectURL(url), 5000);
  }

  // A shape draws itself in a second and a half, then it is learned.
  function show(whole, name = "") {
    stop();
    const total = whole.reduce((sum, stroke) => sum + stroke.length, 0), start = performance.now();
    buttons.forEach(([other, button]) => button.setAttribute("aria-pressed", other === name));
    root.dataset.state = "drawing";
    drawing = (now) => {
      strokes = begun(whole, Math.ceil((total * (now - start)) / 1500));
      if (now - start < 1500 && !still) return true;
      drawing = null;
      strokes = whole;
      train();
      return false;
    };
    ended = 0;
    repaint();
  }

  const place = ({ clientX, clientY }) => {
    const box = yours.getBoundingClientRect(), clip = (v) => Math.max(-0.97, Math.min(0.97, v));
    return [clip((2 * (clientX - box.left)) / box.width - 1), clip(1 - (2 * (clientY - box.top)) / box.height)];
  };
  yours.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    event.preventDefault();
    yours.setPointerCapture(event.pointerId);
    stop();
    drawing = null;
    buttons.forEach(([, button]) => button.setAttribute("aria-pressed", false));
    root.dataset.state = "drawing";
    strokes = [...(performance.now() - ended < TOGETHER ? strokes : []), [place(event)]];
    repaint();
  });
  yours.addEventListener("pointermove", (event) => {
    if (!yours.hasPointerCapture(event.pointerId)) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const at = place(one), last = strokes.at(-1).at(-1);
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) > 0.01) strokes.at(-1).push(at);
    }
    repaint();
  });
  const lift = (event) => {
    if (!yours.hasPointerCapture(event.pointerId)) return;
    yours.releasePointerCapture(event.pointerId);
    ended = performance.now();
    train();
  };
  yours.addEventListener("pointerup", lift);
  yours.addEventListener("pointercancel", lift);
  root.addEventListener("keydown", (event) => { // JupyterLab's own keys
    if (!event.ctrlKey && !event.metaKey && event.key !== "Escape") event.stopPropagation();
  });

  const size = new ResizeObserver(repaint), theme = new MutationObserver(night);
  size.observe(root);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const dusk = matchMedia("(prefers-color-scheme: dark)");
  dusk.addEventListener("change", night);
  night();
  // It begins when it is seen.
  const seen = new IntersectionObserver((entries) => {
    if (closed || !entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    if (still) record("A recorded run. Draw, or choose a shape, and they train on it.");
    else show(SHAPES[state.shape]?.() ?? initials(state.shape), state.shape);
  });
  seen.observe(yours);
  return () => {
    closed = true;
    stop();
    seen.disconnect();
    size.disconnect();
    theme.disconnect();
    dusk.removeEventListener("change", night);
  };
}

export { about, controls };
export default { render };
