/* The page's state in the address: only what differs from what the page would show by itself. */
const address = tp.address("generate", () => {
  if (!text.run) return {};
  const usual = auto?.at === at && auto.settings === JSON.stringify(settings);
  return {
    ...settings,
    prompt: text.prompt === text.examples[0] ? null : text.prompt,
    step: text.step === text.steps.at(-1) ? null : text.step,
    path: usual ? null : written(at),
  };
});

/** What the address asks for. Numbers that make no sense are left to the server, which says so. */
function fromAddress() {
  const { prompt, step, path, ...asked } = address.read();
  return { settings: asked, step, prompt, path: path?.length ? path : null, ahead: path?.length === 0 ? 0 : null };
}
