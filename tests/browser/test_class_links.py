"""Every link for a class that the tab Learn makes opens a page on which it can be done what it is for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from engine.presets import PRESETS
from playground import i18n
from playground.app import TABS
from playground.tabs.learn import lessons
from tests.browser.conftest import Watched, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

SCREENS = [(1440, "en"), (390, "zh")]

LINKS = """only => {
  const what = document.querySelector("#teach-what");
  document.querySelector("#teach-only").checked = only;
  return Object.fromEntries([...what.options].map(({ value }) => {
    what.value = value;
    what.dispatchEvent(new Event("change"));
    return [value, document.querySelector("#teach-link").value];
  }));
}"""
"""All links, by what they open."""

FORM = """names => names.map((name) => {
  const preset = document.querySelector("#preset");
  preset.value = name;
  preset.dispatchEvent(new Event("change"));
  const seen = (query) => document.querySelector(query).checkVisibility();
  return {
    named: seen("#preset-name") && document.querySelector("#preset-name").textContent,
    start: seen("#start"),
    controls: ["#preset", ".cards", "#all-settings", "#field-d_model", "#group-optimizer", ".changed-line"].filter(seen),
  };
})"""
"""How the form stands with each of some presets."""


def links(page: Page, only: bool) -> dict[str, str]:
    page.wait_for_selector(".learn[data-ready=true]")
    return page.evaluate(LINKS, only)


@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_there_is_a_link_to_everything(open_page: Open, language: str) -> None:
    page = open_page(f"?tab=learn&lang={language}")
    wanted = {f"lesson {name}" for name in lessons.names()}
    wanted |= {f"preset {name}" for name in PRESETS} | {f"tab tab-{name}-button" for name in TABS}
    for only in (False, True):
        made = links(page, only)
        assert set(made) == wanted
        for what, link in made.items():
            kind, name = what.split()
            query = {key: value for key, (value,) in parse_qs(urlsplit(link).query).items()}
            opens = {
                "lesson": {"tab": "learn", "read": name},
                "preset": {"tab": "train", "preset": name},
                "tab": {"tab": name.removeprefix("tab-").removesuffix("-button")},
            }[kind]
            assert query == opens | {"lang": language} | ({"only": "1"} if only else {})


@pytest.mark.case("B1")
@pytest.mark.parametrize(("width", "language"), SCREENS)
def test_a_lesson_alone_can_be_done(open_page: Open, width: int, language: str) -> None:
    """The lesson and nothing else; beside an experiment the tabs that the lesson needs, and the way back to it."""
    found = lessons.lesson("experts", language)
    page = open_page(f"?tab=learn&read=experts&only=1&lang={language}", width=width)
    page.wait_for_selector(".reading[data-lesson=experts][data-ready=true]")
    expect(page.locator(".tab-wrapper")).to_be_hidden()
    expect(page.locator(".reading .back, #reading-next")).to_have_count(0)
    assert too_wide(page) == []
    tabs = {parse_qs(step.open)["tab"][0] for step in found.steps if step.open} | {"learn"}
    number = next(n for n, step in enumerate(found.steps) if step.open)
    page.locator(f"[data-go='{number}']").click()
    page.wait_for_selector(f".coach[data-at='{number + 1}']")
    for tab in TABS:
        expect(page.locator(f"#tab-{tab}-button")).to_be_visible(visible=tab in tabs)
    page.locator("#tab-learn-button").click()
    expect(page.locator(".reading")).to_be_visible()
    expect(page.locator(".coach")).to_be_hidden()


@pytest.mark.case("B1")
@pytest.mark.parametrize(("width", "language"), SCREENS)
def test_a_lesson_alone_leads_to_a_start(open_page: Open, width: int, language: str) -> None:
    """The controls that configure are hidden, and not the one that starts what the lesson has configured."""
    number = next(n for n, s in enumerate(lessons.lesson("attention", "en").steps, 1) if s.measure)
    page = open_page(f"?lesson=attention&at={number}&only=1&lang={language}", width=width)
    page.locator(f"[data-go='{number - 1}']").click()
    page.wait_for_selector(".coach[data-pointed='#start']")
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#start")).to_be_in_viewport()
    expect(page.locator("#run-name")).to_contain_text({"en": "1 block", "zh": "块数 1"}[language])
    expect(page.locator("#preset")).to_be_hidden()


@pytest.mark.case("B2")
@pytest.mark.parametrize(("width", "language"), SCREENS)
def test_every_preset_alone_can_be_started(
    open_page: Open, shoot: Shoot, width: int, language: str
) -> None:
    """The link's page has a Start, in sight, with the preset's name, and shows no run of another task."""
    page = open_page(f"?tab=train&preset=copy&only=1&lang={language}", width=width)
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#start")).to_be_in_viewport(ratio=1)
    page.wait_for_selector(".live[data-status=none]")
    expect(page.locator(".live .name")).to_be_empty()
    expect(page.locator(".live > .message")).to_be_visible()  # an invitation, and no empty charts
    for part in page.locator(".live > :not(.message)").all():
        expect(part).to_be_hidden()
    assert too_wide(page) == []
    shoot(page, f"only-preset-{width}-{language}")
    i18n.use(language)
    wanted = [i18n.translate(PRESETS[name].title) for name in PRESETS]
    i18n.use("en")
    stands = page.evaluate(FORM, list(PRESETS))
    assert [each["named"] for each in stands] == wanted
    assert all(each["start"] and not each["controls"] for each in stands)


KEPT = """() => {
  const kept = JSON.parse(localStorage.getItem("transformer-playground") ?? "{}");
  return kept.runs?.length ? kept : null;
}"""


@pytest.mark.case("B2")
def test_a_preset_alone_shows_its_own_run(open_page: Open) -> None:
    """What was started there is seen, also after a reload; another preset's link begins without it."""
    page = open_page("?tab=train&preset=copy&only=1&lang=en")
    page.locator("#start:enabled").click()
    kept = page.wait_for_function(KEPT).json_value()
    assert kept["shown"] == kept["runs"][0]  # as soon as it is this browser's, not a moment later
    live = Watched(".live")
    live.until(page, "d.status === 'running' && Number(d.step) > 0")
    expect(page.locator(".live .stats")).to_be_visible()
    expect(page.locator(".live .name")).to_have_text("Copy")
    page.locator("#stop").click()
    live.until(page, "d.status === 'stopped'")
    page.reload()
    live.until(page, "d.status === 'stopped'")
    page.goto(page.url.replace("preset=copy", "preset=induction"))
    live.until(page, "d.status === 'none'")
    expect(page.locator("#preset-name")).to_have_text("Induction")


@pytest.mark.parametrize(
    ("name", "language"), [(name, "en" if i % 2 else "zh") for i, name in enumerate(TABS)]
)
def test_a_tab_alone_is_shown(open_page: Open, name: str, language: str) -> None:
    """On a wide screen, and on one that has been made as narrow as a phone."""
    page = open_page(f"?tab={name}&only=1&lang={language}")
    view = {"train": ".live[data-status=finished]"}.get(name, f".{name}[data-ready=true]")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator(view)).to_be_visible()
        expect(page.locator(".tab-wrapper")).to_be_hidden()
        assert too_wide(page) == []
