/* The page's state in the address: only what differs from what the page would show by itself. */
const address = tp.address("generate", () => {
  if (!text.run || (linked && pristine)) return {};
  const usual = auto?.at === at && auto.settings === JSON.stringify(settings);
  return {
    ...settings,
    prompt: text.prompt === text.examples[0] ? null : text.prompt,
    step: text.step === text.steps.at(-1) ? null : text.step,
    path: usual ? null : written(at),
  };
});

/** What a link asked for, until its run is on the page. @type {{ [name: string]: string } | null} */
let linked = null;

/** What the address asks for, or a link. Numbers that make no sense are left to the server, which says so.
 *
 * @param {{ [name: string]: string }} [link] */
function asked(link) {
  const { prompt, step, path, ...settings } = address.read(link);
  return { settings, step, prompt, path: path?.length ? path : null, ahead: path?.length === 0 ? 0 : null };
}
