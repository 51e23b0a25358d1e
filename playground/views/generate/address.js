/* The page's state in the address. */
const MOST_SAVED = 256; // tokens of a path that a link may hold

/** Only what differs from what the page would show by itself. */
function save() {
  if (!text) return;
  const unless = (value, usual) => (value === usual ? null : value);
  const usual = auto?.at === at && auto.settings === JSON.stringify(settings);
  const path = written(at).slice(0, MOST_SAVED);
  tp.url.set({
    prompt: unless(text.prompt, text.examples[0]),
    gen_step: unless(text.step, text.steps.at(-1)),
    gen_path: usual ? null : path.join(".") || "none",
    ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [`gen_${name}`, unless(settings[name], DEFAULTS[name])])),
  });
}

/** What the address asks for. Numbers that make no sense are left to the server, which says so. */
function fromAddress() {
  const number = (name) => {
    const value = tp.url.get(name);
    return value !== null && value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : null;
  };
  const asked = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, number(`gen_${name}`) ?? DEFAULTS[name]]));
  const path = tp.url.get("gen_path");
  const ids = path && /^\d+(\.\d+)*$/.test(path) ? path.split(".").map(Number) : null;
  return { settings: asked, step: number("gen_step"), prompt: tp.url.get("prompt"), path: ids, ahead: path === "none" ? 0 : null };
}
