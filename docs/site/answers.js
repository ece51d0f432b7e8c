// Exercises, predictions and quizzes that a page judges and keeps by itself (docs/in_page.py).
const kept = { // of this reader, in this browser; a page without storage forgets
  get(id) { try { return localStorage.getItem(`genlab:${id}`); } catch { return null; } },
  set(id, value) { try { localStorage.setItem(`genlab:${id}`, value); } catch { /* read on */ } },
};

const bytes = new TextEncoder();
function hashed(text, seed = 0) {
  let h = 0x811c9dc5 ^ seed;
  for (const byte of bytes.encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function opened(locked, key) {
  const plain = Uint8Array.from(atob(locked), (letter, k) =>
    letter.charCodeAt(0) ^ (hashed(key, 1 + (k >> 2)) >>> (24 - 8 * (k & 3))));
  return new TextDecoder().decode(plain);
}

// A number as people write it: 1/3, 1e-3, 25 %, with a true minus; NaN for anything else.
function number(text) {
  const [, top, below, percent] = /^([^/%]+?)(?:\/([^/%]+))?\s*(%?)$/.exec(text.trim().replace("−", "-")) ?? [];
  const value = Number(top || NaN) / Number(below ?? 1);
  return percent ? value / 100 : value;
}

// The reply to an answer, given as text or as an array of words: {right, says}.
function judged(id, kind, known, given) {
  const words = [given].flat(), listed = kind === "numbers" ? String(given).split(/[,;]/) : words;
  const numeric = kind === "number" || kind === "numbers", values = listed.map((word) => number(String(word)));
  if (!String(given).trim()) return { says: "Give an answer first." };
  if (numeric && values.some(Number.isNaN)) return { says: `Give ${kind === "number" ? "a number with a point, such as 0.25 or 1/4" : "numbers, with commas between"}.` };
  const size = known[0].parts.length;
  if (numeric && values.length !== size) return { says: `Give ${size === 1 ? "one number" : `${size} numbers`}: you gave ${values.length}.` };
  const keys = kind === "word" ? [words[0].trim().toLowerCase()]
    : [words.map(Number).sort((a, b) => a - b).join(",")];
  for (const { parts, right, says } of known) {
    const agrees = parts.every(({ width, cells }, k) =>
      cells.includes(hashed(`${id}|${k}|${numeric ? Math.floor(values[k] / width) : keys[k]}`)));
    if (agrees) return right ? { right: true, says: "" } : { says: opened(says, id) };
  }
  return { says: `${String(given)} is not the expected answer.` };
}

const coded = (text) => { // `code` between backticks, as nodes
  const part = document.createDocumentFragment();
  text.split("`").forEach((piece, k) => {
    const node = k % 2 ? document.createElement("code") : document.createTextNode("");
    node.textContent = piece;
    part.append(node);
  });
  return part;
};

function given(form) {
  const line = form.querySelector(".line");
  const chosen = [...form.querySelectorAll(".choice input:checked")].map((choice) => choice.value);
  return line ? line.value : form.dataset.kind === "set" ? chosen : chosen[0] ?? "";
}

for (const form of document.querySelectorAll(".task form")) {
  const { id, kind } = form.dataset, known = JSON.parse(form.dataset.known), says = form.querySelector("output");
  const show = (answer) => {
    const reply = judged(id, kind, known, answer);
    form.dataset.verdict = reply.right ? "right" : "wrong";
    says.replaceChildren(coded(reply.right ? "✓ Right." : reply.says));
    return reply;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (show(given(form)).right) kept.set(id, JSON.stringify(given(form)));
  });
  form.addEventListener("input", () => { delete form.dataset.verdict; says.replaceChildren(); });
  const before = JSON.parse(kept.get(id) ?? "null");
  if (before !== null && judged(id, kind, known, before).right) {
    const line = form.querySelector(".line");
    if (line) line.value = before;
    for (const choice of form.querySelectorAll(".choice input")) choice.checked = [before].flat().includes(choice.value);
    show(before);
  }
}

// A prediction is kept when it is made, and shown beside the truth where the lesson has it.
const mark = (scale, value, kind, words) => {
  const { low, high } = scale.dataset, point = document.createElement("i");
  point.className = kind;
  point.title = words;
  point.style.left = `${100 * Math.min(1, Math.max(0, (value - low) / (high - low)))}%`;
  scale.append(point);
};
function lay(id) {
  const guess = kept.get(id);
  for (const place of document.querySelectorAll(`.predicted[data-id="${CSS.escape(id)}"]`)) {
    const scale = place.querySelector(".scale"), { here, unit } = place.dataset;
    const truth = parseFloat(here.replace(/^[^\d-]*/, ""));
    place.querySelector(".guess").textContent = guess === null ? "nothing yet" : `${guess} ${unit}`.trim();
    place.classList.toggle("made", guess !== null);
    for (const choice of place.querySelectorAll("[data-choice]")) {
      choice.classList.toggle("yours", choice.dataset.choice === guess);
    }
    scale?.replaceChildren();
    if (scale && Number.isFinite(truth)) mark(scale, truth, "truth", `here it is ${here}`);
    if (scale && guess !== null) mark(scale, Number(guess), "yours", `you said ${guess}`);
  }
}
for (const form of document.querySelectorAll("form.predict")) {
  const { id } = form.dataset, line = form.querySelector(".line"), says = form.querySelector("output");
  const before = kept.get(id);
  const noted = () => { says.textContent = "Kept: it will meet the truth below."; };
  const keep = () => {
    if (given(form) === "" || (line && !line.checkValidity())) return void line?.reportValidity();
    kept.set(id, given(form));
    noted();
    lay(id);
  };
  if (before !== null) {
    if (line) line.value = before;
    for (const choice of form.querySelectorAll(".choice input")) choice.checked = choice.value === before;
    noted();
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); keep(); });
  if (!line) form.addEventListener("change", keep);
}
document.querySelectorAll(".predicted").forEach((place) => lay(place.dataset.id));

// A quiz knows what was chosen first, and how many of its questions that answered.
for (const quiz of document.querySelectorAll(".quiz")) {
  const questions = [...quiz.querySelectorAll(".question")], score = quiz.querySelector(".score");
  const count = () => {
    const done = questions.filter((question) => question.dataset.first);
    const right = done.filter((question) => question.querySelector(`[data-option="${question.dataset.first}"]`).matches(".is-right"));
    score.textContent = done.length ? `${right.length} of ${done.length} right at the first try${done.length < questions.length ? `; ${questions.length - done.length} to go` : ""}` : "";
  };
  for (const question of questions) {
    const choose = (option) => {
      question.dataset.first = option;
      question.querySelector(`[data-option="${option}"]`)?.classList.add("first");
      count();
    };
    const before = kept.get(question.dataset.id);
    if (before !== null && question.querySelector(`[data-option="${CSS.escape(before)}"]`)) choose(before);
    for (const option of question.querySelectorAll("[data-option]")) {
      option.addEventListener("click", ({ target }) => {
        if (!target.closest("summary") || question.dataset.first) return;
        kept.set(question.dataset.id, option.dataset.option);
        choose(option.dataset.option);
      });
    }
  }
}
