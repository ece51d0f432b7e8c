// Networks in plain arrays: the layers that the trained models of this course are made of. Weights
// are a map from a name to {shape, data}; an image is one array, channel by channel; numbers
// on their way are doubles: nothing but the order of sums tells these layers from PyTorch's.

// Half precision: sign, five bits of exponent, ten of fraction (no infinities among weights); it is
// kept in single precision, which holds it exactly.
const HALF = Float32Array.from({ length: 65536 }, (_, h) => {
  const e = (h >> 10) & 31;
  return (h >> 15 ? -1 : 1) * 2 ** (Math.max(e, 1) - 25) * ((h & 1023) + (e ? 1024 : 0));
});
const READ = { F16: Uint16Array, F32: Float32Array, I64: BigInt64Array };

function fromBase64(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

// The tensors of a .safetensors file, given in base64 or as bytes.
export function weights(file) {
  const bytes = typeof file === "string" ? fromBase64(file)
    : new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const start = 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const found = {};
  for (const [name, { dtype, shape, data_offsets: [low, high] }] of Object.entries(header)) {
    if (!shape || !(dtype in READ)) continue;
    const raw = new READ[dtype](bytes.slice(start + low, start + high).buffer);
    const data = new (dtype === "I64" ? Float64Array : Float32Array)(raw.length);
    for (let i = 0; i < raw.length; i++) data[i] = dtype === "F16" ? HALF[raw[i]] : Number(raw[i]);
    found[name] = { shape, data };
  }
  return found;
}

export const sum = (a, b) => a.map((v, i) => v + b[i]);
export const silu = (x) => x.map((v) => v / (1 + Math.exp(-v)));
export const join = (...parts) => {
  const whole = new Float64Array(parts.reduce((n, part) => n + part.length, 0));
  parts.reduce((at, part) => { whole.set(part, at); return at + part.length; }, 0);
  return whole;
};

export function softmax(x) {
  const top = x.reduce((a, b) => Math.max(a, b)), e = x.map((v) => Math.exp(v - top));
  const total = e.reduce((a, b) => a + b);
  return e.map((v) => v / total);
}

// W x + b of one vector; `n` of the rows only, where given.
export function linear(net, name, x, n = 0) {
  const { shape: [rows, m], data: w } = net[`${name}.weight`], bias = net[`${name}.bias`]?.data;
  const y = new Float64Array(n || rows);
  for (let o = 0, k = 0; o < y.length; o++) {
    let a = bias ? bias[o] : 0, b = 0, c = 0, d = 0, i = 0;
    for (; i + 3 < m; i += 4, k += 4) { // four sums at a time, none of which waits for another
      a += w[k] * x[i]; b += w[k + 1] * x[i + 1];
      c += w[k + 2] * x[i + 2]; d += w[k + 3] * x[i + 3];
    }
    for (; i < m; i++, k++) a += w[k] * x[i];
    y[o] = a + b + (c + d);
  }
  return y;
}

// A convolution with a border of zeros, of 1 x 1 or 3 x 3 taps, of an image `size` on a side.
export function conv(net, name, x, size) {
  const { shape: [nOut, nIn, taps], data: w } = net[`${name}.weight`];
  const bias = net[`${name}.bias`].data;
  const n = size * size, wide = size + 2, y = new Float64Array(nOut * n);
  for (let o = 0; o < nOut; o++) y.fill(bias[o], o * n, (o + 1) * n);
  if (taps === 1) {
    for (let o = 0; o < nOut; o++) for (let i = 0; i < nIn; i++) {
      const a = w[o * nIn + i];
      for (let p = i * n, q = o * n, end = q + n; q < end; p++, q++) y[q] += a * x[p];
    }
    return y;
  }
  const pad = new Float64Array(nIn * wide * wide);
  for (let r = 0; r < nIn * size; r++) {
    pad.set(x.subarray(r * size, (r + 1) * size), (r + 2 * Math.floor(r / size) + 1) * wide + 1);
  }
  for (let o = 0; o < nOut; o++) for (let i = 0; i < nIn; i++) {
    const k = 9 * (o * nIn + i);
    const a = w[k], b = w[k + 1], c = w[k + 2], d = w[k + 3], e = w[k + 4], f = w[k + 5];
    const g = w[k + 6], h = w[k + 7], j = w[k + 8];
    for (let r = 0, p = i * wide * wide, q = o * n; r < size; r++, p += 2) {
      let a0 = pad[p], a1 = pad[p + 1], b0 = pad[p + wide], b1 = pad[p + wide + 1];
      let c0 = pad[p + 2 * wide], c1 = pad[p + 2 * wide + 1];
      for (let s = 0; s < size; s++, p++, q++) {
        const a2 = pad[p + 2], b2 = pad[p + wide + 2], c2 = pad[p + 2 * wide + 2];
        y[q] += a * a0 + b * a1 + c * a2 + (d * b0 + e * b1 + f * b2) + (g * c0 + h * c1 + j * c2);
        a0 = a1; a1 = a2; b0 = b1; b1 = b2; c0 = c1; c1 = c2;
      }
    }
  }
  return y;
}

// Each group of channels at mean 0 and variance 1, then a gain and a shift for each channel.
export function groupNorm(net, name, x, groups = 8) {
  const gain = net[`${name}.weight`].data, shift = net[`${name}.bias`].data;
  const n = x.length / groups, plane = x.length / gain.length, y = new Float64Array(x.length);
  for (let g = 0; g < groups; g++) {
    let mean = 0, square = 0;
    for (let i = g * n; i < (g + 1) * n; i++) mean += x[i] / n;
    for (let i = g * n; i < (g + 1) * n; i++) square += (x[i] - mean) ** 2 / n;
    const scale = 1 / Math.sqrt(square + 1e-5);
    for (let i = g * n; i < (g + 1) * n; i++) {
      const c = Math.floor(i / plane);
      y[i] = (x[i] - mean) * scale * gain[c] + shift[c];
    }
  }
  return y;
}

export function rmsNorm(net, name, x, eps = 1e-6) {
  const gain = net[`${name}.weight`].data;
  const scale = 1 / Math.sqrt(x.reduce((a, v) => a + v * v, 0) / x.length + eps);
  return x.map((v, i) => v * scale * gain[i]);
}

// Pairs (k, k + half) of each head's features turn through the position's angles.
export function rotate(x, position, size, base = 10000) {
  const y = x.slice(), n = size / 2;
  for (let i = 0; i < x.length; i += size) for (let k = 0; k < n; k++) {
    const angle = position * base ** (-k / n), c = Math.cos(angle), s = Math.sin(angle);
    y[i + k] = x[i + k] * c - x[i + k + n] * s;
    y[i + k + n] = x[i + k] * s + x[i + k + n] * c;
  }
  return y;
}

// What one query reads from all keys, head by head; query heads may share a head of the keys.
export function attend(q, keys, values, heads) {
  const size = q.length / heads, share = q.length / keys[0].length, y = new Float64Array(q.length);
  for (let h = 0; h < heads; h++) {
    const at = h * size, from = Math.floor(h / share) * size;
    const weigh = softmax(Float64Array.from(keys, (key) => {
      let dot = 0;
      for (let i = 0; i < size; i++) dot += q[at + i] * key[from + i];
      return dot / Math.sqrt(size);
    }));
    values.forEach((v, j) => {
      for (let i = 0; i < size; i++) y[at + i] += weigh[j] * v[from + i];
    });
  }
  return y;
}
