// What the pages do by themselves: copy buttons, and the search of the first page.
for (const block of document.querySelectorAll(".highlight")) {
  const button = document.createElement("button");
  Object.assign(button, { className: "copy", type: "button", textContent: "copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("pre").innerText);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  block.append(button);
}

// Beside the text, from 1200 pixels: the outline stands open there, and P makes all of it larger for a projector.
const wide = matchMedia("(min-width: 1200px)"), root = document.documentElement;
const beside = document.querySelector(".contents");
if (beside) {
  const open = () => { beside.open = wide.matches; };
  wide.addEventListener("change", open);
  open();
  const aid = document.createElement("p");
  aid.className = "aid";
  aid.innerHTML = "<kbd>P</kbd> larger, for a projector";
  beside.append(aid);
}
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable], canvas");
  if (event.key.toLowerCase() !== "p" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const { scrollY } = window, before = root.scrollHeight;
  root.classList.toggle("projector");
  scrollTo(0, scrollY * root.scrollHeight / before); // where one was reading
});

// Mark the section being read, and how far one has come. An id may be written with or without percents.
const named = (name) => document.getElementById(name) ?? document.getElementById(decodeURIComponent(name));
const sections = [...document.querySelectorAll(".contents a")]
  .map((link) => [link, named(link.getAttribute("href").slice(1))]).filter(([, heading]) => heading);
const here = () => {
  const now = sections.findLastIndex(([, heading]) => heading.getBoundingClientRect().top < 120);
  sections.forEach(([link], k) => {
    if (k === now) link.setAttribute("aria-current", "location");
    else link.removeAttribute("aria-current");
  });
  let read = scrollY / Math.max(1, root.scrollHeight - innerHeight);
  if (wide.matches && sections.length) { // along the outline: through its lines, as through their sections
    const top = (k) => sections[k]?.[1].getBoundingClientRect().top ?? root.scrollHeight - scrollY - innerHeight + 120;
    const part = now < 0 ? 0 : (120 - top(now)) / Math.max(1, top(now + 1) - top(now));
    const lines = beside.querySelector("ol"), line = (k) => sections[k]?.[0].offsetTop ?? lines.offsetHeight;
    read = now < 0 ? 0 : (line(now) + Math.min(1, part) * (line(now + 1) - line(now))) / lines.offsetHeight;
  }
  root.style.setProperty("--read", Math.min(1, read));
};
if (document.querySelector(".page")) {
  const thread = document.createElement("div");
  thread.className = "thread";
  document.body.append(thread);
  addEventListener("scroll", here, { passive: true });
  here();
}

// By night a part of a plot that is a picture itself lies over the plot as it was stored.
for (const film of document.querySelectorAll(".film:has([data-night])")) { // of a film that has some, all of it
  film.querySelectorAll("img").forEach((picture) => { picture.dataset.night = "whole"; });
}
for (const picture of document.querySelectorAll("img[data-night]:not([data-night='whole'], .genlab-living *)")) {
  const parts = picture.dataset.night.split(";").map((part) => part.split(",").map((edge) => `${100 * edge}%`));
  const corners = parts.flatMap(([l, t, r, b]) => [`0 0`, `${l} ${t}`, `${r} ${t}`, `${r} ${b}`, `${l} ${b}`, `${l} ${t}`, `0 0`]);
  const around = document.createElement("span"), over = picture.cloneNode();
  around.className = "lit";
  over.className = "kept";
  over.alt = "";
  over.ariaHidden = "true";
  over.style.clipPath = `polygon(evenodd, ${corners.join(", ")})`;
  picture.replaceWith(around);
  around.append(picture, over);
}

// A film is stopped and begun by its button; for who wants no motion it waits for that.
for (const film of document.querySelectorAll(".film")) {
  const button = film.querySelector("button"), moving = film.querySelector(".moving");
  const show = (plays) => {
    film.classList.toggle("plays", plays);
    film.classList.toggle("rests", !plays);
    Object.assign(button, { textContent: plays ? "❚❚" : "▶", ariaLabel: plays ? "stop the film" : "play the film" });
  };
  button.addEventListener("click", () => {
    show(!film.classList.contains("plays"));
    moving.src = moving.getAttribute("src"); // from its beginning
  });
  show(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}

// What is too wide takes the margin too; a formula that still is becomes smaller; then it can be scrolled.
// All are measured before one is changed: a page is laid out three times, and not anew for each of them.
const fit = (boxes) => {
  const over = (box) => box.scrollWidth > box.clientWidth + 1;
  for (const box of boxes) {
    box.classList.remove("over", "broad");
    box.style.fontSize = "";
  }
  const large = boxes.filter(over);
  for (const box of large) {
    if (wide.matches && !box.matches(".printed, .listing.wide pre") && !box.closest(".folded")) box.classList.add("broad");
  }
  const parts = large.map((box) => box.clientWidth / box.scrollWidth);
  large.forEach((box, k) => {
    if (box.matches(".formula") && parts[k] < 1) box.style.fontSize = `${Math.max(0.8, 0.99 * parts[k])}em`;
  });
  const still = large.map(over);
  large.forEach((box, k) => box.classList.toggle("over", still[k]));
};
const widths = new ResizeObserver((all) => fit(all.map((entry) => entry.target)));
document.querySelectorAll(".formula, table, .highlight pre, .printed").forEach((box) => widths.observe(box));

// Answers that would push a wide picture down stand above it in a row.
const rows = () => {
  const asides = [...document.querySelectorAll("main .margin")];
  asides.forEach((aside) => aside.classList.remove("row"));
  if (!wide.matches) return;
  const all = [...document.querySelectorAll("main :is(.margin, .wide, .broad, .flip, [id^='living-'])")];
  let beside = [];
  for (const element of all) {
    if (element.matches(".margin")) { beside.push(element); continue; }
    const block = element.closest(".text, .code_cell");
    const above = block?.previousElementSibling?.getBoundingClientRect();
    const inside = beside.filter((aside) => aside.getBoundingClientRect().bottom > element.getBoundingClientRect().top - 48);
    const bottom = Math.max(0, ...[...(block?.children ?? [])].filter((child) => child.compareDocumentPosition(element) & 4 && !child.contains(element) && !child.matches(".margin")).map((child) => child.getBoundingClientRect().bottom), above?.bottom ?? 0);
    const hole = element.getBoundingClientRect().top - bottom;
    if (inside.length && hole > 140) inside.at(-1).classList.add("row");
    beside = [];
  }
};
document.fonts.ready.then(() => setTimeout(rows, 100));
wide.addEventListener("change", rows);

// On paper every answer is open, and a formula wider than a sheet of A4 is made as small as the line.
const SHEET = 640, LETTERS = 14; // CSS pixels between its margins, and of its letters (10.5pt)
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("main details:not([open], .code, .hint)")) {
    folded.open = true;
    folded.dataset.folded = "";
  }
  const smaller = LETTERS / parseFloat(getComputedStyle(document.body).fontSize); // than on the screen
  for (const formula of document.querySelectorAll(".formula")) {
    formula.style.fontSize = "";
    const breadth = smaller * (formula.firstElementChild?.getBoundingClientRect().width ?? 0);
    if (breadth > SHEET) formula.style.fontSize = `${(0.98 * SHEET) / breadth}em`;
  }
});
addEventListener("afterprint", () => {
  for (const folded of document.querySelectorAll("details[data-folded]")) {
    folded.open = false;
    delete folded.dataset.folded;
  }
  fit([...document.querySelectorAll(".formula")]);
});
// A column of numbers is set to the right, its heading as well; a number among words stays with them.
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.rows].filter((row) => row.cells[0]?.matches("td")), heads = table.rows[0]?.cells ?? [];
  const lone = (cell) => /^([~<≈±+−-]?\d[\d.,]*( ?[%×]| ± [\d.,]+)?|[–—-]?)$/.test(cell?.textContent.trim() ?? "");
  for (let k = 0; k < Math.max(0, ...rows.map((row) => row.cells.length)); k += 1) {
    const column = rows.map((row) => row.cells[k]).filter(Boolean), numeric = column.every(lone);
    for (const cell of [...column, heads[k]]) cell?.classList.toggle("number", numeric);
    for (const cell of column) cell.classList.toggle("long", cell.textContent.length > 60);
  }
}

// Chromium leaves room behind a root, as if its sign were a larger one.
document.fonts.ready.then(() => {
  const roots = [...document.querySelectorAll("msqrt")], right = (e) => e.getBoundingClientRect().right;
  const gaps = roots.map((root) => (right(root) - right(root.lastElementChild))
    / parseFloat(getComputedStyle(root).fontSize));
  roots.forEach((root, k) => { if (gaps[k] > 0.03) root.style.marginRight = `${-gaps[k]}em`; });
  const inline = [...document.querySelectorAll("p math, li math")]; // too long for a phone's line
  const parts = inline.map((math) => math.closest("p, li").clientWidth / math.getBoundingClientRect().width);
  inline.forEach((math, k) => { // 1.15em otherwise
    if (parts[k] < 1) math.style.fontSize = `${Math.max(0.75, 1.14 * parts[k])}em`;
  });
  if (innerWidth > 640) return;
  const lines = [...document.querySelectorAll("p:has(math)")]; // they can be scrolled there
  const over = lines.map((line) => line.scrollWidth > line.clientWidth);
  lines.forEach((line, k) => line.classList.toggle("over", over[k]));
});

// Until the network of a page has drawn its first digits, their still picture lies over the noise.
for (const place of document.querySelectorAll("div:has(> img[alt^='digits_live: '])")) {
  const cover = place.firstElementChild.cloneNode();
  cover.className = "cover";
  new MutationObserver((_, observer) => {
    const root = place.querySelector(".genlab-living");
    if (root?.hasAttribute("data-working") && !cover.isConnected) {
      root.style.position = "relative";
      cover.style.top = `${root.querySelector("canvas").offsetTop}px`;
      root.append(cover);
      root.classList.add("covered");
    } else if (cover.isConnected && !root.hasAttribute("data-working")) {
      cover.remove();
      root.classList.remove("covered");
      observer.disconnect();
    }
  }).observe(place, { subtree: true, childList: true, attributeFilter: ["data-working"] });
}

const box = document.getElementById("search"), found = document.getElementById("found");
let pages = null; // their words are loaded when the first letter is typed

function load() {
  pages ??= new Promise((done) => {
    const script = document.createElement("script");
    script.src = "pages.js"; // a script, because a page opened as a file may not fetch
    script.onload = () => done(PAGES);
    document.head.append(script);
  });
  return pages;
}

// Sections that hold every word, then pages that do; those with a word in a heading first.
function sought(all, words) {
  const whole = Map.groupBy(all, (part) => part.title), hits = [];
  for (const [title, parts] of whole) {
    const texts = parts.map((part) => `${part.section ?? ""} ${part.text}`.toLowerCase());
    const entire = `${title} ${texts.join(" ")}`.toLowerCase();
    if (!words.every((word) => entire.includes(word))) continue;
    const counts = texts.map((text) => words.filter((word) => text.includes(word)).length);
    const most = Math.max(...counts);
    parts.forEach((part, k) => {
      const heading = `${title} ${part.section ?? ""}`.toLowerCase();
      const named = words.filter((word) => heading.includes(word)).length;
      if (counts[k] === most) hits.push({ part, held: counts[k], named, text: texts[k] });
    });
  }
  return hits.sort((a, b) => b.held - a.held || b.named - a.named).slice(0, 40);
}
box?.addEventListener("input", async () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = words.length ? sought(await load(), words) : [];
  found.replaceChildren(...hits.map(({ part }) => {
    const item = document.createElement("li"), link = document.createElement("a"), low = part.text.toLowerCase();
    const first = Math.min(...words.map((word) => low.indexOf(word)).filter((at) => at >= 0), low.length);
    const at = part.text.lastIndexOf(" ", Math.max(0, first - 60)) + 1;
    link.href = part.href;
    link.textContent = part.section ? `${part.title} › ${part.section}` : part.title;
    item.append(link, ` … ${part.text.slice(at, at + 160).replace(/\S*$/, "")}…`);
    return item;
  }));
  if (words.length && !hits.length) found.append("No page holds all of these words.");
});

// A flip-book: each slider shows the frames along one control of a widget.
const say = (control, frame) => { // a list says by itself what is chosen
  control.nextElementSibling.textContent = control.matches("select") ? "" : frame.label;
};
for (const slider of document.querySelectorAll(".flip input, .flip select")) {
  const frames = JSON.parse(slider.dataset.frames), book = slider.closest(".flip");
  say(slider, frames[slider.value]);
  slider.addEventListener("input", () => {
    for (const other of book.querySelectorAll("input, select")) {
      if (other === slider) continue; // the frames of one control show the others as they began
      other.value = other.dataset.start;
      say(other, JSON.parse(other.dataset.frames)[other.value]);
    }
    const { src, text } = frames[slider.value];
    book.querySelector("img").src = src;
    book.querySelector("figcaption").innerHTML = text;
    say(slider, frames[slider.value]);
  });
}
