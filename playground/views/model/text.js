/* Every word that the picture shows, beside those that come with the parts (model_spec.py). */
const TEXT = {
  shape: "shape",
  parameters: "parameters",
  block: (n, of) => `Block ${n} of ${of}`,
  slab: (n) => `Block ${n}`,
  slabs: (first, last) => `Blocks ${first} to ${last}`,
  blockAbout: "All blocks are built alike, one after the other; each learns weights of its own.",
  slabAbout: "Built like the open block, with weights of its own. Press to open this one instead.",
  stream: "residual stream",
  tied: "tied",
  heads: (heads, shared) =>
    heads === shared ? `${heads} head${heads > 1 ? "s" : ""}` : `${heads} heads, ${shared} k/v`,
  lines: ["Queries", "Keys", "Values"],
  total: (count) => `${count} parameters`,
  keys: "Arrow keys move between the parts; Enter opens a block.",
  file: "model",
  csv: ["part", "tensor", "shape", "parameters"],
};
