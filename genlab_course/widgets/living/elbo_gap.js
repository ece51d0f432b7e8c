// Log evidence = ELBO + KL: one latent number, and a normal q that is dragged onto its posterior.
import { figure, grid, integral, logNormal, near } from "./stage.js";

const Z = grid(-16, 16, 801), DZ = Z[1] - Z[0], NOISE = 0.6, REACH = 3, TOP = 2.2, LOW = -8;
const MEAN = 2.5, WIDTH = [0.2, 1.5]; // how far q may be dragged
const logPrior = Z.map((z) => logNormal(z, 0, 1)), prior = logPrior.map(Math.exp);

const DECODE = { straight: (z) => z, folded: (z) => z * z };
// E_q (x - f(z))^2 and its derivatives by q's mean and standard deviation, from q's moments.
const MISS = {
  straight: (x, m, s) => [(x - m) ** 2 + s * s, -2 * (x - m), 2 * s],
  folded: (x, m, s) => [x * x - 2 * x * (m * m + s * s) + m ** 4 + 6 * m * m * s * s + 3 * s ** 4,
    4 * m * (m * m + 3 * s * s - x), 4 * s * (3 * m * m + 3 * s * s - x)],
};

// One clipped natural-gradient step up the ELBO, on the mean and the log standard deviation.
function ascend(decoder, x, m, s) {
  const clip = (v) => Math.max(-0.1, Math.min(0.1, v));
  const [, byMean, byWidth] = MISS[decoder](x, m, s);
  const dMean = -byMean / (2 * NOISE ** 2) - m;
  const dLog = s * (-byWidth / (2 * NOISE ** 2) - s) + 1;
  return [m + clip(0.2 * s * s * dMean), s * Math.exp(clip(0.1 * dLog))];
}

function compute({ mean, width, x, decoder, steps }) {
  let at = [mean, width];
  for (let k = 0; k < steps; k++) at = ascend(decoder, x, ...at);
  const [m, s] = at;
  const reconstruction = logNormal(0, 0, NOISE) - MISS[decoder](x, m, s)[0] / (2 * NOISE ** 2);
  const toPrior = (m * m + s * s - 1) / 2 - Math.log(s), elbo = reconstruction - toPrior;
  const logJoint = Z.map((z, i) => logPrior[i] + logNormal(x, DECODE[decoder](z), NOISE));
  const evidence = Math.log(integral(logJoint.map(Math.exp), DZ));
  const posterior = logJoint.map((v) => Math.exp(v - evidence));
  const logQ = Z.map((z) => logNormal(z, m, s)), q = logQ.map(Math.exp);
  const gap = integral(q.map((v, i) => v * (logQ[i] - logJoint[i] + evidence)), DZ);
  return { at, reconstruction, toPrior, elbo, evidence, gap, posterior, q };
}

function boxes({ width, height, small }) {
  const split = Math.round(height * 0.6), names = small ? 76 : 100;
  return [[0, 0, width, split], [names, split, width - names, height - split]];
}

const latent = (pen) => pen.axes({ box: boxes(pen)[0], x: [-REACH, REACH], y: [0, TOP],
  xlabel: "latent z", ylabel: "density" });

function densities(pen, { at: [m, s], posterior, q }) {
  const { ink, soft, blue, paper } = pen.colours, plot = latent(pen);
  const peak = Math.exp(logNormal(0, 0, s));
  plot.line(Z, prior, { color: soft, width: 1.5, dash: [3, 3] });
  plot.line(Z, posterior, { color: ink, fill: ink });
  plot.line(Z, q, { color: blue, width: 2.5, fill: blue });
  plot.dots([m], [peak], { color: blue, radius: 8, ring: paper });
  const above = peak < 0.8 * TOP; // where there is room for the words
  const [align, aside] = above ? ["center", 0] : m > 1 ? ["right", -13] : ["left", 13];
  pen.text("q: drag me", plot.X(m) + aside, plot.Y(peak) - (above ? 18 : 0),
    { color: blue, bold: true, align });
  const names = [["posterior p(z|x)", ink], ["guess q(z|x)", blue], ["prior p(z)", soft]];
  names.forEach(([words, color], k) => pen.text(words, plot.left + 8, plot.top + 12 + 18 * k,
    { color }));
}

// From 0 down by the reconstruction and by the KL to the prior: the ELBO; up again by the gap.
function account(pen, { reconstruction, toPrior, elbo, evidence, gap }) {
  const { ink, paper, blue, green, orange, red } = pen.colours;
  const plot = pen.axes({ box: boxes(pen)[1], x: [LOW, 0], y: [0, 3], xlabel: "nats", title: " ",
    yshow: () => "" });
  const bars = [["reconstruction", 0, reconstruction, green, reconstruction],
    ["− KL(q‖prior)", reconstruction, elbo, orange, -toPrior],
    ["KL(q‖post.)", elbo, evidence, red, gap]];
  bars.forEach(([name, from, to, color, value], k) => {
    plot.line([from, to], [2.5 - k, 2.5 - k], { color, width: plot.height / 3 - 6 });
    const look = { color, size: pen.small ? 12 : 13, bold: k === 2, align: "right" };
    pen.text(name, plot.left - 6, plot.Y(2.5 - k), look);
    const end = plot.X(Math.min(from, to)) - 6, room = end > plot.left + 36;
    const inside = { color: from > LOW ? paper : color, align: "left" };
    pen.text(value.toFixed(2), room ? end : plot.left + 6, plot.Y(2.5 - k),
      { ...look, bold: true, ...(room ? {} : inside) });
  });
  plot.line([evidence, evidence], [0, 3], { color: ink, width: 2.5, dash: [5, 4] });
  plot.line([elbo, elbo], [0, 3], { color: blue, width: 2.5 });
  const at = Math.max(plot.left + 92, plot.X(elbo));
  pen.text(`${elbo < LOW ? "← " : ""}ELBO ${elbo.toFixed(2)}`, at, plot.top - 10,
    { color: blue, bold: true, align: "right" });
  const known = pen.small ? "log p(x)" : `log p(x) ${evidence.toFixed(2)}`;
  const after = Math.min(Math.max(at + 12, plot.X(evidence)), pen.width - (pen.small ? 66 : 108));
  pen.text(known, after, plot.top - 10, { color: ink, bold: true });
}

function draw(pen, computed) {
  densities(pen, computed);
  account(pen, computed);
}

const say = ({ evidence, elbo, gap, reconstruction, toPrior }) =>
  `log p(x) = ${evidence.toFixed(3)} = ELBO ${elbo.toFixed(3)} + KL(q‖posterior) ` +
  `${gap.toFixed(3)} nats; the ELBO is the reconstruction ` +
  `${reconstruction.toFixed(3)} less KL(q‖prior) ${toPrior.toFixed(3)}.`;

// The peak of q follows the pointer: sideways its mean, upwards a smaller standard deviation.
function touch(px, py, settings, pen) {
  const [z, y] = latent(pen).at(px, py), round = (v) => Math.round(v * 100) / 100;
  if (Math.abs(z) > REACH + 0.2 || y < -0.1) return null;
  const width = 1 / (Math.max(y, 0.01) * Math.sqrt(2 * Math.PI));
  return { steps: 0, mean: round(Math.max(-MEAN, Math.min(MEAN, z))),
    width: round(Math.max(WIDTH[0], Math.min(WIDTH[1], width))) };
}

const grip = (x, y, settings, pen, { at: [m, s] }) => {
  const plot = latent(pen);
  return near(x, y, [plot.X(m), plot.Y(Math.exp(logNormal(0, 0, s)))]);
};
const follow = ({ at: [mean, width] }) => ({ mean, width });

export const { about, controls, compute: mathematics, render } = figure({
  about: "An approximate posterior q over the exact one; below, log p(x) as ELBO and gap.",
  controls: [
    { name: "mean", label: "mean of q", min: -MEAN, max: MEAN, step: 0.01, value: 0 },
    { name: "width", label: "standard deviation", min: WIDTH[0], max: WIDTH[1], step: 0.01,
      value: 0.8 },
    { name: "x", label: "observed x", min: -1, max: 2.5, step: 0.05, value: 1.5 },
    { name: "steps", label: "ascent steps", min: 0, max: 60, step: 1, value: 0, play: 4 },
    { name: "decoder", label: "decoder", options: ["straight", "folded"], value: "straight" },
  ],
  compute, draw, say, touch, grip, follow, reset: { steps: 0 }, aspect: 0.62, tall: 1.2,
});
export default { render };
