/* The colours of weights, and painting a head as pixels. */
/** The theme's colours by name, read once: asking the page for them is slow. @type {{ [name: string]: string }} */
const theme = {};
let shades = new Uint32Array(256); // colours as 32-bit numbers, little-endian, for canvases
/** The same for CSS. @type {string[]} */
let shadeTexts = [];
/** Ink that can be read on each. @type {string[]} */
let shadeInks = [];

/** Colour grows with the square root of the weight: small weights stay visible, and 0 is the page. */
function mixShades() {
  for (const name of ["page", "panel", "ink", "muted", "accent", "mono"]) theme[name] = tp.colour(`--tp-${name}`);
  const shadeRows = Array.from({ length: 256 }, (_, i) => tp.heat(sqrt(i / 255)));
  shadeTexts = shadeRows.map(css);
  shadeInks = shadeRows.map(inkOn);
  shades = new Uint32Array(shadeRows.map(([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0));
}

/** Paint one head into a canvas of T x T pixels; the future stays transparent.
 *
 * @param {HTMLCanvasElement} canvas @param {number} layer @param {number} head */
function paintMap(canvas, layer, head) {
  const { size, attention } = frame;
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(size, size);
  const pixels = new Uint32Array(image.data.buffer);
  let place = offset(layer, head);
  for (let query = 0; query < size; query++, place += size) {
    const row = query * size;
    for (let key = 0; key <= query; key++) pixels[row + key] = shades[attention[place + key]];
  }
  context.putImageData(image, 0, 0);
}

let themes = 0; // how many themes there have been: part of the name of what was drawn

function themed() {
  themes += 1;
  mixShades();
  showScale();
  page.gridNote.replaceChildren(
    note(document.body.classList.contains("dark") ? TEXT.allHeadsNoteDark : TEXT.allHeadsNote, TEXT.allHeadsTry),
  );
  if (!frame.run) return;
  showGrid(false);
  showHead(false);
  delete page.lens.body.dataset.key;
  refreshPanel();
}
