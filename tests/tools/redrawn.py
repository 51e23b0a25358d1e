"""How much of a page is drawn again: elements and attributes, which a busy machine does not change, unlike milliseconds."""

from __future__ import annotations

from playwright.sync_api import Page

COUNT = """async (act) => {
  const act_once = new Function("i", act);
  let least = Infinity;
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
    least = Math.min(least, changes);
  }
  watch.disconnect();
  return least;
}"""


def least(page: Page, act: str) -> int:
    """The fewest changes to elements and their attributes until the next frame, of twelve times this JavaScript.

    The fewest, since the page may do something else besides. The code may use `i`, the number of the time.
    """
    return page.evaluate(COUNT, act)
