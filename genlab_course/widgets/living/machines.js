// Five small generative models of points in the plane, each with its loss, its exact gradients, its
// sampler and Adam, in plain arrays of doubles. A page gives this function's own text to a worker, so
// that nothing in it may lean on anything but `normals` (stage.js), which is handed over.
export function machines(normals) {
  const LOG_2PI = Math.log(2 * Math.PI), SIDE = 48, STEPS = 100, GAMMA = 0.3;

  // c (m x n) = a (m x k) times the transpose of b (n x k); `add` keeps what is in c. Two rows by four
  // columns at a time: eight sums, none of which waits for another.
  function product(a, b, c, m, n, k, add = false) {
    if (!add) c.fill(0, 0, m * n);
    const m2 = m - (m % 2), n4 = n - (n % 4);
    for (let r = 0; r < m2; r += 2) {
      const a0 = r * k, a1 = a0 + k;
      for (let o = 0; o < n4; o += 4) {
        const b0 = o * k, b1 = b0 + k, b2 = b1 + k, b3 = b2 + k;
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        for (let i = 0; i < k; i++) {
          const x = a[a0 + i], y = a[a1 + i];
          const p = b[b0 + i], q = b[b1 + i], u = b[b2 + i], v = b[b3 + i];
          s0 += x * p; s1 += x * q; s2 += x * u; s3 += x * v;
          t0 += y * p; t1 += y * q; t2 += y * u; t3 += y * v;
        }
        const at = r * n + o, below = at + n;
        c[at] += s0; c[at + 1] += s1; c[at + 2] += s2; c[at + 3] += s3;
        c[below] += t0; c[below + 1] += t1; c[below + 2] += t2; c[below + 3] += t3;
      }
    }
    const rest = (r, from) => {
      for (let o = from; o < n; o++) {
        let s = 0;
        for (let i = 0; i < k; i++) s += a[r * k + i] * b[o * k + i];
        c[r * n + o] += s;
      }
    };
    for (let r = 0; r < m2 && n4 < n; r++) rest(r, n4);
    if (m2 < m) rest(m2, 0);
  }

  function transposed(a, m, n, out) {
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j * m + i] = a[i * n + j];
    return out;
  }

  // Arrays that are used again by the next step.
  class Shelf {
    constructor() { this.arrays = {}; }
    take(name, n) {
      const held = this.arrays[name];
      return held?.length === n ? held : (this.arrays[name] = new Float64Array(n));
    }
  }

  const sigmoid = (v) => 1 / (1 + Math.exp(-v));
  const tanh = (v) => 2 * sigmoid(2 * v) - 1;

  // A network of dense layers with SiLU between them. Its first layer reads the numbers that it is told
  // and, of the first `seen` of them, cosine and sine at each frequency of `waves`. `theta` holds each
  // layer's weights (out x in) and then its biases; `grad` what `backward` has summed since `clear`.
  class Net {
    constructor(sizes, normal, { waves = [], seen = sizes[0], first = 1, last = 0.1, spread = 0 } = {}) {
      Object.assign(this, { told: sizes[0], waves, seen, layers: [], shelf: new Shelf() });
      const widths = [sizes[0] + 2 * seen * waves.length, ...sizes.slice(1)];
      let at = 0;
      for (let l = 0; l + 1 < widths.length; l++) {
        const [k, m] = [widths[l], widths[l + 1]];
        this.layers.push({ k, m, at, bias: at + k * m });
        at += k * m + m;
      }
      this.theta = new Float64Array(at);
      this.grad = new Float64Array(at);
      const top = this.layers.length - 1;
      this.layers.forEach(({ k, m, at: from, bias }, l) => {
        const gain = (l === top ? last : l ? 1.4 : first) / Math.sqrt(k);
        for (let i = from; i < bias; i++) this.theta[i] = gain * normal();
        if (!l) for (let i = bias; i < bias + m; i++) this.theta[i] = spread * normal();
      });
    }

    clear() { this.grad.fill(0); }

    // The numbers that n rows tell, with their waves.
    read(x, n) {
      const { told, seen, waves } = this, k = this.layers[0].k, out = this.shelf.take("read", n * k);
      for (let r = 0; r < n; r++) {
        let at = r * k;
        for (let i = 0; i < told; i++) out[at++] = x[r * told + i];
        for (const w of waves) for (let i = 0; i < seen; i++) {
          out[at++] = Math.cos(w * x[r * told + i]);
          out[at++] = Math.sin(w * x[r * told + i]);
        }
      }
      return out;
    }

    // The slope by what was told, from the slope `d` by what was read.
    unread(d, n) {
      const { told, seen, waves } = this, k = this.layers[0].k, out = this.shelf.take("unread", n * told);
      const was = this.acts[0];
      for (let r = 0; r < n; r++) {
        let at = r * k + told;
        for (let i = 0; i < told; i++) out[r * told + i] = d[r * k + i];
        for (const w of waves) for (let i = 0; i < seen; i++, at += 2) {
          out[r * told + i] += w * (was[at] * d[at + 1] - was[at + 1] * d[at]);
        }
      }
      return out;
    }

    // n rows in, n rows out; what stands between is kept for `backward`. `tokens`: the one of each row's
    // inputs that is 1, where all others are 0.
    forward(x, n, tokens = null) {
      const { theta, layers, shelf } = this, top = layers.length - 1;
      Object.assign(this, { rows: n, tokens, acts: [tokens || !this.waves.length ? x : this.read(x, n)], pre: [], slopes: [] });
      layers.forEach(({ k, m, at, bias }, l) => {
        const z = shelf.take(`z ${l}`, n * m), w = theta.subarray(at, bias);
        if (tokens && !l) {
          for (let r = 0, i = 0; r < n; r++) for (let o = 0; o < m; o++) z[i++] = theta[bias + o] + w[o * k + tokens[r]];
        } else {
          for (let r = 0, i = 0; r < n; r++) for (let o = 0; o < m; o++) z[i++] = theta[bias + o];
          product(this.acts[l], w, z, n, m, k, true);
        }
        if (l === top) { this.acts.push(z); return; }
        const y = shelf.take(`y ${l}`, n * m), slope = shelf.take(`slope ${l}`, n * m);
        for (let i = 0; i < n * m; i++) {
          const e = 1 / (1 + Math.exp(-z[i]));
          y[i] = z[i] * e;
          slope[i] = e * (1 + z[i] * (1 - e));
        }
        this.acts.push(y);
        this.pre[l + 1] = z;
        this.slopes[l + 1] = slope;
      });
      return this.acts.at(-1);
    }

    // The weights of a layer, in x out.
    turned(l) {
      const { k, m, at, bias } = this.layers[l];
      return transposed(this.theta.subarray(at, bias), m, k, this.shelf.take(`turned ${l}`, m * k));
    }

    // Add to a layer's gradient what comes of n rows: slopes by its outputs `d`, its inputs `x`.
    add(l, d, x, n, { biases = true } = {}) {
      const { k, m, at, bias } = this.layers[l], { grad, shelf } = this;
      if (biases) for (let r = 0, i = 0; r < n; r++) for (let o = 0; o < m; o++) grad[bias + o] += d[i++];
      product(transposed(d, n, m, shelf.take(`dt ${l}`, n * m)), transposed(x, n, k, shelf.take(`xt ${l}`, n * k)),
        grad.subarray(at, bias), m, k, n, true);
    }

    // The slope of a loss by what was told, from its slope `d` by the outputs; adds to `grad` unless told
    // not to (`learns`). `wanted`: whether the former is needed.
    backward(d, { learns = true, wanted = true } = {}) {
      const n = this.rows, { layers, acts, tokens, grad } = this;
      for (let l = layers.length - 1; l >= 0; l--) {
        const { k, m, at, bias } = layers[l];
        if (!l && tokens) {
          for (let r = 0, i = 0; r < n; r++) for (let o = 0; o < m; o++, i++) {
            grad[bias + o] += d[i];
            grad[at + o * k + tokens[r]] += d[i];
          }
          return null;
        }
        if (learns) this.add(l, d, acts[l], n);
        if (!l && !wanted) return null;
        const by = this.shelf.take(`by ${l}`, n * k);
        product(d, this.turned(l), by, n, k, m);
        if (l) for (let i = 0, s = this.slopes[l]; i < n * k; i++) by[i] *= s[i];
        d = by;
      }
      return this.waves.length ? this.unread(d, n) : d;
    }

    // Of a network with one output and no waves, after `forward`: the sum over rows of the squared length
    // of its slope by the inputs. To `grad` it adds `scale` times the slope of half that sum. The slope of
    // |g|^2 / 2 is that of the output's change along g, with g held fixed: changes run forward beside the
    // activations, then both come back.
    steepness(scale) {
      const n = this.rows, top = this.layers.length - 1, { layers, acts, shelf, slopes } = this;
      const g = this.backward(shelf.take("one", n).fill(1), { learns: false }), changes = [g], raw = [];
      let square = 0;
      for (let i = 0; i < g.length; i++) square += g[i] * g[i];
      for (let l = 0; l < top; l++) {
        const { k, m, at, bias } = layers[l];
        raw[l + 1] = shelf.take(`raw ${l}`, n * m); // the change before the bend
        product(changes[l], this.theta.subarray(at, bias), raw[l + 1], n, m, k);
        changes[l + 1] = shelf.take(`change ${l}`, n * m);
        for (let i = 0; i < n * m; i++) changes[l + 1][i] = slopes[l + 1][i] * raw[l + 1][i];
      }
      // Back: slopes by a layer's outputs, `dz`, and by their changes, `dc`.
      let dz = null, dc = shelf.take("scale", n).fill(scale);
      for (let l = top; l >= 0; l--) {
        const { k, m } = layers[l], turned = this.turned(l);
        this.add(l, dc, changes[l], n, { biases: false });
        if (dz) this.add(l, dz, acts[l], n);
        if (!l) break;
        const back = shelf.take(`back ${l}`, n * k), through = shelf.take(`through ${l}`, n * k);
        product(dc, turned, back, n, k, m);
        if (dz) product(dz, turned, through, n, k, m); else through.fill(0);
        for (let i = 0, z = this.pre[l], s = slopes[l], f = raw[l]; i < n * k; i++) {
          const e = 1 / (1 + Math.exp(-z[i]));
          through[i] = s[i] * through[i] + e * (1 - e) * (2 + z[i] * (1 - 2 * e)) * f[i] * back[i];
          back[i] *= s[i];
        }
        [dz, dc] = [through, back];
      }
      return square;
    }
  }

  // Adam on some networks together: `rate` of this step, running means of gradients and their squares.
  class Adam {
    constructor(nets, { first = 0.9, second = 0.99 } = {}) {
      Object.assign(this, { nets, first, second, step: 0 });
      this.means = nets.map(({ theta }) => [new Float64Array(theta.length), new Float64Array(theta.length)]);
    }

    go(rate) {
      this.step += 1;
      const unbias = 1 - this.first ** this.step, square = 1 - this.second ** this.step;
      this.nets.forEach(({ theta, grad }, j) => {
        const [m, v] = this.means[j];
        for (let i = 0; i < theta.length; i++) {
          m[i] += (1 - this.first) * (grad[i] - m[i]);
          v[i] += (1 - this.second) * (grad[i] * grad[i] - v[i]);
          theta[i] -= (rate * (m[i] / unbias)) / (Math.sqrt(v[i] / square) + 1e-8);
        }
      });
    }
  }

  const below = (z) => { // the normal distribution function (Abramowitz and Stegun 26.2.17), to 1e-7
    const t = 1 / (1 + 0.2316419 * Math.abs(z));
    const tail = Math.exp(-0.5 * z * z - 0.5 * LOG_2PI) * t * (0.31938153 + t * (-0.356563782 +
      t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return z > 0 ? 1 - tail : tail;
  };

  // p(x) p(y | x): each coordinate is one of SIDE bins. The network reads x's bin, or "nothing yet", and
  // says how likely each bin comes next.
  class Autoregressive {
    constructor(normal) {
      this.net = new Net([SIDE + 1, 64, 64, SIDE], normal, { first: 7, last: 0 });
      this.nets = [this.net];
      this.optimisers = [[new Adam(this.nets), "loss"]];
      this.shelf = new Shelf();
      this.edges = [-3, 3, -3, 3]; // of the bins: x from, to, y from, to
    }

    noise() { return []; }

    bin(v, axis) {
      const low = this.edges[2 * axis], high = this.edges[2 * axis + 1];
      return Math.max(0, Math.min(SIDE - 1, Math.floor((SIDE * (v - low)) / (high - low))));
    }

    // Mean of -log p(x, y), per point, as a density: each bin is flat. One row for "nothing yet" serves
    // all points, with the counts of their bins as its target.
    loss(x, n) {
      const tokens = new Uint8Array(n + 1), wanted = new Uint8Array(n), counts = new Float64Array(SIDE);
      for (let r = 0; r < n; r++) {
        tokens[r] = this.bin(x[2 * r], 0);
        wanted[r] = this.bin(x[2 * r + 1], 1);
        counts[tokens[r]] += 1;
      }
      tokens[n] = SIDE;
      const logits = this.net.forward(null, n + 1, tokens), d = this.shelf.take("d", (n + 1) * SIDE);
      const [x0, x1, y0, y1] = this.edges;
      let total = Math.log(((x1 - x0) / SIDE) * ((y1 - y0) / SIDE));
      for (let r = 0; r <= n; r++) {
        const at = r * SIDE, weigh = r < n ? 1 / n : 1;
        let top = -Infinity, sum = 0;
        for (let o = 0; o < SIDE; o++) top = Math.max(top, logits[at + o]);
        for (let o = 0; o < SIDE; o++) sum += d[at + o] = Math.exp(logits[at + o] - top);
        for (let o = 0; o < SIDE; o++) {
          const target = r < n ? (o === wanted[r] ? 1 : 0) : counts[o] / n;
          if (target) total -= weigh * target * (logits[at + o] - top - Math.log(sum));
          d[at + o] = weigh * (d[at + o] / sum - target);
        }
      }
      this.net.backward(d);
      return total;
    }

    // Where the distribution function of some logits reaches u, bins being flat.
    inverse(logits, at, u, axis) {
      let top = -Infinity, sum = 0, k = 0;
      for (let o = 0; o < SIDE; o++) top = Math.max(top, logits[at + o]);
      for (let o = 0; o < SIDE; o++) sum += Math.exp(logits[at + o] - top);
      let left = u * sum, p = Math.exp(logits[at] - top);
      while (k < SIDE - 1 && left > p) { left -= p; k += 1; p = Math.exp(logits[at + k] - top); }
      const low = this.edges[2 * axis], high = this.edges[2 * axis + 1];
      return low + ((high - low) * (k + Math.min(1, left / p))) / SIDE;
    }

    // Two calls: x, then y given its bin. The same normal numbers z give the same quantiles.
    sample(z, n) {
      const out = new Float64Array(2 * n), tokens = new Uint8Array(n);
      const start = this.net.forward(null, 1, [SIDE]).slice();
      for (let r = 0; r < n; r++) {
        out[2 * r] = this.inverse(start, 0, below(z[2 * r]), 0);
        tokens[r] = this.bin(out[2 * r], 0);
      }
      const logits = this.net.forward(null, n, tokens);
      for (let r = 0; r < n; r++) out[2 * r + 1] = this.inverse(logits, r * SIDE, below(z[2 * r + 1]), 1);
      return out;
    }
  }

  const COUPLINGS = 8, REACH = 1; // |log scale| of one coupling stays below REACH

  // An invertible map, coupling by coupling: one coordinate scales and shifts the other.
  class Flow {
    constructor(normal) {
      this.nets = Array.from({ length: COUPLINGS }, () => new Net([1, 32, 32, 2], normal, { waves: [1.5], last: 0.02 }));
      this.optimisers = [[new Adam(this.nets), "loss"]];
      this.shelf = new Shelf();
    }

    noise() { return []; }

    // Mean of -log p(x) = -log N(f(x)) - log |det f'(x)|.
    loss(x, n) {
      const state = x.slice(), kept = [];
      let total = LOG_2PI;
      this.nets.forEach((net, k) => {
        const given = k % 2, moved = 1 - given, input = this.shelf.take(`in ${k}`, n);
        const old = this.shelf.take(`old ${k}`, n), bent = this.shelf.take(`bent ${k}`, n);
        for (let r = 0; r < n; r++) { input[r] = state[2 * r + given]; old[r] = state[2 * r + moved]; }
        const told = net.forward(input, n);
        for (let r = 0; r < n; r++) {
          bent[r] = tanh(told[2 * r] / REACH);
          const s = REACH * bent[r];
          state[2 * r + moved] = old[r] * Math.exp(s) + told[2 * r + 1];
          total -= s / n;
        }
        kept.push({ given, moved, old, bent });
      });
      for (let i = 0; i < 2 * n; i++) total += (0.5 * state[i] * state[i]) / n;
      const d = state.map((v) => v / n);
      for (let k = COUPLINGS - 1; k >= 0; k--) {
        const { given, moved, old, bent } = kept[k], told = this.shelf.take(`told ${k}`, 2 * n);
        for (let r = 0; r < n; r++) {
          const scale = Math.exp(REACH * bent[r]), dy = d[2 * r + moved];
          told[2 * r] = (dy * old[r] * scale - 1 / n) * (1 - bent[r] * bent[r]);
          told[2 * r + 1] = dy;
          d[2 * r + moved] = dy * scale;
        }
        const by = this.nets[k].backward(told);
        for (let r = 0; r < n; r++) d[2 * r + given] += by[r];
      }
      return total;
    }

    // One call: the couplings undone in reverse.
    sample(z, n) {
      const state = Float64Array.from(z.subarray(0, 2 * n)), input = new Float64Array(n);
      for (let k = COUPLINGS - 1; k >= 0; k--) {
        const given = k % 2, moved = 1 - given;
        for (let r = 0; r < n; r++) input[r] = state[2 * r + given];
        const told = this.nets[k].forward(input, n);
        for (let r = 0; r < n; r++) {
          const s = REACH * tanh(told[2 * r] / REACH);
          state[2 * r + moved] = (state[2 * r + moved] - told[2 * r + 1]) * Math.exp(-s);
        }
      }
      return state;
    }
  }

  // A latent z of two numbers, a normal posterior, a normal likelihood whose width is learned.
  class VAE {
    constructor(normal) {
      this.encoder = new Net([2, 64, 64, 4], normal, { waves: [3] });
      this.decoder = new Net([2, 64, 64, 2], normal, { waves: [3] });
      this.width = new Net([0, 1], () => 0); // its bias: log of the likelihood's standard deviation
      this.width.theta[0] = -1;
      this.nets = [this.encoder, this.decoder, this.width];
      this.optimisers = [[new Adam(this.nets), "loss"]];
      this.shelf = new Shelf();
    }

    noise(normal, n) { return [Float64Array.from({ length: 2 * n }, normal)]; }

    // Mean of the negative bound: E_q[-log p(x | z)], of one z, + KL(q(z | x) || N(0, I)).
    loss(x, n, [eps]) {
      const q = this.encoder.forward(x, n), z = this.shelf.take("z", 2 * n), std = this.shelf.take("std", 2 * n);
      for (let r = 0; r < n; r++) for (let j = 0; j < 2; j++) { // it begins as a narrow q at the point itself
        q[4 * r + j] += x[2 * r + j];
        q[4 * r + 2 + j] -= 3;
        std[2 * r + j] = Math.exp(0.5 * q[4 * r + 2 + j]);
        z[2 * r + j] = q[4 * r + j] + std[2 * r + j] * eps[2 * r + j];
      }
      const y = this.decode(z, n), s = this.width.theta[0], tight = Math.exp(-2 * s);
      const dy = this.shelf.take("dy", 2 * n), dq = this.shelf.take("dq", 4 * n);
      let total = LOG_2PI + 2 * s, miss = 0;
      for (let i = 0; i < 2 * n; i++) {
        const off = y[i] - x[i];
        miss += (off * off * tight) / n;
        dy[i] = (off * tight) / n;
      }
      total += 0.5 * miss;
      this.width.grad[0] += 2 - miss;
      const dz = this.decoder.backward(dy);
      for (let r = 0; r < n; r++) for (let j = 0; j < 2; j++) {
        const m = q[4 * r + j], v = q[4 * r + 2 + j], by = dz[2 * r + j] + dy[2 * r + j];
        total += (0.5 * (m * m + Math.exp(v) - 1 - v)) / n;
        dq[4 * r + j] = by + m / n;
        dq[4 * r + 2 + j] = 0.5 * by * eps[2 * r + j] * std[2 * r + j] + (0.5 * (Math.exp(v) - 1)) / n;
      }
      this.encoder.backward(dq, { wanted: false });
      return total;
    }

    decode(z, n) {
      const y = this.decoder.forward(z, n);
      for (let i = 0; i < 2 * n; i++) y[i] += z[i];
      return y;
    }

    // One call: decode a latent, then add the likelihood's noise, the last 2 n numbers of z.
    sample(z, n) {
      const s = Math.exp(this.width.theta[0]);
      return this.decode(z.subarray(0, 2 * n), n).map((v, i) => v + s * z[2 * n + i]);
    }
  }

  const softplus = (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

  // A generator against a discriminator that also pays for being steep at the data (R1).
  class GAN {
    constructor(normal) {
      this.generator = new Net([2, 64, 64, 2], normal, { first: 4, spread: 2 });
      this.critic = new Net([2, 64, 64, 1], normal, { first: 3, spread: 2, last: 1 });
      this.nets = [this.critic, this.generator];
      const quick = { first: 0, second: 0.99 };
      this.optimisers = [[new Adam([this.critic], quick), "critic_loss"], [new Adam([this.generator], quick), "loss"]];
      this.shelf = new Shelf();
    }

    noise(normal, n) { return [0, 1].map(() => Float64Array.from({ length: 2 * n }, normal)); }

    generate(z, n) {
      const y = this.generator.forward(z, n);
      for (let i = 0; i < 2 * n; i++) y[i] += z[i];
      return y;
    }

    // softplus(-D(x)) + softplus(D(G(z))) + GAMMA / 2 |D'(x)|^2, mean; gradients of the discriminator.
    critic_loss(x, n, [z]) {
      const d = this.shelf.take("d", n);
      let total = 0;
      const real = this.critic.forward(x, n);
      for (let r = 0; r < n; r++) { total += softplus(-real[r]) / n; d[r] = -sigmoid(-real[r]) / n; }
      this.critic.backward(d, { wanted: false });
      total += (0.5 * GAMMA * this.critic.steepness(GAMMA / n)) / n;
      const made = this.critic.forward(this.generate(z, n), n);
      for (let r = 0; r < n; r++) { total += softplus(made[r]) / n; d[r] = sigmoid(made[r]) / n; }
      this.critic.backward(d, { wanted: false });
      return total;
    }

    // -log sigmoid(D(G(z))), mean; gradients of the generator (and, unused, of the discriminator).
    loss(x, n, [, z]) {
      const made = this.critic.forward(this.generate(z, n), n), d = this.shelf.take("d", n);
      let total = 0;
      for (let r = 0; r < n; r++) { total += softplus(-made[r]) / n; d[r] = -sigmoid(-made[r]) / n; }
      this.generator.backward(this.critic.backward(d, { learns: false }), { wanted: false });
      return total;
    }

    sample(z, n) { return this.generate(z.subarray(0, 2 * n), n).slice(); }
  }

  const CLOCK = [1, 2, 4]; // waves of time, in quarter turns

  // Noise is mixed in along a quarter circle, x cos + eps sin; the network is told where, and says the
  // velocity eps cos - x sin.
  class Diffusion {
    constructor(normal) {
      this.net = new Net([2 + 2 * CLOCK.length, 64, 64, 2], normal, { waves: [3, 6], seen: 2 });
      this.nets = [this.net];
      this.optimisers = [[new Adam(this.nets), "loss"]];
      this.shelf = new Shelf();
    }

    noise(normal, n) {
      return [Float64Array.from({ length: n }, () => normal.uniform()), Float64Array.from({ length: 2 * n }, normal)];
    }

    input(x, t, n) {
      const k = 2 + 2 * CLOCK.length, input = this.shelf.take(`in ${n}`, n * k);
      for (let r = 0; r < n; r++) {
        input[r * k] = x[2 * r]; input[r * k + 1] = x[2 * r + 1];
        CLOCK.forEach((w, j) => {
          const angle = 0.5 * Math.PI * w * (t.length ? t[r] : t);
          input[r * k + 2 + 2 * j] = Math.cos(angle);
          input[r * k + 3 + 2 * j] = Math.sin(angle);
        });
      }
      return input;
    }

    // Mean squared error of the velocity, per coordinate.
    loss(x, n, [t, eps]) {
      const mixed = this.shelf.take("mixed", 2 * n), target = this.shelf.take("target", 2 * n);
      for (let i = 0; i < 2 * n; i++) {
        const angle = 0.5 * Math.PI * t[i >> 1], c = Math.cos(angle), s = Math.sin(angle);
        mixed[i] = c * x[i] + s * eps[i];
        target[i] = c * eps[i] - s * x[i];
      }
      const v = this.net.forward(this.input(mixed, t, n), n), d = this.shelf.take("d", 2 * n);
      let total = 0;
      for (let i = 0; i < 2 * n; i++) {
        const off = v[i] - target[i];
        total += (off * off) / (2 * n);
        d[i] = off / n;
      }
      this.net.backward(d, { wanted: false });
      return total;
    }

    // One call of STEPS: the mixture at angle (k + 1) / STEPS of a quarter turn, turned back to k / STEPS.
    step(x, n, k) {
      const angle = (0.5 * Math.PI * (k + 1)) / STEPS, turn = (0.5 * Math.PI) / STEPS;
      const v = this.net.forward(this.input(x, (k + 1) / STEPS, n), n), out = new Float64Array(2 * n);
      for (let i = 0; i < 2 * n; i++) {
        const clean = Math.cos(angle) * x[i] - Math.sin(angle) * v[i];
        const noise = Math.sin(angle) * x[i] + Math.cos(angle) * v[i];
        out[i] = Math.cos(angle - turn) * clean + Math.sin(angle - turn) * noise;
      }
      return out;
    }

    sample(z, n) {
      let x = Float64Array.from(z.subarray(0, 2 * n));
      for (let k = STEPS - 1; k >= 0; k--) x = this.step(x, n, k);
      return x;
    }
  }

  const KINDS = { autoregressive: Autoregressive, flow: Flow, vae: VAE, gan: GAN, diffusion: Diffusion };

  // Steps, points of a step, learning rate: a laptop's core needs five to eight seconds for each.
  const RECIPES = {
    autoregressive: { steps: 600, batch: 128, rate: 0.01 },
    flow: { steps: 1000, batch: 128, rate: 0.005 },
    vae: { steps: 1200, batch: 128, rate: 0.008 },
    gan: { steps: 900, batch: 64, rate: 0.006 },
    diffusion: { steps: 1500, batch: 128, rate: 0.01 },
  };
  const NATS = ["autoregressive", "flow", "vae"]; // whose loss is a density's
  const PEN = 0.025; // standard deviation of the ink around the line; the square is 2 wide

  // Mean of -log p of points of the shape itself, in nats: no model can do better.
  function entropy(shape, normal, n = 2000) {
    const m = shape.length / 2;
    let total = 0;
    for (let r = 0; r < n; r++) {
      const i = Math.floor((r * m) / n), x = shape[2 * i] + PEN * normal(), y = shape[2 * i + 1] + PEN * normal();
      let p = 0;
      for (let k = 0; k < m; k++) p += Math.exp(-((x - shape[2 * k]) ** 2 + (y - shape[2 * k + 1]) ** 2) / (2 * PEN * PEN));
      total -= Math.log(p / (m * 2 * Math.PI * PEN * PEN)) / n;
    }
    return total;
  }

  // Mean squared error of the best velocity, per coordinate: what is left when a mixture of noise and shape is
  // all that is known. The shape as a machine sees it: less its middle, in its unit.
  function leastVelocity(shape, middle, unit, normal, n = 1000) {
    const m = shape.length / 2, points = Float64Array.from(shape, (v, i) => (v - middle[i % 2]) / unit), w = (PEN / unit) ** 2;
    let total = 0;
    for (let r = 0; r < n; r++) {
      const angle = (0.5 * Math.PI * (r + 0.5)) / n, c = Math.cos(angle), s = Math.sin(angle), spread = c * c * w + s * s;
      const i = Math.floor(normal.uniform() * m), x = [0, 1].map((j) => points[2 * i + j] + Math.sqrt(w) * normal());
      const eps = [normal(), normal()], mixed = x.map((v, j) => c * v + s * eps[j]);
      const logs = Float64Array.from({ length: m }, (_, k) =>
        -((mixed[0] - c * points[2 * k]) ** 2 + (mixed[1] - c * points[2 * k + 1]) ** 2) / (2 * spread));
      const top = logs.reduce((a, b) => Math.max(a, b)), guess = [0, 0];
      let sum = 0;
      for (let k = 0; k < m; k++) {
        const p = Math.exp(logs[k] - top);
        sum += p;
        for (const j of [0, 1]) guess[j] += p * (points[2 * k + j] + ((c * w) / spread) * (mixed[j] - c * points[2 * k + j]));
      }
      for (const j of [0, 1]) total += ((c * mixed[j] - guess[j] / sum) / s - (c * eps[j] - s * x[j])) ** 2 / (2 * n);
    }
    return total;
  }

  const NEAR = 3.2; // pens: where ink ends

  // What is wrong with samples: the share that lies off the line (`astray`: blur, bridges), and the share
  // of the line that has no sample near (`lost`: modes).
  function faults(samples, shape) {
    const n = samples.length / 2, m = shape.length / 2, far = (NEAR * PEN) ** 2, bare = new Float64Array(m).fill(Infinity);
    let astray = 0;
    for (let r = 0; r < n; r++) {
      let best = Infinity;
      for (let k = 0; k < m; k++) {
        const d = (samples[2 * r] - shape[2 * k]) ** 2 + (samples[2 * r + 1] - shape[2 * k + 1]) ** 2;
        best = Math.min(best, d);
        bare[k] = Math.min(bare[k], d);
      }
      if (!(best <= far)) astray += 1 / n;
    }
    return { astray, lost: bare.filter((d) => d > far).length / m };
  }

  // One machine that learns one shape: points [x, y, x, y, ...] along a line, in a square from -1 to 1.
  class Training {
    constructor(kind, shape, { seed = 1, share = 1, shown = 400 } = {}) {
      Object.assign(this, { kind, shape, shown, step: 0, ...RECIPES[kind] });
      this.steps = Math.max(2, Math.round(share * this.steps));
      this.normal = normals(seed);
      this.machine = new KINDS[kind](this.normal);
      const n = shape.length / 2, sums = [0, 0];
      for (let i = 0; i < 2 * n; i++) sums[i % 2] += shape[i] / n;
      this.middle = sums;
      let square = 0;
      for (let i = 0; i < 2 * n; i++) square += (shape[i] - sums[i % 2]) ** 2 / (2 * n);
      this.unit = Math.sqrt(square + PEN * PEN); // a machine sees the shape at mean 0, variance 1
      if (this.machine.edges) {
        this.machine.edges = [0, 0, 1, 1].map((axis, k) => {
          const all = shape.filter((_, i) => i % 2 === axis), end = k % 2 ? Math.max(...all) : Math.min(...all);
          return (end + (k % 2 ? 4 : -4) * PEN - sums[axis]) / this.unit;
        });
      }
      this.z = Float64Array.from({ length: 4 * shown }, normals(seed + 1));
      this.mean = 0;
    }

    ink() {
      const { normal, shape, batch: n, middle, unit } = this, m = shape.length / 2, x = new Float64Array(2 * n);
      for (let r = 0; r < n; r++) {
        const i = Math.floor(normal.uniform() * m);
        for (let j = 0; j < 2; j++) x[2 * r + j] = (shape[2 * i + j] + PEN * normal() - middle[j]) / unit;
      }
      return x;
    }

    // One step: the rate rises for 30 steps, stays for 40 % of the way, then falls along half a cosine to a fiftieth.
    go() {
      const { machine, batch: n } = this, part = Math.max(0, (this.step / this.steps - 0.4) / 0.6);
      const slow = Math.min(1, (this.step + 1) / 30); // Adam's first steps are rash
      const rate = slow * this.rate * (0.02 + 0.49 * (1 + Math.cos(Math.PI * part))), x = this.ink();
      const noise = machine.noise(this.normal, n);
      machine.optimisers.forEach(([optimiser, loss]) => {
        optimiser.nets.forEach((net) => net.clear());
        this.loss = machine[loss](x, n, noise);
        optimiser.go(rate);
      });
      this.step += 1;
      this.mean += (this.loss - this.mean) / Math.min(this.step, 40);
      return this.loss;
    }

    // The loss as it is printed: a density's in nats a point, of the square's own unit of length.
    said() { return this.mean + (NATS.includes(this.kind) ? 2 * Math.log(this.unit) : 0); }

    placed(x) { return Float32Array.from(x, (v, i) => v * this.unit + this.middle[i % 2]); }

    picture() { return this.placed(this.machine.sample(this.z, this.shown)); }
  }

  // In a worker: train at the pace of `seconds`, or as fast as it goes; tell what there is to see thirty
  // times a second.
  function work(scope) {
    const PICTURE = 33; // milliseconds
    scope.onmessage = ({ data: { kind, shape, seed, share, seconds } }) => {
      const training = new Training(kind, shape, { seed, share }), begun = performance.now();
      const floor = NATS.includes(kind) ? entropy(shape, normals(9))
        : kind === "diffusion" ? leastVelocity(shape, training.middle, training.unit, normals(9)) : null;
      const walks = kind === "diffusion";
      let x = null, call = 0, rest = 0, last = -Infinity, count = 0, wrong = null;
      const picture = () => {
        if (!walks) return training.picture();
        if (!x || (call === STEPS && rest++ > 20)) [x, call, rest] = [training.z.slice(0, 2 * training.shown), 0, 0];
        else if (call < STEPS) x = training.machine.step(x, training.shown, STEPS - ++call);
        return training.placed(x);
      };
      const tell = () => {
        const points = picture(), done = training.step === training.steps;
        const whole = !walks || call === STEPS;
        if (whole && (count++ % 15 === 0 || done)) wrong = faults(points, shape);
        scope.postMessage({ kind, points, step: training.step, steps: training.steps, loss: training.said(), floor,
          wrong, call: walks ? call : null, done: done && whole }, [points.buffer]);
        return done && whole;
      };
      const loop = () => {
        const now = performance.now(), due = Math.ceil((training.steps * (now - begun)) / (1000 * seconds));
        while (training.step < Math.min(due, training.steps) && performance.now() - now < PICTURE) training.go();
        if (training.step === training.steps && walks && !training.ended) [training.ended, x] = [true, null];
        if (performance.now() - last >= PICTURE) {
          last = performance.now();
          if (tell()) return;
        }
        setTimeout(loop, training.step < Math.min(due, training.steps) ? 0 : 6);
      };
      loop();
    };
  }

  return { product, Net, Adam, KINDS, STEPS, RECIPES, PEN, Training, entropy, leastVelocity, faults, work };
}
