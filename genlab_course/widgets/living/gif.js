// An animated picture that loops, as a file: GIF's LZW over one palette of at most 128 colours.
export class Gif {
  constructor(width, height, palette) {
    Object.assign(this, { width, height, palette, bytes: [], near: new Map() });
    const word = (v) => [v & 255, v >> 8];
    this.put("GIF89a", word(width), word(height), [0xf6, 0, 0]);
    for (let i = 0; i < 128; i++) this.put(palette[i] ?? [0, 0, 0]);
    this.put([0x21, 0xff, 11], "NETSCAPE2.0", [3, 1, 0, 0, 0]); // for ever
  }

  put(...parts) {
    for (const part of parts) {
      for (const v of part) this.bytes.push(typeof v === "string" ? v.charCodeAt(0) : v);
    }
  }

  // The place in the palette that is nearest to a pixel.
  index(r, g, b) {
    const key = (r << 16) | (g << 8) | b;
    let best = this.near.get(key);
    if (best !== undefined) return best;
    let least = Infinity;
    this.palette.forEach(([p, q, s], i) => {
      const far = (p - r) ** 2 + (q - g) ** 2 + (s - b) ** 2;
      if (far < least) [least, best] = [far, i];
    });
    this.near.set(key, best);
    return best;
  }

  // One picture, RGBA, that stays for `delay` hundredths of a second.
  add(data, delay) {
    const { width, height } = this, word = (v) => [v & 255, v >> 8];
    this.put([0x21, 0xf9, 4, 4], word(delay), [0, 0], [0x2c, 0, 0, 0, 0], word(width), word(height), [0, 7]);
    let held = 0, bits = 0, block = [];
    const flush = () => { if (block.length) this.put([block.length], block); block = []; };
    const emit = (code, size) => {
      held |= code << bits;
      bits += size;
      while (bits >= 8) {
        block.push(held & 255);
        if (block.length === 255) flush();
        held >>= 8;
        bits -= 8;
      }
    };
    const CLEAR = 128;
    let table = new Map(), next = CLEAR + 2, size = 8, prefix = -1;
    emit(CLEAR, size);
    for (let i = 0; i < width * height; i++) {
      const k = this.index(data[4 * i], data[4 * i + 1], data[4 * i + 2]);
      if (prefix < 0) { prefix = k; continue; }
      const key = (prefix << 7) | k, known = table.get(key);
      if (known !== undefined) { prefix = known; continue; }
      emit(prefix, size);
      if (next === 4096) {
        emit(CLEAR, size);
        [table, next, size] = [new Map(), CLEAR + 2, 8];
      } else {
        if (next === 1 << size) size += 1;
        table.set(key, next++);
      }
      prefix = k;
    }
    emit(prefix, size);
    emit(CLEAR + 1, size);
    if (bits) block.push(held & 255);
    flush();
    this.put([0]);
  }

  file() { return new Blob([Uint8Array.from([...this.bytes, 0x3b])], { type: "image/gif" }); }
}
