/* Sixteen colours for experts, apart in hue or lightness, and visible on a light and a dark page; with more
 * experts they come again, so the expert's number always stands beside the colour. */
const PALETTE = [
  "#e0483e",
  "#3a8fd9",
  "#3aa655",
  "#f2b600",
  "#8e4ec6",
  "#17b3b8",
  "#f07b1d",
  "#e35fb0",
  "#9acb2f",
  "#4056c8",
  "#a8643c",
  "#f59aa5",
  "#2f7d6d",
  "#b79cf2",
  "#8a8f1f",
  "#8c8f98",
];

const hex = (/** @type {string} */ colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
const INKS = PALETTE.map((colour) => inkOn(hex(colour)));
const expertColour = (/** @type {number} */ expert) => PALETTE[expert % PALETTE.length];
const expertInk = (/** @type {number} */ expert) => INKS[expert % PALETTE.length];

/** How strongly a load is coloured: 0 for none, 1 for four times the fair share, or all where that is less. */
const MAX_TIMES = 4;
const timesOf = (/** @type {number} */ experts) => Math.min(experts, MAX_TIMES);
/** @param {number} share @param {number} experts */
const strength = (share, experts) => Math.sqrt(Math.min(1, (share * experts) / timesOf(experts)));

let shades = new Uint32Array(256); // colours as 32-bit numbers, little-endian, for canvases
function mixShades() {
  shades = Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = tp.heat(i / 255);
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/** A canvas to save, twice as fine, with `draw(context)` on the page's own background.
 *
 * @param {number} width @param {number} height @param {(context: CanvasRenderingContext2D) => void} draw */
function pictureOf(width, height, draw) {
  const canvas = el("canvas", { width: 2 * width, height: 2 * height });
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.scale(2, 2);
  context.fillStyle = tp.colour("--tp-page");
  context.fillRect(0, 0, width, height);
  context.fillStyle = tp.colour("--tp-ink");
  context.imageSmoothingEnabled = false;
  context.textBaseline = "middle";
  context.font = `12px ${tp.colour("--tp-sans")}`;
  draw(context);
  return canvas;
}

const chip = (/** @type {number} */ expert, text = String(expert + 1)) => {
  const node = el("span", { class: "chip", text });
  node.style.background = expertColour(expert);
  node.style.color = expertInk(expert);
  return node;
};
