/* Colours of the theme, and colours that stand for a number.
 *
 *   colour("--tp-accent")  a theme colour's current value     onTheme(callback)   dark and light have changed
 *   heat(0.5)              0..1 -> [r, g, b]                  diverge(-0.5)       -1..1 -> [r, g, b]
 *   css([r, g, b])         a colour for a style               inkOn([r, g, b])    black or white, to be read on it
 */
(() => {
  "use strict";

  const dark = () => document.body.classList.contains("dark");

  /** The current value of a CSS variable of the theme, such as colour("--tp-accent").
   *
   * @type {Tp["colour"]} */
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  const themeWatchers = new Set();

  /** Call back whenever the page turns dark or light. Returns a function that ends it.
   *
   * @type {Tp["onTheme"]} */
  function onTheme(callback) {
    themeWatchers.add(callback);
    return () => themeWatchers.delete(callback);
  }

  function watchTheme() {
    let was = dark();
    new MutationObserver(() => {
      if (dark() === was) return;
      was = dark();
      themeWatchers.forEach((callback) => callback());
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }
  if (document.body) watchTheme();
  else document.addEventListener("DOMContentLoaded", watchTheme);

  /** OKLCH (Ottosson 2020, "A perceptual color space for image processing") to 8-bit sRGB.
   *
   * @type {(lightness: number, chroma: number, hue: number) => Rgb} */
  function oklch(lightness, chroma, hue) {
    const a = chroma * Math.cos((hue * Math.PI) / 180);
    const b = chroma * Math.sin((hue * Math.PI) / 180);
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    const gamma = (/** @type {number} */ x) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);
    const linear = [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ];
    return /** @type {Rgb} */ (linear.map((x) => Math.round(255 * Math.min(1, Math.max(0, gamma(Math.max(0, x)))))));
  }

  /** 256 colours through some [lightness, chroma, hue] stops, evenly spaced.
   *
   * @param {[lightness: number, chroma: number, hue: number][]} stops */
  function ramp(stops) {
    return Array.from({ length: 256 }, (_, i) => {
      const place = (i / 255) * (stops.length - 1);
      const left = Math.min(Math.floor(place), stops.length - 2);
      const mix = place - left;
      const [lightness, chroma, hue] = stops[left].map((value, k) => value + mix * (stops[left + 1][k] - value));
      return oklch(lightness, chroma, hue);
    });
  }

  /* Lightness falls (light page) or rises (dark page) in a straight line, so equal steps of the value look
   * like equal steps, also in grey; zero is almost the page itself. */
  const SCALES = {
    heat: {
      light: ramp([
        [0.975, 0.006, 250],
        [0.8, 0.085, 240],
        [0.625, 0.14, 252],
        [0.45, 0.17, 265],
        [0.275, 0.11, 280],
      ]),
      dark: ramp([
        [0.24, 0.012, 270],
        [0.41, 0.11, 275],
        [0.58, 0.15, 258],
        [0.75, 0.12, 230],
        [0.95, 0.05, 190],
      ]),
    },
    diverge: {
      light: ramp([
        [0.42, 0.13, 35],
        [0.7, 0.13, 50],
        [0.965, 0.004, 260],
        [0.7, 0.12, 240],
        [0.4, 0.14, 262],
      ]),
      dark: ramp([
        [0.88, 0.09, 75],
        [0.58, 0.14, 45],
        [0.25, 0.01, 270],
        [0.55, 0.14, 255],
        [0.88, 0.08, 225],
      ]),
    },
  };
  /** @type {(scale: {light: Rgb[], dark: Rgb[]}, place: number) => Rgb} */
  const pick = (scale, place) =>
    scale[dark() ? "dark" : "light"][Math.round(255 * Math.min(1, Math.max(0, place || 0)))];

  /** A sequential colour for 0..1 as [r, g, b]: even to the eye, for the current theme.
   *
   * @type {Tp["heat"]} */
  const heat = (value) => pick(SCALES.heat, value);

  /** A diverging colour for -1..1 as [r, g, b]: orange below zero, blue above.
   *
   * @type {Tp["diverge"]} */
  const diverge = (value) => pick(SCALES.diverge, (value + 1) / 2);

  /** @param {number[]} rgb  from 0 to 255 */
  const css = ([r, g, b]) => `rgb(${r},${g},${b})`;

  /** Black or white, whichever stands out more: by at least 4.58 to 1 on any colour (WCAG 2, relative luminance).
   *
   * @param {number[]} rgb  from 0 to 255 */
  function inkOn(rgb) {
    const [r, g, b] = rgb.map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
  }

  Object.assign(window.tp, { colour, onTheme, heat, diverge, css, inkOn });
})();
