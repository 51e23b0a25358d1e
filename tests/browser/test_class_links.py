"""Every link for a class that the tab Learn makes opens a page on which it can be done what it is for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from engine.presets import PRESETS
from playground import i18n, lessons
from playground.app import TABS
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
    controls: ["#preset", "#field-d_model", "#group-optimiser", ".changed-line"].filter(seen),
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
                "lesson": {"lesson": name, "at": "1"},
                "preset": {"tab": "train", "preset": name},
                "tab": {"tab": name.removeprefix("tab-").removesuffix("-button")},
            }[kind]
            assert query == opens | {"lang": language} | ({"only": "1"} if only else {})


@pytest.mark.case("B1")
@pytest.mark.parametrize(("width", "language"), SCREENS)
@pytest.mark.parametrize("name", lessons.names())
def test_a_lesson_alone_can_be_walked(
    open_page: Open, name: str, width: int, language: str
) -> None:
    """Every step of it: where to go on, to be shown the place, and to turn between the tabs that it needs."""
    page = open_page(f"?lesson={name}&at=1&only=1&lang={language}", width=width)
    found = lessons.lesson(name, language)
    tabs = {parse_qs(step.open)["tab"][0] for step in found.steps if step.open}
    for number, step in enumerate(found.steps, start=1):
        page.wait_for_selector(f".coach[data-at='{number}']")
        expect(page.locator("#coach-show")).to_have_count(1 if step.open or step.point else 0)
        for button in page.locator(".coach footer button").all():
            expect(button).to_be_in_viewport(ratio=1)
        for tab in TABS:
            expect(page.locator(f"#tab-{tab}-button")).to_be_visible(visible=tab in tabs)
        assert too_wide(page) == []
        page.locator("#coach-next, #coach-skip").click()
    expect(page.locator(".coach")).to_be_hidden()


@pytest.mark.case("B1")
@pytest.mark.parametrize(("width", "language"), SCREENS)
def test_a_lesson_alone_leads_to_a_start(open_page: Open, width: int, language: str) -> None:
    """The controls that configure are hidden, and not the one that starts what the lesson has configured."""
    number = next(n for n, s in enumerate(lessons.lesson("attention", "en").steps, 1) if s.measure)
    page = open_page(f"?lesson=attention&at={number}&only=1&lang={language}", width=width)
    page.locator("#coach-show").click()
    page.wait_for_selector(".coach[data-pointed='#start']")
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#start")).to_be_in_viewport()
    expect(page.locator("#run-name")).to_contain_text("n_layer 1")
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
    assert too_wide(page) == []
    shoot(page, f"only-preset-{width}-{language}")
    i18n.use(language)
    wanted = [i18n.translate(PRESETS[name].title) for name in PRESETS]
    i18n.use("en")
    stands = page.evaluate(FORM, list(PRESETS))
    assert [each["named"] for each in stands] == wanted
    assert all(each["start"] and not each["controls"] for each in stands)


@pytest.mark.case("B2")
def test_a_preset_alone_shows_its_own_run(open_page: Open) -> None:
    """What was started there is seen, also after a reload; another preset's link begins without it."""
    page = open_page("?tab=train&preset=copy&only=1&lang=en")
    page.locator("#start:enabled").click()
    live = Watched(".live")
    live.until(page, "d.status === 'running' && Number(d.step) > 0")
    expect(page.locator(".live .name")).to_have_text("copy")
    page.locator("#stop").click()
    live.until(page, "d.status === 'stopped'")
    page.reload()
    live.until(page, "d.status === 'stopped'")
    page.goto(page.url.replace("preset=copy", "preset=induction"))
    live.until(page, "d.status === 'none'")
    expect(page.locator("#preset-name")).to_have_text("Induction")


@pytest.mark.parametrize(("width", "language"), SCREENS)
@pytest.mark.parametrize("name", TABS)
def test_a_tab_alone_is_shown(open_page: Open, name: str, width: int, language: str) -> None:
    page = open_page(f"?tab={name}&only=1&lang={language}", width=width)
    view = {"train": ".live[data-status=finished]"}.get(name, f".{name}[data-ready=true]")
    expect(page.locator(view)).to_be_visible()
    expect(page.locator(".tab-wrapper")).to_be_hidden()
    assert too_wide(page) == []
