"""How much of a page is drawn again: elements and attributes, which a busy machine does not change, unlike milliseconds."""

from __future__ import annotations

from playwright.sync_api import Page

COUNT = """async (act) => {
  const act_once = new Function("i", act);
  let most = 0;
  let changes = 0;
  const watch = new MutationObserver((found) => {
    for (const { addedNodes, removedNodes } of found) changes += Math.max(1, addedNodes.length + removedNodes.length);
  });
  watch.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  for (let i = 0; i < 12; i++) {
    changes = 0;
    act_once(i);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    for (const { addedNodes, removedNodes } of watch.takeRecords())
      changes += Math.max(1, addedNodes.length + removedNodes.length);
    most = Math.max(most, changes);
  }
  watch.disconnect();
  return most;
}"""


def most(page: Page, act: str) -> int:
    """The most changes to elements and their attributes until the next frame, of twelve times this JavaScript.

    It may use `i`, the number of the time.
    """
    return page.evaluate(COUNT, act)
