"""The decision page can be read in the light theme and in the dark one: contrasts as WCAG 2 reckons them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduling.decision_page import COLOURS

PAGE = Path(__file__).parents[2] / "dashboard/templates/admin/scheduling/decision/page.html"
CARDS = {"light": (255, 255, 255), "dark": (16, 24, 40)}  # behind text
TRACKS = {"light": (237, 238, 239), "dark": (35, 44, 58)}  # behind bars: a tenth of the text's colour on the card
RULE = re.compile(
    r"^\s*((?:\.dark )?\.cc-[a-z-]+(?:, (?:\.dark )?\.cc-[a-z-]+)*) \{.*[{ ]color: oklch\(([^)]*)\)", re.M
)


def luminance(linear: tuple[float, float, float]) -> float:
    red, green, blue = (min(max(part, 0.0), 1.0) for part in linear)  # as a screen shows what it cannot
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def of_bytes(colour: tuple[int, int, int]) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return luminance((red, green, blue))


def of_oklch(words: str) -> float:
    """The luminance of ``58% .14 240``: Oklab's matrices, by way of linear sRGB."""
    lightness, chroma, hue = (float(word.rstrip("%")) for word in words.split()[:3])
    lab = complex(0, 0) + chroma * complex(0, 1) ** (hue / 90)
    a, b = lab.real, lab.imag
    long = (lightness / 100 + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness / 100 - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness / 100 - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return luminance((
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    ))  # fmt: skip


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_the_arithmetic() -> None:
    assert contrast(of_bytes((255, 255, 255)), of_bytes((0, 0, 0))) == pytest.approx(21)
    assert of_oklch("62.8% .2577 29.23") == pytest.approx(of_bytes((255, 0, 0)), abs=0.002)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", COLOURS)
def test_bars_stand_out_from_their_track(colour: str, theme: str) -> None:
    assert contrast(of_oklch(colour[len("oklch(") : -1]), of_bytes(TRACKS[theme])) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_marks_can_be_read(theme: str) -> None:
    colours = {
        selector: words
        for selectors, words in RULE.findall(PAGE.read_text())
        for selector in selectors.split(", ")
        if selector.startswith(".dark ") is (theme == "dark")
    }
    assert {name.rpartition(".")[2] for name in colours} == {"cc-no", "cc-bad", "cc-yes", "cc-link"}
    for selector, words in colours.items():
        assert contrast(of_oklch(words), of_bytes(CARDS[theme])) >= 4.5, selector


def test_no_colour_of_one_theme_alone() -> None:
    """The theme's own shades of a colour are the same by day and by night."""
    assert not re.search(r"text-(primary|red)-\d00", PAGE.read_text())
