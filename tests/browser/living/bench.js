// A bench for living figures: they are rendered onto a pen that records, by a clock that a test moves.
// `bench.open` shows one; then `look`, `press`, `drag` and `play` handle it as a reader does.
globalThis.bench = (() => {
  let now = 0, count = 0, painting = false, stray = 0, shown = null;
  const queue = new Map(), timers = new Map();
  const clock = {
    performance: { now: () => now },
    requestAnimationFrame: (f) => { queue.set(++count, f); return count; },
    cancelAnimationFrame: (id) => queue.delete(id),
    setTimeout: (f, wait) => { timers.set(++count, [now + wait, f]); return count; },
    clearTimeout: (id) => timers.delete(id),
    IntersectionObserver: class { observe() {} disconnect() {} }, // nothing plays by itself here
  };

  // One frame: what was asked for before it, timers that are due included.
  function frame(wait = 16) {
    now += wait;
    for (const [id, [when, f]] of [...timers]) if (when <= now) { timers.delete(id); f(); }
    painting = true;
    for (const [id, f] of [...queue]) if (queue.delete(id)) f(now);
    painting = false;
  }
  function flush() {
    for (let k = 0; k < 500 && queue.size && !shown.plays; k++) frame(0);
  }

  const real = new OffscreenCanvas(1, 1).getContext("2d");
  const KEPT = ["fillStyle", "strokeStyle", "lineWidth", "globalAlpha", "font", "textAlign", "dash", "at", "turned", "box"];
  const pixels = (font) => parseFloat(/([\d.]+)px/.exec(font)[1]);
  const pair = ([x, y]) => `${Math.round(Math.max(-999, Math.min(9999, x)))},${Math.round(Math.max(-999, Math.min(9999, y)))}`;
  const some = (list, n) => list.length <= n ? list
    : Array.from({ length: n }, (_, k) => list[Math.round((k * (list.length - 1)) / (n - 1))]);
  const alpha = (a) => (a === 1 ? "" : ` α${+a.toFixed(2)}`);

  class Pen {
    constructor() {
      Object.assign(this, { fillStyle: "#000000", strokeStyle: "#000000", lineWidth: 1, globalAlpha: 1, font: "10px x",
        textAlign: "left", dash: [], at: [0, 0], turned: 0, box: null, stack: [], path: [], marks: [] });
    }
    save() { this.stack.push(Object.fromEntries(KEPT.map((k) => [k, this[k]]))); }
    restore() { Object.assign(this, this.stack.pop()); }
    setTransform() { this.at = [0, 0]; this.turned = 0; }
    translate(x, y) { this.at = [this.at[0] + x, this.at[1] + y]; }
    rotate(angle) { this.turned += angle; }
    setLineDash(dash) { this.dash = dash; }
    measureText(words) { return { width: 0.602 * pixels(this.font) * words.length }; } // a fixed font's
    beginPath() { this.path = []; }
    moveTo(x, y) { this.path.push({ points: [[x, y]] }); }
    lineTo(x, y) { if (this.path.at(-1)?.points) this.path.at(-1).points.push([x, y]); else this.moveTo(x, y); }
    arc(x, y, r) { this.path.push({ arc: [x, y, r] }); }
    rect(x, y, w, h) { this.path.push({ rect: [x, y, w, h] }); }
    roundRect(x, y, w, h) { this.rect(x, y, w, h); }
    clip() { this.box = this.path[0].rect; }
    mark(mark) {
      if (!painting) stray += 1;
      this.marks.push(mark);
    }
    inside([x, y], r) {
      const [left, top, w, h] = this.box ?? [-1e9, -1e9, 2e9, 2e9];
      return x > left - r && x < left + w + r && y > top - r && y < top + h + r;
    }
    stroke() {
      const color = name(this.strokeStyle);
      for (const { points, arc } of this.path) {
        const last = this.marks.at(-1);
        if (arc && !this.inside(arc, arc[2])) continue;
        if (arc && last?.arc === arc) last.style += ` ring ${color}`;
        else if (arc) this.mark({ kind: "ring", style: `${color} r${arc[2]}`, arc, points: [arc] });
        else this.mark({ kind: "line", points, style: `${color} ${+this.lineWidth.toFixed(1)}` +
          (this.dash.length ? ` dash ${this.dash}` : "") + alpha(this.globalAlpha) });
      }
    }
    fill() {
      const look = name(this.fillStyle) + alpha(this.globalAlpha);
      for (const { points, arc, rect } of this.path) {
        if (arc && !this.inside(arc, arc[2])) continue;
        if (arc) this.mark({ kind: "dot", style: `${look} r${arc[2]}`, arc, points: [arc] });
        else if (rect) this.fillBox(rect, look);
        else this.mark({ kind: "area", style: look, points });
      }
    }
    fillBox([x, y, w, h], look) { this.mark({ kind: "box", style: look, points: [[x, y], [x + w, y + h]] }); }
    fillRect(x, y, w, h) {
      if (w >= shown.canvas.clientWidth && h > 100) this.marks = []; // a new sheet
      else this.fillBox([x, y, w, h], name(this.fillStyle) + alpha(this.globalAlpha));
    }
    strokeRect(x, y, w, h) { this.mark({ kind: "frame", style: name(this.strokeStyle), points: [[x, y], [x + w, y + h]] }); }
    strokeText() { this.halo = " halo"; }
    fillText(words, x, y) {
      const size = Math.round(10 * pixels(this.font)) / 10, bold = this.font.startsWith("bold");
      real.font = this.font;
      const place = [this.at[0] + x, this.at[1] + y], wide = real.measureText(words).width;
      const left = place[0] - { left: 0, start: 0, center: wide / 2, right: wide }[this.textAlign];
      this.mark({ kind: "text", words: String(words), points: [place], wide: this.turned ? [place[0], place[0]] : [left, left + wide],
        size, style: `${name(this.fillStyle)} ${size}${bold ? " bold" : ""} ${this.textAlign}${this.halo ?? ""}` +
          `${this.turned ? " turned" : ""}${alpha(this.globalAlpha)}` });
      this.halo = "";
    }
    drawImage(sheet, x, y, w, h) {
      const { data } = sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height);
      let ink = 0, across = 0, down = 0;
      const hue = [0, 0, 0];
      for (let i = 0; i < data.length; i += 4) {
        const p = (data[i + 3] / 255) * (1 - (data[i] + data[i + 1] + data[i + 2]) / 765), n = i / 4;
        ink += p;
        across += p * ((n % sheet.width) + 0.5);
        down += p * (Math.floor(n / sheet.width) + 0.5);
        for (let k = 0; k < 3; k++) hue[k] += p * data[i + k];
      }
      const tint = hue.map((v) => Math.round(v / (ink || 1))), part = ink / (sheet.width * sheet.height);
      const plain = Math.max(...tint) - Math.min(...tint) < 12; // a picture in greys
      const close = plain ? [["grey"]] : Object.entries(shown.names).map(([hex, n]) => [n,
        Math.hypot(...[1, 3, 5].map((k, j) => parseInt(hex.slice(k, k + 2), 16) - tint[j]))]).sort((a, b) => a[1] - b[1]);
      this.mark({ kind: "image", style: `${close[0][0]} ${sheet.width}x${sheet.height} ink ${part.toFixed(2)}`,
        points: [[x, y], [x + w, y + h],
          ink ? [x + (w * across) / ink / sheet.width, y + (h * down) / ink / sheet.height] : [x, y]] });
    }
  }
  const name = (hex) => shown.names[String(hex).toLowerCase()] ?? String(hex);

  HTMLCanvasElement.prototype.getContext = function () { return (this.recorder ??= new Pen()); };
  HTMLCanvasElement.prototype.setPointerCapture = function (id) { this.captured = id; };
  HTMLCanvasElement.prototype.hasPointerCapture = function (id) { return this.captured === id; };

  // Of a curve that leaves the sheet, the points that are on it.
  const seen = (points) => {
    const on = points.filter(([x, y]) => x > -9 && y > -9 && x < shown.canvas.clientWidth + 9 && y < 1500);
    return points.length > 5 && on.length > 5 ? on : points;
  };

  // What stands on the sheet, marks of one kind and look together, as lines that one can read.
  function drawn() {
    const groups = new Map();
    for (const mark of shown.canvas.recorder.marks) {
      const key = `${mark.kind} ${mark.style}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(mark);
    }
    return [...groups].map(([key, marks]) => {
      if (marks[0].kind === "text" && marks.length <= 12)
        return `${key}: ${marks.map((m) => `"${m.words}" ${pair(m.points[0])}`).join(" ")}`;
      const letters = marks[0].kind === "text" ? `"${marks.map((m) => m.words).join(" ")}" ` : "";
      const many = marks.length > 6, dotted = marks[0].points.length === 1;
      const few = some(marks, many ? (dotted ? 6 : 3) : 6);
      const places = few.map((m) => some(seen(m.points), many ? 2 : 5).map(pair).join(" ")).join(" | ");
      return `${key}: ${letters}${marks.length > 1 ? `${marks.length}× ` : ""}${places}`;
    });
  }

  const row = (label) => [...shown.el.querySelectorAll("label")].find((e) => e.firstChild.textContent === label);
  const spec = (name) => shown.module.controls.find((c) => c.name === name);
  const press = (type, [x, y], pointerType) => {
    const box = shown.canvas.getBoundingClientRect();
    shown.canvas.dispatchEvent(new PointerEvent(type, { clientX: box.left + x, clientY: box.top + y, button: type === "pointermove" ? -1 : 0,
      pointerId: 1, pointerType, bubbles: true }));
  };
  const kept = (value) => JSON.stringify(value, (_, v) => ArrayBuffer.isView(v) ? Array.from(v)
    : Number.isNaN(v) ? "NaN" : v === Infinity ? "Infinity" : v === -Infinity ? "-Infinity" : v);

  return { clock,
    async load(text, script) {
      const head = "const { performance, requestAnimationFrame, cancelAnimationFrame, setTimeout, clearTimeout, IntersectionObserver }" +
        " = globalThis.bench.clock;\n";
      const url = URL.createObjectURL(new Blob([head + text], { type: "text/javascript" }));
      const module = await import(url), data = script ? /"(.*)"/.exec(script)[1] : null;
      URL.revokeObjectURL(url);
      globalThis.asked = 0;
      module.load?.(data);
      shown?.end();
      shown = { module, data, text, end() {} };
      return kept(module.controls.map((c) => ({ ...c, show: undefined })));
    },
    // The numbers of each of some settings.
    mathematics: (cases) => kept(cases.map((settings) => shown.module.mathematics(settings))),
    open(settings, width) {
      shown.end();
      const names = {}, palettes = [...shown.text.matchAll(/const (DAY|NIGHT|WORD_COLOURS) = (\{[^}]*\})/g)]
        .map(([, , body]) => Function(`return ${body}`)());
      for (const palette of palettes.slice(0, 2)) for (const [colour, hex] of Object.entries(palette)) names[hex] ??= colour;
      for (const [line, word] of Object.entries(palettes[2])) names[word] ??= names[line];
      const heard = {}, state = { settings, autoplay: false, data: shown.data };
      const model = { get: (key) => state[key], on: (event, f) => (heard[event] ??= []).push(f), save_changes() {},
        set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); } };
      const el = document.createElement("div");
      el.style.width = `${width}px`;
      document.body.replaceChildren(el);
      queue.clear();
      timers.clear();
      Object.assign(shown, { el, model, names, plays: false });
      const end = shown.module.default.render({ model, el });
      shown.canvas = el.querySelector("canvas");
      shown.end = () => { end(); queue.clear(); timers.clear(); };
      model.set("settings", settings);
      flush();
      stray = 0;
    },
    // How often the mathematics is asked for, from `load` on.
    asked: () => globalThis.asked,
    repaint() { shown.model.set("settings", { ...shown.model.get("settings") }); flush(); },
    set(settings) { shown.model.set("settings", settings); flush(); },
    settings: () => kept({ ...Object.fromEntries(shown.module.controls.map((c) => [c.name, c.value])), ...shown.model.get("settings") }),
    says: () => shown.el.querySelector("p").textContent,
    drawn,
    marks: (kind) => kept(shown.canvas.recorder.marks.filter((m) => m.kind === kind)),
    stray: () => stray,
    size: () => [shown.canvas.clientWidth, parseFloat(shown.canvas.style.height)],
    // What each slider prints, and what it ought to print for some values.
    sliders: () => Object.fromEntries(shown.module.controls.filter((c) => c.label && !c.options)
      .map((c) => [c.name, row(c.label).querySelector("output").textContent])),
    prints: (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => {
      const c = spec(name), digits = (String(c.step).split(".")[1] ?? "").length;
      return [name, String((c.show ?? ((v) => v.toFixed(digits)))(value)).replace(/(?<![\w.])-(?=\d)/g, "−")];
    })),
    // A hand on a control, and on the picture.
    move(name, value) {
      const input = row(spec(name).label).querySelector("input, select");
      input.value = value;
      input.dispatchEvent(new Event("input"));
      flush();
    },
    drag(places, pointerType = "mouse") {
      press("pointerdown", places[0], pointerType);
      for (const place of places.slice(1)) { flush(); press("pointermove", place, pointerType); }
      press("pointerup", places.at(-1), pointerType);
      flush();
    },
    cancel(places) { // a finger whose swipe the page takes over
      press("pointerdown", places[0], "touch");
      press("pointermove", places[1], "touch");
      press("pointercancel", places[1], "touch");
      flush();
    },
    // Press a play button; the seconds until the slider has come to `part` of its way, or to the end.
    play(name, part = 1) {
      const { label, min, max } = spec(name), begun = now;
      const button = shown.el.querySelector(`button[aria-label="play ${label}"]`) ??
        [...shown.el.querySelectorAll("button")].find((b) => b.ariaLabel === `play ${label}`);
      shown.plays = true;
      button.click();
      for (let k = 0; k < 4000; k++) {
        frame();
        if (button.textContent === "▶") break;
        const value = shown.model.get("settings")[name] ?? spec(name).value;
        if (part < 1 && (value - min) / (max - min) >= part) { button.click(); break; }
      }
      shown.plays = false;
      const spent = (now - begun) / 1000;
      flush();
      return spent;
    },
    // Press a play button on a busy page: the next picture bears a time from before. The slider's value.
    early(name) {
      const label = spec(name).label, all = [...shown.el.querySelectorAll("button")];
      const button = all.find((b) => b.ariaLabel === `play ${label}`);
      shown.plays = true;
      button.click();
      frame(-200);
      const value = shown.model.get("settings")[name];
      button.click();
      shown.plays = false;
      return value;
    },
    paints(settings, n) { // milliseconds of script that `n` pictures of a playing slider take, each
      const times = [];
      for (const each of settings.slice(0, n)) {
        shown.model.set("settings", each);
        const begun = globalThis.performance.now();
        flush();
        times.push(globalThis.performance.now() - begun);
      }
      return times;
    },
  };
})();
