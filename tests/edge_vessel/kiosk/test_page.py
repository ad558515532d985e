"""The page in a browser, before the service itself."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from needs import unavailable
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from running_kiosks import ANNA, BORIS, SAMPLES, SLOW_S, Kiosk

from edge_vessel.biometrics import quality
from edge_vessel.kiosk.presentation import Suspicion
from edge_vessel.kiosk.results import Status
from edge_vessel.kiosk.tokens import Tokens

CHROMIUM = Path("/usr/bin/chromium")
WIDE, PHONE = (1024, 600), (360, 740)
SLOW_MS = 1000 * SLOW_S
_BOXES = """all => all.filter(one => one.checkVisibility()).map(one =>
    [one.textContent, one.getBoundingClientRect().width, one.getBoundingClientRect().height])"""


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    kiosk = Kiosk(tmp_path_factory.mktemp("kiosk"))
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving():
        yield kiosk


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        unavailable(f"no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=SLOW_MS
        )
        expect.set_options(timeout=SLOW_MS)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What the page wrote into the console, or asked of others."""
    return []


@pytest.fixture
def new_page(browser: Browser, kiosk: Kiosk, faults: list[str]) -> Iterator[Callable[..., Page]]:
    """Makes a page, signed in with a token, of which no request may leave the device."""
    pages: list[Page] = []

    def watch(request: Request, url: str) -> None:
        if not request.url.startswith(f"{url}/"):
            faults.append(f"asks {request.url}")

    def make(token: str | None, size: tuple[int, int] = WIDE, url: str = "", **more: Any) -> Page:
        width, height = size
        url = url or kiosk.url
        page = browser.new_page(viewport={"width": width, "height": height}, **more)
        pages.append(page)
        page.set_default_timeout(SLOW_MS)
        page.on("request", lambda request: watch(request, url))
        page.on("console", lambda said: faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{url}/" + (f"#token={token}" if token else ""))
        return page

    yield make
    for page in pages:
        page.close()
    assert faults == []


def ask(page: Page, operation: str, subject: str) -> None:
    page.locator(f"[data-go={operation}]").click()
    page.get_by_label("Subject id").fill(subject)
    page.locator("#start").click()


def outcome(page: Page) -> str:
    """Of the capture that runs."""
    page.locator("[data-view=result]:visible").wait_for()
    return page.locator("[data-view=result]").get_attribute("data-outcome") or ""


def test_from_enrolment_to_deletion(kiosk: Kiosk, new_page: Callable[..., Page]) -> None:
    page = new_page(kiosk.operator)
    assert page.url == f"{kiosk.url}/", "the token does not stay in the address"
    kiosk.show(SAMPLES / ANNA)
    ask(page, "enrol", "anna")
    expect(page.locator("#picture")).not_to_have_attribute("data-frames", "0")
    expect(page.locator(".steps .taken").first).to_be_visible()
    assert outcome(page) == "enrolled"
    page.get_by_role("button", name="Done").click()

    ask(page, "verify", "anna")
    assert outcome(page) == "match"
    expect(page.get_by_role("heading", name="Match")).to_be_focused()
    expect(page.locator("#result-text")).to_have_text("This is anna.")

    page.locator("[data-go=identify]").click()
    page.locator("#start").click()
    assert outcome(page) == "match"
    expect(page.locator("#result-text")).to_have_text("This is anna.")

    kiosk.fail("anna", times=4)
    kiosk.show(SAMPLES / BORIS)
    ask(page, "verify", "anna")
    assert outcome(page) == "no_match"
    expect(page.locator("#result-shape use")).to_have_attribute("href", "#shape-cross")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#result-wait")).to_have_text(re.compile(r"Next attempt in 0:\d\d"))
    assert outcome(page) == "locked"
    expect(page.get_by_role("button", name="Try again")).to_be_disabled()

    page.locator("[data-go=subjects]").click()
    for choice, left in (("Keep", 1), ("Delete", 0)):
        page.get_by_role("button", name="Delete anna").click()
        page.get_by_role("dialog", name="Delete anna?").get_by_role("button", name=choice).click()
        expect(page.locator("#subjects li")).to_have_count(left)
    expect(page.locator("#subjects-said")).to_have_text("anna was deleted. Nobody is enrolled.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_keyboard_is_enough(kiosk: Kiosk, new_page: Callable[..., Page]) -> None:
    page = new_page(None)
    press = page.keyboard.press
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(kiosk.terminal)
    press("Enter")
    expect(page.get_by_label("Subject id")).to_be_focused()
    assert page.locator("#nav button:visible").all_inner_texts() == ["Verify", "Identify"]
    seen = []
    for _ in range(8):
        press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Verify", "Identify", "Sign out"} <= set(seen), "Tab goes round, past the field"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "what has the keyboard shows it"

    kiosk.show()
    page.get_by_label("Subject id").focus()
    page.keyboard.type("anna")
    press("Enter")
    expect(page.get_by_role("heading", name="Verifying anna")).to_be_focused()
    press("Escape")
    expect(page.get_by_label("Subject id")).to_be_focused()


def test_a_lost_camera(kiosk: Kiosk, new_page: Callable[..., Page]) -> None:
    page = new_page(kiosk.terminal, PHONE)
    kiosk.unplug()
    ask(page, "verify", "anna")
    assert outcome(page) == "camera_lost"
    expect(page.locator("#result-shape use")).to_have_attribute("href", "#shape-camera")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_view_fits_and_has_names(
    size: tuple[int, int], kiosk: Kiosk, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = new_page(kiosk.operator, size)
    for where in ("verify", "identify", "enrol", "subjects"):
        page.locator(f"[data-go={where}]").click()
        expect(page.locator(f"[data-go={where}][aria-current=page]")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        assert page.locator("h1:visible").count() == 1, where
        controls = page.locator("button:visible, input:visible:not([type=radio]), fieldset span")
        for words, width, height in controls.evaluate_all(_BOXES):
            assert min(width, height) >= 44, (where, words, width, height)
        for role in ("button", "textbox", "radio", "navigation", "heading"):
            nameless = page.get_by_role(role, name=re.compile(r"^$"))
            assert nameless.count() == 0, (where, role)
        shot = cv2.imread(str(_shot(page, tmp_path / f"{where}.png")))
        assert shot.shape[:2] == size[::-1]
        assert np.ptp(shot) > 150, "something bright on the dark"
        assert np.median(shot) < 30, "an eye is not dazzled"


def _shot(page: Page, path: Path) -> Path:
    page.screenshot(path=path)
    return path


def test_a_finger_types_on_the_screen(kiosk: Kiosk, new_page: Callable[..., Page]) -> None:
    page = new_page(kiosk.terminal, has_touch=True)
    for key in ("a", "b", "7", "Erase", "-"):
        page.get_by_role("group", name="On-screen keys").get_by_label(key, exact=True).tap()
    expect(page.get_by_label("Subject id")).to_have_value("ab-")


def test_everything_that_may_be_said_has_words(kiosk: Kiosk, new_page: Callable[..., Page]) -> None:
    page = new_page(kiosk.terminal)
    hints, outcomes, suspicions = page.evaluate(
        """import("/static/words.js").then(({WORDS}) =>
            [WORDS.hints, WORDS.outcomes, WORDS.suspicions].map((all) => Object.keys(all)))"""
    )
    assert hints == list(quality.HINTS)
    assert set(get_args(Status)) <= set(outcomes)
    assert suspicions == list(get_args(Suspicion))
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("[data-word]").evaluate_all("all => all.every(one => one.textContent)")


def test_a_wrong_token_is_told(
    kiosk: Kiosk, new_page: Callable[..., Page], faults: list[str]
) -> None:
    page = new_page("w" * 43)
    expect(page.locator("#token-fault")).to_contain_text("not known")
    assert page.evaluate("sessionStorage.length") == 0
    refused = faults.pop()
    assert "401" in refused, "the browser's own line in the console"


def test_while_another_has_the_camera_his_eye_is_not_shown(
    kiosk: Kiosk, new_page: Callable[..., Page]
) -> None:
    kiosk.show()
    first, second = new_page(kiosk.terminal), new_page(kiosk.terminal)
    ask(first, "verify", "anna")
    expect(first.locator("#hint")).to_have_text("Turn the light up")
    ask(second, "verify", "anna")
    second.wait_for_timeout(500)
    expect(second.locator("#hint")).to_have_text("Waiting for the camera …")
    expect(second.locator("#picture")).to_have_attribute("data-frames", "0")
    first.keyboard.press("Escape")
    expect(second.locator("#hint")).to_have_text("Turn the light up")
    expect(second.locator("#picture")).not_to_have_attribute("data-frames", "0")
    second.keyboard.press("Escape")


def test_a_result_does_not_stay(kiosk: Kiosk, new_page: Callable[..., Page]) -> None:
    page = new_page(kiosk.terminal)
    page.clock.install()
    kiosk.fail("dora", times=5)
    ask(page, "verify", "dora")
    assert outcome(page) == "locked"
    page.clock.fast_forward(31_000)
    expect(page.locator("#result-over")).to_have_text("You can try again now.")
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()
    page.clock.fast_forward(31_000)
    expect(page.get_by_label("Subject id")).to_be_focused()


def test_a_service_that_goes_a_recording_and_a_token_that_goes(
    new_page: Callable[..., Page], faults: list[str], tmp_path: Path
) -> None:
    kiosk = Kiosk(tmp_path)
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving():
        page = new_page(kiosk.operator, url=kiosk.url)
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    address = kiosk.url.removeprefix("http://")
    with kiosk.serving("--bind", address, demonstration=False):
        expect(page.locator("#offline")).to_be_hidden()
        ask(page, "verify", "anna")
        assert outcome(page) == "no_match"
        expect(page.locator("#result-hint")).to_contain_text("Suspected:")
        Tokens(kiosk.store / "tokens.json").remove("desk")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#token-fault")).to_contain_text("not known")
    assert all("Failed to load" in fault or "net::" in fault for fault in faults), faults
    faults.clear()
