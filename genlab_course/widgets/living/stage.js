// What every living figure stands on: controls, a canvas measured in CSS pixels, axes, colours.
// A figure is one module that calls `figure({...})` and exports what it returns.

export const DAY = { paper: "#ffffff", ink: "#222222", soft: "#8a8a8a", faint: "#e4e4e4", blue: "#0072b2",
  orange: "#e69f00", green: "#009e73", red: "#d55e00", pink: "#cc79a7", sky: "#56b4e9" };
export const NIGHT = { paper: "#16181c", ink: "#e6e6e6", soft: "#9a9a9a", faint: "#34383f", blue: "#5aa9e6",
  orange: "#f0b429", green: "#2fbf93", red: "#f4803c", pink: "#e29bc4", sky: "#8fd0f5" };

// Words are darker than lines by day, or they could not be read.
const WORD_COLOURS = { "#e69f00": "#9a6700", "#cc79a7": "#a3487f", "#56b4e9": "#1f78b4",
  "#009e73": "#00795a", "#d55e00": "#b84f00", "#8a8a8a": "#6b6b6b" };
// A hyphen before a digit is a minus sign.
const withMinus = (words) => String(words).replace(/(?<![\w.])-(?=\d)/g, "−");

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const STYLE = `
.genlab-living { max-width: var(--genlab-width, 760px); font: var(--genlab-size, 15px)/1.4 system-ui, "DejaVu Sans", sans-serif; }
.genlab-living canvas { display: block; width: 100%; max-height: var(--genlab-height, none); margin: 0 auto; touch-action: pan-y; border-radius: 6px; }
.genlab-living canvas.touch { cursor: crosshair; }
.genlab-living :focus-visible { outline: 2px solid #d55e00; outline-offset: 2px; }
.genlab-living .controls { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 4px 0 6px; }
.genlab-living .controls div, .genlab-living label { display: flex; align-items: center; gap: 8px;
  flex: 1 1 260px; white-space: nowrap; }
.genlab-living input[type=range] { flex: 1 1 110px; min-width: 80px; height: 26px; margin: 0; }
.genlab-living output { min-width: 3.4em; font-variant-numeric: tabular-nums; }
.genlab-living button, .genlab-living select { font: inherit; min-height: 32px; padding: 2px 10px;
  cursor: pointer; color: inherit; background: transparent; border: 1px solid #8888;
  border-radius: 6px; }
.genlab-living option { color: #222; background: #fff; }
.genlab-living button.play { width: 36px; padding: 0; }
.genlab-living p { margin: 6px 0 0; min-height: 2.8em; }`;

// Whether the page is dark: JupyterLab says so itself, elsewhere the system does.
export function dark() {
  const lab = document.body.dataset.jpThemeLight;
  return lab ? lab === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// Standard normal numbers that are the same everywhere: mulberry32, then Box and Muller's cosine.
export function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const next = () => {
    const u = uniform(), v = uniform();
    return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
  };
  next.uniform = uniform;
  return next;
}

export const grid = (low, high, n) =>
  Float64Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

export const noise = (seed, n) => Float64Array.from({ length: n }, normals(seed));

// Of points [x, y, x, y, ...]: one coordinate of all; and n of a sunflower, spread as normal ones are.
export const every = (points, j) => points.filter((_, i) => i % 2 === j);
// (with `leap`, which shares no factor with n, neighbours in radius are no neighbours in angle).
export const sunflower = (n, leap = 1) => Float64Array.from({ length: 2 * n }, (_, i) => {
  const k = Math.floor(i / 2), angle = Math.PI * (3 - Math.sqrt(5)) * ((leap * k) % n);
  return Math.sqrt(-2 * Math.log(1 - (k + 0.5) / n)) * (i % 2 ? Math.sin(angle) : Math.cos(angle));
});
export const logNormal = (x, m, s) => -0.5 * ((x - m) / s) ** 2 - Math.log(s * Math.sqrt(2 * Math.PI));
export const integral = (f, dx) => /* trapezoids */ (f.reduce((a, b) => a + b, 0) - (f[0] + f[f.length - 1]) / 2) * dx;

// Standard normal distribution function (Marsaglia's series), and a root of a rising function.
export function below(z) {
  if (Math.abs(z) > 8) return z > 0 ? 1 : 0;
  let sum = z, term = z, before = 0;
  for (let k = 3; sum !== before; k += 2) { before = sum; term *= (z * z) / k; sum += term; }
  return 0.5 + (sum * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
}

export function root(f, low = -8, high = 8) {
  for (let k = 0; k < 50; k++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

// Round ticks: about `n` of them from low to high.
function ticks(low, high, n) {
  const rough = (high - low) / n, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) out.push(k * step);
  return [out, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
}

// A picture under way: the context, its size in CSS pixels, the colours of the theme.
class Pen {
  constructor(context, width, height, small, face) { // small: on a phone; face: the letters of the page
    Object.assign(this, { context, width, height, small, face, draws: true });
    this.night = dark();
    this.colours = this.night ? NIGHT : DAY;
    this.clear();
  }

  clear() {
    this.context.fillStyle = this.colours.paper;
    this.context.fillRect(0, 0, this.width, this.height);
  }

  text(words, x, y, { color = this.colours.ink, align = "left", base = "middle", size = 13,
    bold = false, turn = 0, halo = null } = {}) {
    const c = this.context;
    c.save();
    c.translate(x, y);
    c.rotate(turn);
    c.font = `${bold ? "bold " : ""}${size}px ${this.face}`;
    Object.assign(c, { fillStyle: WORD_COLOURS[color] ?? color, textAlign: align, textBaseline: base });
    if (halo) { // a rim that keeps words legible on a busy ground
      Object.assign(c, { strokeStyle: halo, lineWidth: 4, lineJoin: "round" });
      c.strokeText(withMinus(words), 0, 0);
    }
    c.fillText(withMinus(words), 0, 0);
    c.restore();
  }

  // A key in one line: of each [colour, alpha, words] a square and what it means; where it ends.
  key(entries, x, y, size = 12) {
    for (const [color, alpha, words] of entries) {
      Object.assign(this.context, { fillStyle: color, globalAlpha: alpha });
      this.context.fillRect(x, y - size / 2, size, size);
      this.context.globalAlpha = 1;
      this.text(words, x + size + 4, y, { size, color: this.colours.soft });
      x += size + 16 + this.wide(words, size);
    }
    return x;
  }

  wide(words, size) {
    this.context.font = `${size}px ${this.face}`;
    return this.context.measureText(words).width;
  }

  // The size at which a bold title fits into some room, not below 10.
  fitting(words, size, room) {
    this.context.font = `bold ${size}px ${this.face}`;
    return Math.max(10, size * Math.min(1, room / this.context.measureText(words).width));
  }

  // Where the keyboard's pointer stands.
  ring(x, y) {
    const c = this.context;
    Object.assign(c, { strokeStyle: this.colours.red, lineWidth: 2.5 });
    c.beginPath();
    c.arc(x, y, 7, 0, 2 * Math.PI);
    c.stroke();
  }

  // An image, n pixels on a side and 0 to 1 from paper to ink, in a square of the picture.
  picture(values, n, left, top, side) {
    const ends = [this.colours.paper, this.colours.ink].map((hex) =>
      [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
    const image = new ImageData(n, n), sheet = new OffscreenCanvas(n, n), c = this.context;
    values.forEach((v, i) => {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = ends[0][k] + v * (ends[1][k] - ends[0][k]);
      image.data[4 * i + 3] = 255;
    });
    sheet.getContext("2d").putImageData(image, 0, 0);
    c.imageSmoothingEnabled = false;
    c.drawImage(sheet, left, top, side, side);
    c.strokeStyle = this.colours.faint;
    c.strokeRect(left, top, side, side);
  }

  // Axes in a box [left, top, width, height] (its outside, in pixels); `x`, `y` are their ranges, and
  // the title may go on to `end`.
  axes({ box = [0, 0, this.width, this.height], x, y, xlabel = "", ylabel = "", title = "",
    bare = false, square = false, yshow = (v, digits) => v.toFixed(digits), end = box[0] + box[2] }) {
    let [left, top, width, height] = box;
    const pad = bare ? [4, title ? 24 : 4, 4, 4]
      : [ylabel ? 52 : 34, title ? 26 : 8, 12, xlabel ? 40 : 24];
    left += pad[0]; top += pad[1]; width -= pad[0] + pad[2]; height -= pad[1] + pad[3];
    if (square) { // one unit is as long along both axes
      const unit = Math.min(width / (x[1] - x[0]), height / (y[1] - y[0]));
      left += (width - unit * (x[1] - x[0])) / 2; top += (height - unit * (y[1] - y[0])) / 2;
      width = unit * (x[1] - x[0]); height = unit * (y[1] - y[0]);
    }
    const plot = new Plot(this, left, top, width, height, x, y), c = this.context;
    if (!this.draws) return plot; // only asked where the axes are
    if (title) this.text(title, left, top - 13,
      { bold: true, size: this.fitting(title, this.small ? 12 : 14, end - left) });
    if (bare) return plot;
    c.strokeStyle = c.fillStyle = this.colours.faint;
    c.lineWidth = 1;
    const [across, xDigits] = ticks(x[0], x[1], Math.max(2, width / 80));
    const [up, yDigits] = ticks(y[0], y[1], Math.max(2, height / 50));
    for (const v of across) this.text(v.toFixed(xDigits), plot.X(v), top + height + 12,
      { color: this.colours.soft, align: "center", size: 12 });
    for (const v of up) {
      c.fillRect(left, Math.round(plot.Y(v)), width, 1);
      this.text(yshow(v, yDigits), left - 6, plot.Y(v),
        { color: this.colours.soft, align: "right", size: 12 });
    }
    if (xlabel) this.text(xlabel, left + width / 2, top + height + 30, { align: "center" });
    if (ylabel) this.text(ylabel, left - 40, top + height / 2, { align: "center", turn: -Math.PI / 2 });
    return plot;
  }
}

// Axes that were drawn: everything here is in the units of the data.
class Plot {
  constructor(pen, left, top, width, height, x, y) {
    Object.assign(this, { pen, left, top, width, height, x, y });
  }

  X(v) { return this.left + (this.width * (v - this.x[0])) / (this.x[1] - this.x[0]); }
  Y(v) { return this.top + (this.height * (this.y[1] - v)) / (this.y[1] - this.y[0]); }

  // Where in the data a pixel stands, [x, y].
  at(px, py) {
    return [this.x[0] + ((px - this.left) / this.width) * (this.x[1] - this.x[0]),
      this.y[1] - ((py - this.top) / this.height) * (this.y[1] - this.y[0])];
  }

  #inside(action) {
    const c = this.pen.context;
    c.save();
    c.beginPath();
    c.rect(this.left - 1, this.top - 1, this.width + 2, this.height + 2);
    c.clip();
    action(c);
    c.restore();
  }

  line(xs, ys, { color = this.pen.colours.ink, width = 2, dash = [], alpha = 1, fill = null } = {}) {
    this.#inside((c) => {
      Object.assign(c, { strokeStyle: color, lineWidth: width, globalAlpha: alpha, lineJoin: "round" });
      c.setLineDash(dash);
      c.beginPath();
      for (let i = 0; i < xs.length; i++) c.lineTo(this.X(xs[i]), this.Y(ys[i]));
      if (width) c.stroke();
      if (fill === null) return;
      c.lineTo(this.X(xs[xs.length - 1]), this.Y(0));
      c.lineTo(this.X(xs[0]), this.Y(0));
      Object.assign(c, { fillStyle: fill, globalAlpha: 0.25 * alpha });
      c.fill();
    });
  }

  dots(xs, ys, { color = this.pen.colours.ink, radius = 3, alpha = 1, ring = null } = {}) {
    this.#inside((c) => {
      Object.assign(c, { fillStyle: color, strokeStyle: ring ?? color, globalAlpha: alpha });
      for (let i = 0; i < xs.length; i++) {
        c.beginPath();
        c.arc(this.X(xs[i]), this.Y(ys[i]), radius, 0, 2 * Math.PI);
        c.fill();
        if (ring) c.stroke();
      }
    });
  }

  arrow(x0, y0, x1, y1, { color = this.pen.colours.ink, width = 1.5, head = 6, alpha = 1 } = {}) {
    const [a, b, p, q] = [this.X(x0), this.Y(y0), this.X(x1), this.Y(y1)];
    const angle = Math.atan2(q - b, p - a), length = Math.hypot(p - a, q - b);
    const h = Math.min(head, length);
    this.#inside((c) => {
      Object.assign(c, { strokeStyle: color, fillStyle: color, lineWidth: width, globalAlpha: alpha });
      c.beginPath();
      c.moveTo(a, b);
      c.lineTo(p - 0.7 * h * Math.cos(angle), q - 0.7 * h * Math.sin(angle));
      c.stroke();
      c.beginPath();
      c.moveTo(p, q);
      for (const turn of [2.6, -2.6]) c.lineTo(p + h * Math.cos(angle + turn), q + h * Math.sin(angle + turn));
      c.fill();
    });
  }

  // A mesh, its corners [x, y, x, y, ...] in rows of n: each cell as [color, alpha] that `paint` says.
  cells(corners, n, paint) {
    const xs = corners.filter((_, i) => i % 2 === 0).map((v) => this.X(v));
    const ys = corners.filter((_, i) => i % 2).map((v) => this.Y(v));
    this.#inside((c) => {
      for (let i = 0, cell = 0; i + n < xs.length; i++) {
        if (i % n === n - 1) continue;
        [c.fillStyle, c.globalAlpha] = paint(cell++);
        c.beginPath();
        for (const k of [i, i + 1, i + 1 + n, i + n]) c.lineTo(xs[k], ys[k]);
        c.fill();
      }
    });
  }

  // Values (rows from the bottom up, n columns) as shades of one colour, 0 to `top`.
  shade(values, n, top, color = this.pen.colours.blue) {
    const rows = values.length / n, image = new ImageData(n, rows);
    const rgb = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
    for (let i = 0; i < values.length; i++) {
      const at = 4 * ((rows - 1 - Math.floor(i / n)) * n + (i % n));
      image.data.set(rgb, at);
      image.data[at + 3] = 255 * Math.min(1, Math.max(0, values[i] / top)) ** 0.7;
    }
    const sheet = new OffscreenCanvas(n, rows);
    sheet.getContext("2d").putImageData(image, 0, 0);
    this.#inside((c) => c.drawImage(sheet, this.left, this.top, this.width, this.height));
  }

  label(words, x, y, options = {}) { this.pen.text(words, this.X(x), this.Y(y), options); }
}

const make = (tag, more = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...children);
  return element;
};

// One control as a row: [its element, a function that shows a value].
function control(spec, change) {
  if (spec.options) {
    const menu = make("select", { ariaLabel: spec.label }, ...spec.options.map((o) => make("option", { value: o }, o)));
    menu.addEventListener("input", () => change(menu.value));
    return [make("label", {}, spec.label, menu), (v) => { menu.value = v; }];
  }
  const slider = make("input", { type: "range", min: spec.min, max: spec.max, step: spec.step,
    ariaLabel: spec.label });
  const digits = (String(spec.step).split(".")[1] ?? "").length;
  const said = make("output"), words = spec.show ?? ((v) => v.toFixed(digits));
  slider.addEventListener("input", () => change(+slider.value));
  const row = make("label", {}, spec.label, slider, said);
  return [row, (v) => { slider.value = v; said.textContent = withMinus(words(v)); slider.ariaValueText = words(v); }];
}

// A play button: walks one slider from where it is to its end in `spec.play` seconds.
function player(spec, get, change) {
  const button = make("button", { className: "play", type: "button" }, "▶");
  button.ariaLabel = `play ${spec.label}`;
  let frame = 0, pause = 0;
  const stop = () => {
    cancelAnimationFrame(frame);
    clearTimeout(pause);
    frame = 0;
    button.textContent = "▶";
  };
  const start = (again) => {
    stop();
    const from = get() >= spec.max ? spec.min : get();
    const begun = performance.now() - (1000 * spec.play * (from - spec.min)) / (spec.max - spec.min);
    button.textContent = "❚❚";
    const tick = (now) => {
      const part = Math.max(0, Math.min(1, (now - begun) / (1000 * spec.play)));
      const n = Math.round((part * (spec.max - spec.min)) / spec.step);
      const value = Math.min(spec.max, +(spec.min + n * spec.step).toFixed(10));
      if (value !== get()) change(value);
      if (part < 1) frame = requestAnimationFrame(tick);
      else { stop(); if (again) pause = setTimeout(() => start(true), 1200); }
    };
    frame = requestAnimationFrame(tick);
  };
  button.addEventListener("click", () => (frame ? stop() : start(false)));
  return { button, start, stop };
}

const SLICE = 24; // milliseconds that a long computation takes of a frame
const SLIP = 8; // pixels that a finger may slip sideways in a tap

// Whether (x, y) is as near to one of some places, in pixels, as a finger aims.
export const near = (x, y, ...places) => places.some(([a, b]) => Math.hypot(x - a, y - b) < 34);

// A figure: `controls` (name, label, then min, max, step or options, and value; `play`: seconds; a
// control without a label is set by `touch`), `compute(settings)` (its mathematics: numbers and
// arrays), `draw(pen, computed, settings)`, `say(computed, settings)` (its caption), `touch(x, y,
// settings, pen, kind, begun)` (pixels under a pointer, its event, and where its drag began; returns
// settings to change), `grip(x, y, settings, pen, computed)` (whether a finger there holds something,
// so that it moves that and not the page), `follow(computed)` (values that sliders show in place of
// their settings; a hand on one goes on from all of them, after `reset`, other settings),
// `aspect` (height / width), `tall` (the same on a phone, which is what is below `narrow` pixels).
// The film of a control with `opens` plays once by itself when the figure is first seen.
// A `compute` that takes long is a generator: what it yields is drawn, and before each piece of work
// stands an empty yield. `load(data)` is told the weights of a network once, before anything is computed.
export function figure({ about, controls, compute, draw, say, touch = null, grip = () => false,
  follow = () => ({}), reset = {}, load = null, aspect = 0.5, tall = Math.max(aspect, 0.8),
  narrow = 480 }) {
  const slow = compute.constructor.name === "GeneratorFunction";
  const initial = Object.fromEntries(controls.map(({ name, value }) => [name, value]));

  function render({ model, el }) {
    const state = () => ({ ...initial, ...model.get("settings") });
    const canvas = make("canvas", { tabIndex: touch ? 0 : -1, className: touch ? "touch" : "" });
    const caption = make("p"), rows = make("div", { className: "controls" });
    canvas.setAttribute("role", "img");
    const root = make("div", { className: "genlab-living" }, make("style", {}, STYLE), rows, canvas, caption);
    let pen = null, seen = null, ring = null, zoom = 1, waiting = 0, asked = "", work = null, found = null;
    load?.(model.get("data"));

    // What is known by the end of this frame's slice, or at once after a change; then it goes on.
    function known(now) {
      const key = JSON.stringify(now), begun = performance.now(), fresh = key !== asked;
      asked = key;
      if (!slow) return fresh ? (found = compute(now)) : found; // another size or theme
      if (fresh) work = compute(now);
      while (work && (fresh || performance.now() - begun < SLICE)) {
        const { value, done } = work.next();
        found = value ?? found;
        if (done) work = null;
        else if (fresh && !value) break;
      }
      root.toggleAttribute("data-working", work !== null);
      if (work) repaint();
      return found;
    }

    function paint() {
      waiting = 0;
      const now = state(), room = root.clientWidth, scale = devicePixelRatio || 1;
      if (!room) return;
      const shape = room < narrow ? tall : aspect, most = parseFloat(getComputedStyle(canvas).maxHeight) || Infinity;
      const width = Math.min(room, Math.floor(most / shape)), height = Math.round(width * shape);
      canvas.style.width = width < room ? `${width}px` : "";
      if (canvas.width !== Math.round(width * scale) || canvas.style.height !== `${height}px`) {
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
        canvas.style.height = `${height}px`;
      }
      const context = canvas.getContext("2d");
      // On a projector (a page that bounds the height) words and lines grow with the picture, early.
      zoom = Math.max(1, width / (most < Infinity ? 656 : 900));
      context.setTransform(scale * zoom, 0, 0, scale * zoom, 0, 0);
      const computed = known(now);
      pen = new Pen(context, width / zoom, height / zoom, width < narrow, getComputedStyle(canvas).fontFamily);
      draw(pen, computed, now);
      pen.draws = false;
      seen = computed;
      if (ring) pen.ring(...ring);
      caption.textContent = withMinus(say(computed, now));
      canvas.ariaLabel = `${about} ${caption.textContent}`;
      const follows = follow(computed);
      for (const [name, show] of shows) show(follows[name] ?? now[name]);
      el.dispatchEvent(new CustomEvent("painted"));
    }
    const repaint = () => { waiting ||= requestAnimationFrame(paint); };
    const change = (values) => {
      model.set("settings", { ...state(), ...values });
      model.save_changes();
    };

    const shows = [], players = [], stop = () => { opens?.disconnect(); players.forEach((p) => p.stop()); };
    let opens = null;
    for (const spec of controls.filter((c) => c.label)) {
      const one = (value) => change({ [spec.name]: value });
      const [row, show] = control(spec, (value) => {
        stop();
        const follows = seen && follow(seen);
        change(spec.name in (follows ?? {}) ? { ...follows, ...reset, [spec.name]: value } : { [spec.name]: value });
      });
      shows.push([spec.name, show]);
      if (spec.play) players.push(player(spec, () => state()[spec.name], one));
      rows.append(make("div", {}, ...(spec.play ? [players.at(-1).button] : []), row));
    }
    if (touch) {
      let begun = null, last = null; // of a drag: it stays with the region where it began
      const poke = (x, y, kind) => {
        if (kind === "pointerdown" || !begun) begun = last = [x, y];
        const [a, b] = last, n = Math.max(1, Math.ceil(Math.hypot(x - a, y - b) / 6)), values = {};
        for (let k = 1; k <= n; k++) { // a quick stroke leaves no holes
          const at = [a + (k / n) * (x - a), b + (k / n) * (y - b)];
          Object.assign(values, touch(...at, { ...state(), ...values }, pen, kind, begun));
        }
        last = [x, y];
        if (Object.keys(values).length) { stop(); change(values); }
      };
      const place = ({ clientX, clientY }) => {
        const box = canvas.getBoundingClientRect();
        return [(clientX - box.left) / zoom, (clientY - box.top) / zoom];
      };
      const holds = (x, y) => grip(x, y, state(), pen, seen);
      let finger = null; // where one came down beside all handles: a tap, a drag, or the page scrolls
      canvas.addEventListener("pointerdown", (event) => {
        if (!pen || event.button > 0) return;
        const at = place(event);
        finger = event.pointerType === "touch" && !holds(...at) ? at : null;
        if (event.button === 0) canvas.setPointerCapture(event.pointerId);
        if (!finger) poke(...at, "pointerdown");
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!pen || !canvas.hasPointerCapture(event.pointerId)) return; // a drag that began here
        const at = place(event);
        if (finger && Math.abs(at[0] - finger[0]) < SLIP) return;
        if (finger) poke(...finger, "pointerdown");
        finger = null;
        poke(...at, "pointermove");
      });
      canvas.addEventListener("pointerup", () => {
        if (finger) poke(...finger, "pointerdown");
        finger = null;
      });
      canvas.addEventListener("pointercancel", () => { finger = null; });
      canvas.addEventListener("touchstart", (event) => {
        if (pen && event.touches.length === 1 && holds(...place(event.touches[0]))) event.preventDefault();
      }, { passive: false });
      // The same from the keyboard: arrows move a ring, Space taps there, Shift and arrows drag.
      canvas.ariaDescription = "Arrow keys move a pointer, Space taps, Shift with arrows drags.";
      canvas.addEventListener("keydown", (event) => {
        const move = ARROWS[event.key];
        if (!pen || !(move || event.key === " ")) return;
        event.preventDefault();
        if (!ring || (move && !event.shiftKey)) begun = null;
        const far = [pen.width, pen.height], from = ring ?? far.map((v) => v / 2);
        ring = from.map((v, i) => Math.max(0, Math.min(far[i], v + 10 * (move?.[i] ?? 0))));
        if (!begun) begun = last = from;
        if (!move || event.shiftKey) poke(...ring, move ? "pointermove" : "pointerdown");
        repaint();
      });
      canvas.addEventListener("blur", () => { ring = null; repaint(); });
    }

    // JupyterLab's own keys (arrows, B, D D) would take those of a focused slider or menu.
    root.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && event.key !== "Escape") event.stopPropagation();
    });
    el.append(root);
    model.on("change:settings", repaint);
    const size = new ResizeObserver(repaint), theme = new MutationObserver(repaint);
    size.observe(root);
    document.fonts.ready.then(repaint); // the page's own letters
    theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    const night = matchMedia("(prefers-color-scheme: dark)");
    night.addEventListener("change", repaint);
    const moves = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const first = controls.filter((c) => c.play).findIndex((c) => c.opens && !(c.name in model.get("settings")));
    if (moves && model.get("autoplay")) players[0]?.start(true);
    else if (moves && first >= 0) {
      const { name, min } = controls.filter((c) => c.play)[first];
      change({ [name]: min });
      opens = new IntersectionObserver(([seenNow]) => {
        if (!seenNow.isIntersecting) return;
        opens.disconnect();
        players[first].start(false);
      }, { threshold: 0.6 });
      opens.observe(canvas);
    }
    return () => {
      stop();
      size.disconnect();
      theme.disconnect();
      night.removeEventListener("change", repaint);
      model.off?.("change:settings", repaint);
    };
  }

  const all = (settings) => [...compute(settings)].filter(Boolean).at(-1);
  return { about, controls, compute: slow ? all : compute, render };
}
