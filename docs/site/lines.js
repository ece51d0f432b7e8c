// A formula beside a figure that obeys its derivation (sticky.js) has a column of its own width.
// A formula that is too wide for its column is broken into lines: at its wide spaces first.
const LEVELS = [
  { after: (n) => n.localName === "mspace" && parseFloat(n.getAttribute("width")) >= 2 },
  { after: (n) => n.localName === "mspace" && parseFloat(n.getAttribute("width")) >= 1 },
  { before: (n) => n.localName === "mo" && "=≤≥⇒∝".includes(n.textContent) },
  { before: (n) => n.localName === "mo" && "+−".includes(n.textContent) && n.getAttribute("lspace") !== "0" },
];

// Whether a table holds lines: it stands alone in what holds it (a matrix stands in a line).
function whole(table) {
  const { parentNode: around } = table;
  if (around.childElementCount > 1) return false;
  return around.localName === "mrow" ? whole(around) : around.localName !== "mtd" || whole(around.closest("mtable"));
}

function broken(formula) {
  formula.whole ??= formula.firstElementChild;
  const part = (tag, ...children) => {
    const element = document.createElementNS("http://www.w3.org/1998/Math/MathML", tag);
    element.append(...children);
    return element;
  };
  const gauge = part("math");
  gauge.setAttribute("display", "block");
  gauge.style.cssText = "position: absolute; visibility: hidden; width: max-content";
  formula.replaceChildren(gauge);
  const wide = (nodes) => {
    gauge.replaceChildren(...nodes.map((n) => n.cloneNode(true)));
    return gauge.getBoundingClientRect().width * formula.offsetWidth / formula.getBoundingClientRect().width;
  };
  const tag = formula.matches(".tagged") ? 2.6 * parseFloat(getComputedStyle(formula).fontSize) : 0;
  const room = (formula.clientWidth - tag) / 0.92; // the rest is made smaller
  const split = (nodes, { before, after }) => {
    const parts = [[]];
    let depth = 0;
    nodes.forEach((node, k) => {
      if (node.localName === "mo" && "([".includes(node.textContent)) depth += 1;
      if (node.localName === "mo" && ")]".includes(node.textContent)) depth -= 1;
      if (!depth && k && before?.(node)) parts.push([]);
      parts.at(-1).push(node);
      if (!depth && after?.(node)) parts.push([]);
    });
    return parts.filter((p) => p.length);
  };
  const lines = (nodes, level = 0) => {
    if (level >= LEVELS.length || wide(nodes) <= room) return [nodes];
    const packed = [];
    for (const line of split(nodes, LEVELS[level]).flatMap((p) => lines(p, level + 1))) {
      const both = [...(packed.at(-1) ?? []), ...line];
      if (packed.length && wide(both) <= room) packed[packed.length - 1] = both;
      else packed.push(line);
    }
    return packed;
  };
  const math = formula.whole.cloneNode(true), cells = [...math.querySelectorAll("mtd")];
  const held = cells.filter((cell) => whole(cell.closest("mtable")) && ![...cell.querySelectorAll("mtable")].some(whole) && !cell.style.width);
  for (let box of held.length ? held : [math]) {
    while (box.childElementCount === 1 && box.firstElementChild.localName === "mrow") box = box.firstElementChild;
    const rows = lines([...box.children]);
    if (rows.length < 2) continue;
    const table = part("mtable", ...rows.map((row) => part("mtr", part("mtd", ...row))));
    table.setAttribute("displaystyle", "true");
    table.setAttribute("class", "lines");
    box.replaceChildren(table);
  }
  formula.replaceChildren(math);
}
