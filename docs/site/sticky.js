// One figure obeys the derivation beside it. A page that has one calls `stick` with what its module
// exports: `render`, `stages` (a name, and the first words of the paragraphs where each begins; before
// the words under `until` the figure leaves) and `terms` (letters of formulas, and their marks' colours).
// It stands in the margin from 1200 pixels, under the header below that, and not on paper.

function stick({ render, stages, terms }) {
  const main = document.querySelector("main"), margin = matchMedia("(min-width: 1200px)");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const WIDE = ".wide:not(.listing), .flip, [id^='living-']", LEAST = 540; // pixels of text beside a figure
  const blocks = [...main.children].flatMap((e) => (e.matches(".text") ? [...e.children] : [e]));
  const begins = (words) => blocks.find((b) => b.matches("p") && b.textContent.trim().startsWith(words));
  const anchors = new Map(stages.flatMap(({ at }, k) => at.map((words) => [begins(words), k])));
  const ends = new Set(stages.flatMap(({ until = [] }) => until.map(begins)));
  const order = blocks.filter((b) => anchors.has(b));

  // Runs of blocks beside which it may stand: in sections with a stage, between what takes the margin.
  const runs = [];
  let open = false, run = null;
  for (const [k, block] of blocks.entries()) {
    if (block.matches("h2")) {
      const behind = blocks.findIndex((b, i) => i > k && b.matches("h2"));
      open = blocks.slice(k, behind < 0 ? undefined : behind).some((b) => anchors.has(b));
    }
    if (ends.has(block)) open = false;
    if (!open || block.matches(`${WIDE}, nav`) || block.querySelector(WIDE)) { run = null; continue; }
    if (!run) runs.push(run = { blocks: [], stands: false, before: blocks[k - 1] });
    run.blocks.push(block);
  }
  for (const { blocks: held } of runs) for (const block of held) {
    for (const letter of block.querySelectorAll("math msub, math mi")) {
      const colour = terms[letter.textContent];
      if (colour && !(letter.localName === "mi" && letter.parentNode.localName === "msub" && terms[letter.parentNode.textContent]))
        letter.classList.add("term", `term-${colour}`);
    }
  }

  // The figure of each run, all at one stage.
  let at = 0, frame = 0, aim = 0;
  const make = (tag, name, ...children) => {
    const element = document.createElement(tag);
    element.className = name;
    element.append(...children);
    return element;
  };
  const show = (value) => {
    at = value;
    runs.filter((r) => r.seen).forEach((r) => r.model.set("settings", { stage: value }));
  };
  function go(stage) {
    aim = stage;
    runs.forEach(({ dots, name }) => {
      dots.forEach((dot, k) => dot.setAttribute("aria-pressed", k === stage));
      name.textContent = stages[stage].name;
    });
    main.dataset.stage = stages[stage].name;
    cancelAnimationFrame(frame);
    if (calm.matches) return show(stage);
    const from = Math.max(stage - 1, Math.min(stage + 1, at)), begun = performance.now();
    const tick = (now) => {
      const part = Math.min(1, Math.max(0, now - begun) / 700);
      show(part < 1 ? from + (stage - from) * part * part * (3 - 2 * part) : stage);
      if (part < 1) frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
  }
  for (const run of runs) {
    const heard = {}, state = { settings: { stage: 0 }, autoplay: false };
    run.model = { get: (key) => state[key], on: (event, f) => (heard[event] ??= []).push(f), save_changes() {},
      set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); } };
    run.dots = stages.map(({ name }, k) => {
      const dot = make("button", "dot");
      Object.assign(dot, { type: "button", title: name, ariaLabel: name });
      dot.addEventListener("click", () => go(k));
      return dot;
    });
    run.name = make("span", "stage");
    const picture = make("div", "picture"), list = make("div", "stages", ...run.dots, run.name);
    list.role = "group";
    list.ariaLabel = "stages of the figure";
    run.rail = make("aside", "rail", make("div", "stick", picture, list));
    run.rail.ariaLabel = "the figure of this derivation";
    run.spacer = make("div", "spacer");
    run.blocks[0].before(run.spacer);
    main.append(run.rail);
    render({ model: run.model, el: picture });
  }
  const watch = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    const run = runs.find((r) => r.rail === target);
    run.seen = isIntersecting;
    if (isIntersecting) run.model.set("settings", { stage: at });
  }), { rootMargin: "200px" });
  runs.forEach(({ rail }) => watch.observe(rail));

  // Where each run stands now, and which are long enough for a figure.
  const height = (r) => r.blocks.at(-1).getBoundingClientRect().bottom - r.blocks[0].getBoundingClientRect().top;
  function place() {
    const box = main.getBoundingClientRect(), zoom = box.width / main.offsetWidth;
    for (const r of runs.filter((one) => one.stands)) {
      const from = (margin.matches ? r.blocks[0] : r.spacer).getBoundingClientRect().top;
      Object.assign(r.rail.style, { top: `${(from - box.top) / zoom}px`,
        height: `${(r.blocks.at(-1).getBoundingClientRect().bottom - from) / zoom}px` });
      r.spacer.style.height = `${r.rail.firstElementChild.offsetHeight}px`;
    }
    main.style.setProperty("--strip", `${Math.max(0, ...runs.map((r) => (r.stands ? r.rail.firstElementChild.offsetHeight : 0)))}px`);
  }
  function settle() {
    const formulas = [];
    for (const r of runs) {
      r.stands = height(r) > LEAST;
      r.rail.hidden = r.spacer.hidden = !r.stands;
      const folds = r.stands && margin.matches;
      r.before.classList.toggle("folded", folds); // a note of what takes the margin would hang into it
      for (const block of r.blocks) {
        block.classList.toggle("folded", folds);
        block.classList.toggle("under", r.stands && !margin.matches);
        for (const formula of block.matches(".formula") ? [block] : block.querySelectorAll(".formula")) {
          if (formula.whole) formula.replaceChildren(formula.whole);
          formula.classList.remove("broad");
          formula.style.fontSize = ""; // lines are as long as its own letters make them
          if (r.stands) broken(formula);
          formulas.push(formula);
        }
      }
    }
    fit(formulas); // of page.js
    place();
  }
  const now = () => {
    const passed = order.filter((b) => b.getBoundingClientRect().top < innerHeight / 2).at(-1) ?? order[0];
    if (anchors.get(passed) !== aim || !main.dataset.stage) go(anchors.get(passed));
  };
  const crossing = new IntersectionObserver(now, { rootMargin: "1000000px 0px -50% 0px" });
  document.fonts.ready.then(() => {
    settle();
    order.forEach((block) => crossing.observe(block));
    const sizes = new ResizeObserver(place); // of a strip too: its stage's name comes after it was placed
    [main, ...runs.map((r) => r.rail.firstElementChild)].forEach((element) => sizes.observe(element));
    margin.addEventListener("change", settle);
  });
}
