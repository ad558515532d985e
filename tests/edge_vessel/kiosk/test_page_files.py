"""The page's files, without a browser."""

import re
from pathlib import Path
from typing import get_args

import pytest

import edge_vessel.kiosk
from edge_vessel.biometrics import quality
from edge_vessel.kiosk.results import Status

STATIC = Path(edge_vessel.kiosk.__file__).parent / "static"
TEXTS = {path.name: path.read_text() for path in STATIC.iterdir()}
COLOURS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", TEXTS["kiosk.css"]))


def luminance(colour: str) -> float:
    """Relative, 0 to 1: WCAG 2.2, "relative luminance"."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("behind", ["ground", "panel"])
@pytest.mark.parametrize(
    ("before", "least"),
    [
        *[(name, 4.5) for name in ("text", "quiet", "accent", "good", "bad", "warn")],
        *[(name, 3.0) for name in ("edge", "focus")],
    ],
)
def test_contrast(before: str, least: float, behind: str) -> None:
    """WCAG 2.2 AA: 1.4.3 for text, 1.4.11 for the borders of controls and the focus."""
    dark, light = sorted((luminance(COLOURS[before]), luminance(COLOURS[behind])))
    assert (light + 0.05) / (dark + 0.05) >= least


def test_contrast_of_the_main_button() -> None:
    dark, light = luminance(COLOURS["on-accent"]), luminance(COLOURS["accent"])
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_colours_stand_in_variables_alone() -> None:
    """Else the contrast above would not be that of the page."""
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", TEXTS["kiosk.css"].partition("}")[2]) == []


def test_no_code_or_style_stands_in_the_page() -> None:
    page = TEXTS["index.html"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)


def test_nothing_comes_from_elsewhere() -> None:
    for name, text in TEXTS.items():
        assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", text) in ([], ["http://www.w3.org"])
        assert "innerHTML" not in text, f"{name}: what a name holds is no markup"
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', TEXTS["index.html"])
    assert set(named) <= set(TEXTS)


def test_the_bar_shows_the_focus_that_is_asked_for() -> None:
    (shown,) = re.findall(r"ENOUGH_FOCUS = ([0-9.]+)", TEXTS["capture.js"])
    assert float(shown) == quality._MIN_FOCUS


def test_each_outcome_has_a_shape() -> None:
    shapes = dict(re.findall(r'  (\w+): \["(\w+)", "\w+"\]', TEXTS["result.js"]))
    assert set(get_args(Status)) <= set(shapes)
    assert {f"shape-{shape}" for shape in shapes.values()} <= set(
        re.findall(r'<symbol id="([^"]+)"', TEXTS["index.html"])
    )


def test_nothing_moves_for_who_wants_no_motion() -> None:
    still, moving = TEXTS["kiosk.css"].split("@media (prefers-reduced-motion: no-preference)")
    assert not re.search("animation|transition", still)
    assert "animation" in moving
