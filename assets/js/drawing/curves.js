/* `tp.curves`: what a chart computes: the ticks and the range of an axis, and the path of a curve. Nothing here draws.
 *
 *   ticks(low, high, most)         round numbers for an axis         logTicks    the same for a logarithmic one
 *   extent(panel, spans)           the range of an axis              niceStep    the step between ticks
 *   curve(line, from, to, X, Y)    the path of a curve               dots        circles at its values
 *   indexOf(xs, n, x)              where an x stands
 *   apart(places, least, low, high)   labels moved so that none covers another
 */
(() => {
  "use strict";

  /** Round steps of about `most` ticks over a range: 1, 2 or 5 times a power of ten.
   *
   * @type {Curves["niceStep"]} */
  function niceStep(range, most) {
    const rough = range / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= rough * 0.999) ?? 10 * power;
  }

  /** @type {Curves["ticks"]} */
  function ticks(low, high, most) {
    if (!(high > low)) return [low];
    const step = niceStep(high - low, most);
    const out = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(i * step || 0);
    return out;
  }

  /** @type {Curves["logTicks"]} */
  function logTicks(low, high, most) {
    const decades = Math.log10(high / low);
    if (decades < 1) return ticks(low, high, most);
    const out = [];
    const factors = decades < 2 ? [1, 2, 5] : [1];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const factor of factors) {
        const value = factor * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) out.push(value);
      }
    }
    return out;
  }

  /** The first index whose x is at least `x`.
   *
   * @type {Curves["indexOf"]} */
  function indexOf(xs, n, x) {
    let low = 0;
    let high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The path of a curve between two indices: a point for each value, or two for each pixel column where there are
   * more values than columns. X is a straight line and Y rises or falls, so the extremes of a column are found among
   * the values, and only they are placed.
   *
   * @type {Curves["curve"]} */
  function curve(line, from, to, X, Y) {
    const { x, y } = line;
    const fine = to > from && to - from < X(x[to - 1]) - X(x[from]) ? 8 : 1; // columns for each pixel
    const shift = fine * X(0);
    const scale = fine * X(1) - shift;
    let out = "";
    let pen = "M";
    let column = NaN;
    let low = 0;
    let high = 0;
    let last = 0;
    const flush = () => {
      const [first, second] = last - low < high - last ? [high, low] : [low, high]; // ends near `last`
      const at = `${column / fine},`;
      const place = Y(first);
      if (Number.isFinite(place)) {
        out += pen + at + place.toFixed(1);
        pen = "L";
      } else pen = "M";
      const other = Y(second);
      if (first !== second && pen === "L" && Number.isFinite(other)) out += `L${at}${other.toFixed(1)}`;
    };
    for (let i = from; i < to; i++) {
      const value = y[i];
      const next = !Number.isNaN(value) ? Math.round(x[i] * scale + shift) : NaN;
      if (next !== column) {
        if (!Number.isNaN(column)) flush();
        if (Number.isNaN(value)) pen = "M";
        column = next;
        low = high = value;
      } else if (value < low) low = value;
      else if (value > high) high = value;
      last = value;
    }
    if (!Number.isNaN(column)) flush();
    return out;
  }

  /** @type {Curves["dots"]} */
  function dots(line, from, to, X, Y, most) {
    const every = Math.max(1, Math.ceil((to - from) / most));
    let out = "";
    for (let i = from; i < to; i++) {
      if ((to - 1 - i) % every) continue;
      const value = Y(line.y[i]);
      if (Number.isFinite(value))
        out += `M${(X(line.x[i]) - 3).toFixed(1)},${value.toFixed(1)}a3,3 0 1,0 6,0a3,3 0 1,0 -6,0`;
    }
    return out;
  }

  /** The lowest and highest value to fit, from the lines that ask for it; `keep` is the share of a spiky
   * line's values that decide.
   *
   * @type {Curves["extent"]} */
  function extent(panel, spans) {
    let low = Infinity;
    let high = -Infinity;
    panel.lines.forEach((line, k) => {
      if (!line.fit) return;
      const [from, to] = spans[k];
      let values = line.y;
      let [a, b] = [from, to];
      if (line.keep && to - from > 20) {
        const every = Math.max(1, Math.floor((to - from) / 2000));
        const some = [];
        for (let i = from; i < to; i += every) some.push(line.y[i]);
        some.sort((p, q) => p - q);
        values = some;
        [a, b] = [0, Math.ceil(some.length * line.keep)];
      }
      for (let i = a; i < b; i++) {
        const value = values[i];
        if (!Number.isFinite(value) || (panel.log && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    });
    if (low > high) [low, high] = panel.log ? [0.1, 1] : [0, 1];
    if (panel.range) return panel.range;
    if (panel.log) return low === high ? [low / 1.5, high * 1.5] : [low / 1.06, high * 1.06];
    if (panel.zero) low = Math.min(low, 0);
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    const step = niceStep(high - low + 2 * pad, 20);
    const floor = Math.floor((low - pad) / step) * step;
    return [panel.zero || (low >= 0 && floor < 0) ? 0 : floor, Math.ceil((high + pad) / step) * step];
  }

  /** The places moved as little as needed to be at least `least` apart and inside [low, high]; the order stays.
   * Labels that touch become one group, which stands where its members' wishes are on average (pool adjacent
   * violators). Where there is not room for all, they go beyond `high`.
   *
   * @type {Curves["apart"]} */
  function apart(places, least, low, high) {
    const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
    /** @type {{first: number, size: number, wish: number}[]} */
    const groups = []; // members first .. first + size - 1 of `order`; wish: where the first member would stand
    order.forEach((index, k) => {
      let group = { first: k, size: 1, wish: places[index] };
      for (;;) {
        const before = groups.at(-1);
        if (!before || before.wish + before.size * least <= group.wish) break;
        groups.pop();
        const size = before.size + group.size;
        const wish = (before.size * before.wish + group.size * (group.wish - before.size * least)) / size;
        group = { first: before.first, size, wish };
      }
      groups.push(group);
    });
    const moved = places.slice();
    let free = low;
    for (const { first, size, wish } of groups) {
      for (let k = 0; k < size; k++) {
        const place = Math.max(free, wish + k * least);
        moved[order[first + k]] = place;
        free = place + least;
      }
    }
    let room = Math.max(high, low + (places.length - 1) * least);
    for (const index of order.slice().reverse()) {
      moved[index] = Math.min(moved[index], room);
      room = moved[index] - least;
    }
    return moved;
  }

  window.tp.curves = { apart, curve, dots, extent, indexOf, logTicks, niceStep, ticks };
})();
