"""Both languages of the page: the same words in each, nothing left in English, and room for all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from playground.app import TABS
from playground.page.views import HEAD, VIEWS, sources
from tests.browser.conftest import too_wide

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

READY = {
    "home": [".home[data-ready=true]"],
    "learn": [".learn[data-ready=true]"],
    "train": [".configure[data-answered]", ".transport[data-shown]", ".live[data-status=finished]"],
    "generate": [".generate[data-ready=true]:not([data-busy])"],
    "inside": [".inside[data-ready=true]"],
    "tokens": [".tokens[data-ready=true]", ".batches[data-ready=true]", ".embeddings[data-ready=true]"],
    "translate": [".translate[data-ready=true]"],
    "experts": [".experts[data-ready=true]", ".experts[data-counted]"],
    "optimizers": [".optimizers[data-ready=true]"],
}  # fmt: skip
"""What is there when a tab has all it shows, from the top down: much of it comes when it is first seen."""

PANELS = {
    "inside": [f'.inside [data-panel="{name}"]' for name in ("numbers", "zero", "lens")],
    "translate": [".translate details"],
    "train": [".configure details", ".live details"],
}
"""What folds, and has words in it that are drawn when it is opened."""

TERMS = [
    "FLOPs", "MaxVio", "top-k", "top-p", "min-p", "softmax", "begin", "dead", "expert", "en-US", "Esc", "Home",
    "exp", "logit", "Adam", "AdamW", "Muon", "Lion", "SGD", "RMS", "silu",
]  # fmt: skip
"""What stays in Latin letters: names, and terms that are written so in Chinese too."""

NOT_OURS = "footer, .visually-hidden, .overflow-menu"
"""What Gradio draws itself."""

WRITTEN = '[translate="no"], [lang]:not(html), code, pre, cite, textarea, .equation, script, style'
"""What users, models and papers wrote: it stays as it is."""

TABLES = r"""(terms) => {
  const problems = [];
  const chinese = /[\u4e00-\u9fff]/;
  /* The text in the literals of a function, without what is put into them. */
  const literals = (source) => {
    let text = source;
    for (let last = ""; text !== last; ) [last, text] = [text, text.replace(/\$\{[^{}`]*\}/g, " ")];
    return (text.match(/`[^`]*`|"[^"]*"/g) ?? []).join(" ");
  };
  const english = (text) => (text.match(/[A-Za-z][A-Za-z'-]+/g) ?? []).filter((word) => !terms.includes(word));
  const kind = (value) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
  const compare = (en, zh, path) => {
    if (kind(en) !== kind(zh)) return problems.push(`${path}: a ${kind(en)}, but in Chinese a ${kind(zh)}`);
    if (kind(en) === "function") {
      if (en.length !== zh.length) problems.push(`${path}: takes ${en.length}, but in Chinese ${zh.length}`);
      if (!chinese.test(String(zh)) && english(literals(String(zh))).length) problems.push(`${path}: no Chinese in ${zh}`);
    } else if (kind(en) === "string") {
      if (!chinese.test(zh) && english(zh).length) problems.push(`${path}: no Chinese in "${zh}"`);
    } else if (en !== null) {
      for (const key of new Set([...Object.keys(en), ...Object.keys(zh)])) {
        if (key === "other") continue; // what the switch says, it says in the other language
        if (key in en && key in zh) compare(en[key], zh[key], `${path}.${key}`);
        else problems.push(`${path}.${key}: only in ${key in en ? "English" : "Chinese"}`);
      }
    }
  };
  tp.tables.forEach(({ en, zh, ...others }, i) => {
    if (Object.keys(others).length) problems.push(`table ${i}: ${Object.keys(others)}`);
    compare(en, zh, `table ${i} ("${en.title ?? Object.keys(en)[0]}")`);
  });
  return problems;
}"""

SAID = r"""(skipped) => {
  const found = [];
  const take = (node, text) => {
    const name = node.id || node.getAttribute("class") || node.tagName;
    if (text?.trim() && !node.closest(skipped)) found.push([name, text.trim()]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (node?.checkVisibility() || node?.tagName === "OPTION") take(node, walker.currentNode.textContent);
  }
  for (const node of document.querySelectorAll("[title], [aria-label], [placeholder], [aria-valuetext]")) {
    if (!node.checkVisibility()) continue;
    for (const name of ["title", "aria-label", "placeholder", "aria-valuetext"]) take(node, node.getAttribute(name));
  }
  return found;
}"""

CHINESE = re.compile("[\u4e00-\u9fff]")
QUOTED = re.compile("“[^”]*”")
WORDS = re.compile(r"[A-Za-z][A-Za-z'’./_-]*(?:[,:;]? +[A-Za-z][A-Za-z'’./_-]*)*")


class Seen(NamedTuple):
    """What a visit found: all that is said, each with where, and what is too wide."""

    said: dict[str, str]
    wide: list[str]


def is_english(text: str) -> bool:
    """Are there two words in a row that are no terms? What somebody wrote stands in quotes."""
    for match in WORDS.finditer(QUOTED.sub("“”", text)):
        words = [word.rstrip(".") for word in re.split("[ ,:;]+", match[0])]
        if sum(len(word) > 1 and word not in TERMS for word in words) > 1:
            return True
    return False


def visit(page: Page) -> Seen:
    """See every tab to its end and open what folds; then the same on a phone."""
    said: dict[str, str] = {}
    wide: list[str] = []

    def look(where: str) -> None:
        wide.extend(f"{where}: {each}" for each in too_wide(page))
        skipped = f"{NOT_OURS}, {WRITTEN}"
        for node, text in page.evaluate(SAID, skipped):
            said.setdefault(text, f"{where}: {node}")

    for tab in READY:
        page.click(f"#tab-{tab}-button")
        for selector in READY[tab]:
            root = page.locator(f"{selector.split('[')[0]}[data-ready], {selector}").first
            root.evaluate("node => node.scrollIntoView({block: 'end'})")
            page.locator(selector).wait_for(state="attached")
        look(tab)
        for panel in PANELS.get(tab, []):
            for details in page.locator(panel).all():
                if details.is_visible() and details.get_attribute("open") is None:
                    details.locator("summary").first.click()
            page.wait_for_function("!document.querySelector('[aria-busy=true]')")
            look(f"{tab} {panel}")
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in READY:
        page.evaluate("id => document.getElementById(id).click()", f"tab-{tab}-button")
        page.locator(READY[tab][0]).wait_for()
        page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        wide.extend(f"{tab} on a phone: {each}" for each in too_wide(page))
    return Seen(said, wide)


def test_chinese(open_page: Open) -> None:
    """The tables of both languages match, the page in Chinese says nothing in English, and all of it fits."""
    assert set(READY) == set(TABS)
    page = open_page("?lang=zh")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    seen = visit(page)
    scripts = [HEAD, *(sources(name)[2] for name in VIEWS)]
    tables = sum(script.count("tp.words({\n") for script in scripts)
    assert page.evaluate("tp.tables.length") == tables
    assert page.evaluate(TABLES, TERMS) == []
    assert {text: where for text, where in seen.said.items() if is_english(text)} == {}
    assert seen.wide == []


def test_english(open_page: Open) -> None:
    """No Chinese in the English page but the names of what is Chinese, and all of it fits."""
    page = open_page("?lang=en")
    seen = visit(page)
    named = re.compile("中文|小故事")
    assert [text for text in seen.said if CHINESE.search(named.sub("", text))] == []
    assert seen.wide == []
