/* `tp.saveBar`: the buttons under a figure that save it as PNG, SVG or CSV.
 *
 *   saveBar({figure, rows, name})   the bar; each is a function, asked when a button is pressed
 *   fetchFile(address, filename)    let the browser save what an address leads to
 *   saveText(filename, text, type)  save a text as a file
 */
(() => {
  "use strict";

  const { colour, el, say } = window.tp;

  const TEXT = window.tp.words({
    en: {
      save: "Save this figure as",
      csvTitle: "Save the figure's data as CSV",
      pngTitle: "Save the figure as a PNG image",
      svgTitle: "Save the figure as an SVG drawing",
      saved: (/** @type {string} */ name) => `Saved ${name}`,
    },
    zh: {
      save: "将此图保存为",
      csvTitle: "将图中数据保存为 CSV",
      pngTitle: "将图保存为 PNG 图片",
      svgTitle: "将图保存为 SVG 矢量图",
      saved: (/** @type {string} */ name) => `已保存 ${name}`,
    },
  });

  const SVG = "http://www.w3.org/2000/svg";

  /** @type {Tp["fetchFile"]} */
  function fetchFile(address, filename) {
    const link = el("a", { href: address, download: filename });
    document.body.append(link);
    link.click();
    link.remove();
  }

  /** @type {(blob: Blob | null, filename: string) => void} */
  function download(blob, filename) {
    if (!blob) return; // of a canvas larger than the browser can save
    const address = URL.createObjectURL(blob);
    fetchFile(address, filename);
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    say(TEXT.saved(filename));
  }

  /** Write rows (arrays of values; the first is the heading) to a CSV file.
   *
   * @type {(filename: string, rows: Row[]) => void} */
  function csv(filename, rows) {
    const cell = (/** @type {Cell} */ value) => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const text = `${rows.map((row) => Array.from(row, cell).join(",")).join("\r\n")}\r\n`;
    download(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }), filename);
  }

  const STYLES = (
    "fill fill-opacity stroke stroke-width stroke-opacity stroke-dasharray stroke-linecap stroke-linejoin " +
    "opacity font-family font-size font-weight font-style font-variant-numeric letter-spacing " +
    "text-anchor dominant-baseline visibility paint-order transform"
  ).split(" ");

  /** Mixed colours are computed as color(srgb r g b), which drawing programs do not know.
   *
   * @param {string} value */
  const plainColour = (value) =>
    value.replace(/color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.e-]+))?\)/g, (_, r, g, b, alpha) => {
      const channels = [r, g, b].map((x) => Math.round(255 * x)).join(", ");
      return alpha === undefined ? `rgb(${channels})` : `rgba(${channels}, ${alpha})`;
    });

  const MARGIN = 16; // around a saved drawing

  /** A copy of a drawing that looks the same outside the page: computed styles become its own.
   *
   * @param {SVGSVGElement} svg */
  function standalone(svg) {
    const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
    const from = [svg, ...svg.querySelectorAll("*")];
    const to = [copy, .../** @type {NodeListOf<SVGElement>} */ (copy.querySelectorAll("*"))];
    from.forEach((source, i) => {
      const style = getComputedStyle(source);
      if (style.display === "none") {
        to[i].setAttribute("display", "none");
        return;
      }
      for (const name of STYLES) to[i].style.setProperty(name, plainColour(style.getPropertyValue(name)));
    });
    const box = svg.getBoundingClientRect();
    const [width, height] = [Math.ceil(box.width) + 2 * MARGIN, Math.ceil(box.height) + 2 * MARGIN];
    const shape = { xmlns: SVG, width, height, viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}` };
    for (const [name, value] of Object.entries(shape)) copy.setAttribute(name, String(value));
    copy.style.overflow = "visible";
    const page = { x: -MARGIN, y: -MARGIN, width, height, fill: colour("--tp-page") || "#fff" };
    copy.insertBefore(el("rect", page), copy.firstChild);
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  }

  /** @type {(source: string) => Promise<HTMLImageElement>} */
  function loadImage(source) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("the drawing could not be read"));
      image.src = source;
    });
  }

  /** Save an <svg>, a <canvas>, or an element that holds exactly one of them, as "png" or "svg".
   *
   * @type {(target: Element, filename: string, format: "png" | "svg") => Promise<void>} */
  async function save(target, filename, format) {
    /** @type {any} */
    const figure = /^(svg|canvas)$/i.test(target.tagName) ? target : target.querySelector("svg, canvas");
    const name = `${filename.replace(/\.(png|svg)$/, "")}.${format}`;
    if (figure instanceof HTMLCanvasElement) {
      if (format === "png") return figure.toBlob((blob) => download(blob, name));
      const { width, height } = figure;
      const text =
        `<svg xmlns="${SVG}" width="${width}" height="${height}">` +
        `<image width="${width}" height="${height}" href="${figure.toDataURL()}"/></svg>`;
      return download(new Blob([text], { type: "image/svg+xml" }), name);
    }
    const { text, width, height } = standalone(figure);
    const drawing = new Blob([text], { type: "image/svg+xml;charset=utf-8" });
    if (format === "svg") return download(drawing, name);
    const scale = 2;
    const source = URL.createObjectURL(drawing);
    try {
      const image = await loadImage(source);
      const canvas = el("canvas", { width: Math.ceil(width * scale), height: Math.ceil(height * scale) });
      canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => download(blob, name));
    } finally {
      URL.revokeObjectURL(source);
    }
  }

  /** The three quiet buttons under a figure. `figure` gives the element, `rows` the data, `name` the file's
   * name without its ending; each is a function, asked when a button is pressed.
   *
   * @type {Tp["saveBar"]} */
  function saveBar({ figure, rows, name }) {
    /** @type {(format: string, title: string, action: () => unknown) => HTMLElement} */
    const button = (format, title, action) =>
      window.tp.button(format.toUpperCase(), { class: "tp-save-button", title, "aria-label": title }, action);
    return el("div", { class: "tp-save", role: "group", "aria-label": TEXT.save }, [
      figure && button("png", TEXT.pngTitle, () => save(figure(), name(), "png")),
      figure && button("svg", TEXT.svgTitle, () => save(figure(), name(), "svg")),
      rows && button("csv", TEXT.csvTitle, () => csv(`${name()}.csv`, rows())),
    ]);
  }

  /** @type {Tp["saveText"]} */
  const saveText = (filename, text, type) => download(new Blob([text], { type: `${type};charset=utf-8` }), filename);

  Object.assign(window.tp, { fetchFile, saveBar, saveText });
})();
