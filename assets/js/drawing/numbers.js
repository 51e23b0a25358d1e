/* Numbers for people: what more than one view writes in the same way.
 *
 *   number(12345)       "12.3k"                    percent(0.052)   "5.2%"
 *   duration(185)       "3 min 5 s"                size(295e6)      "295 MB"
 *   count(12345)        "12,345"                   fixed(-1.5)      "−1.50"; "–" for what is no number
 *   scientific(1.14e26) "1.14 × 10²⁶"; "162,755", "7.39", as a calculator shows it
 *   loss(3.14159)       "3.142", "12.3k"           rounded(0.123)   "12%": of a byte, which knows no more
 *   calm()              does the reader ask for less motion?
 */
(() => {
  "use strict";

  const TEXT = window.tp.words({
    en: {
      units: { s: "s", min: "min", h: "h", days: "days", years: "years" },
      one: { s: "s", min: "min", h: "h", days: "day", years: "year" },
    },
    zh: {
      units: { s: "秒", min: "分钟", h: "小时", days: "天", years: "年" },
      one: { s: "秒", min: "分钟", h: "小时", days: "天", years: "年" },
    },
  });

  /** @type {[limit: number, letter: string][]} */
  const LETTERS = [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];

  /** A short figure for people: 950, 12.3k, 4.56M; small ones with `digits` significant digits.
   *
   * @type {Tp["number"]} */
  function number(value, digits = 3) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    for (const [limit, letter] of LETTERS) {
      if (size >= limit * 0.9995) return Number((value / limit).toPrecision(digits)) + letter;
    }
    if (size !== 0 && size < 1e-3)
      return value
        .toExponential(digits - 1)
        .replace(/(\.\d*?)0*e-/, "$1e−")
        .replace(".e", "e");
    return String(Number(value.toPrecision(digits)));
  }

  /** A share from 0 to 1 for a person, as exact as it is near 0 or 1: "12%", "5.2%", "0.29%", "99.71%".
   *
   * None but 0 and 1 seems to be one of them. More than two `digits` are for an axis: "12.5%".
   *
   * @type {Tp["percent"]} */
  function percent(share, digits = 2) {
    if (!Number.isFinite(share)) return "–";
    const near = Math.min(share, 1 - share);
    if (near < 1e-6 && share > 0.5) return "100%"; // as sums of 32-bit floats come out
    if (near > 0 && near < 0.00005) return share < 0.5 ? "< 0.01%" : "> 99.99%";
    const decimals = (near >= 0.0995 ? 0 : near >= 0.00995 ? 1 : 2) + digits - 2;
    return `${Number((100 * share).toFixed(decimals))}%`;
  }

  /** @type {[seconds: number, unit: keyof typeof TEXT.units][]} */
  const UNITS = [
    [365 * 24 * 3600, "years"],
    [24 * 3600, "days"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];

  /** Seconds for a person: "5.7 s", "10 min 10 s", "3 days 4 h"; `rough`, as an estimate is: "49 s", "2.1 h",
   * "35 days".
   *
   * @type {Tp["duration"]} */
  function duration(seconds, { rough = false } = {}) {
    /** @type {(value: number | string, unit: keyof typeof TEXT.units) => string} */
    const said = (value, unit) => `${value} ${(Number(value) === 1 ? TEXT.one : TEXT.units)[unit]}`;
    if (!Number.isFinite(seconds)) return "–";
    if (seconds < 9.95 && !rough) return said(seconds.toFixed(1), "s");
    const whole = Math.max(1, Math.round(seconds));
    const found = UNITS.findIndex(([length]) => whole >= (rough ? 1.5 * length : length));
    const at = found < 0 ? UNITS.length - 1 : found;
    const [length, unit] = UNITS[at];
    if (rough) return said(number(whole / length, 2), unit);
    const [smaller, next] = UNITS[at + 1] ?? UNITS[at];
    const rest = Math.floor((whole % length) / smaller);
    return said(Math.floor(whole / length), unit) + (rest ? ` ${said(rest, next)}` : "");
  }

  /** @type {[limit: number, unit: string][]} */
  const BYTES = [
    [1e15, "PB"],
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ];

  /** Bytes for a person: "950 B", "295 MB".
   *
   * @type {Tp["size"]} */
  function size(bytes) {
    const [limit, unit] = BYTES.find(([each]) => bytes >= each * 0.9995) ?? [1, "B"];
    return `${Number((bytes / limit).toPrecision(3))} ${unit}`;
  }

  /** @param {number} value @returns {string} with commas between the thousands */
  const count = (value) => value.toLocaleString("en-US");

  /** With this number of decimals and a true minus sign; a value that rounds to zero has no sign.
   *
   * @param {number} value */
  function fixed(value, digits = 2) {
    if (!Number.isFinite(value)) return "–";
    const text = Math.abs(value).toFixed(digits);
    return value < 0 && Number(text) ? `−${text}` : text;
  }

  /** @param {number} power @returns {string} as a superscript */
  const raised = (power) => [...String(power)].map((char) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(char)] ?? "⁻").join("");

  /** With three significant digits, or as a whole number, and beyond a million or a thousandth by a power of ten.
   *
   * @param {number} value */
  function scientific(value) {
    if (value === Infinity) return "∞";
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size === 0 || (size >= 1e-3 && size < 1e6))
      return size < 1000 ? String(Number(value.toPrecision(3))).replace("-", "−") : count(Math.round(value));
    const [digits, power] = value.toExponential(2).split("e");
    return `${Number(digits)} × 10${raised(Number(power))}`.replace("-", "−");
  }

  /** A loss in nats: three decimals, or short when it has run away.
   *
   * @param {number} value */
  const loss = (value) => (Math.abs(value) >= 1000 ? number(value) : fixed(value, 3));

  /** A share that was stored in a byte: whole percent, and only zero is zero.
   *
   * @param {number} share */
  const rounded = (share) => (share >= 0.005 ? `${Math.round(share * 100)}%` : share > 0 ? "< 1%" : "0%");

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  Object.assign(window.tp, { number, percent, duration, size, count, fixed, scientific, loss, rounded, calm });
})();
