"""The door for untrusted text, and how numbers are written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from hydratui.text import (
    MARK,
    bar,
    brief_rate,
    duration,
    eta,
    fit,
    level,
    percent,
    rate,
    safe,
    shorten,
    size,
)
from tests.hydratui.support import HOSTILE

FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(codec=None), max_size=60))
def test_whatever_comes_in_no_control_comes_out(text: str) -> None:
    """Nothing that is shown moves the cursor, turns the text or breaks the line."""
    shown = safe(text)
    assert not {unicodedata.category(character) for character in shown} & FORBIDDEN
    assert safe(shown) == shown


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_has_no_escape_left(name: str) -> None:
    """Neither ESC nor its one-byte relatives reach a screen."""
    shown = safe(name)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    shown.encode()


def test_what_was_taken_out_leaves_a_mark() -> None:
    """A name that lies about its direction is seen to be odd."""
    assert safe("a\u202egpj.exe") == f"a{MARK}gpj.exe"
    assert safe("\x1b[31mred") == f"{MARK}[31mred"


def test_line_breaks_become_spaces_and_the_invisible_goes() -> None:
    """A name stays one line, and is as wide as it looks."""
    assert safe("two\nlines\u2028x") == "two lines x"
    assert safe("ze\u200bro\ufeff⚠\ufe0f") == "zero⚠"


def test_ordinary_names_stay_as_they_are() -> None:
    """Other scripts and markup are text like any other."""
    for name in ("數據集.tar.gz", "Ünïcode naïve.pdf", "[bold]x[/] {y}", "é\u0301"):
        assert safe(name) == name


def test_a_text_without_end_is_cut() -> None:
    """A header of a megabyte costs no more than a line."""
    assert len(safe("z" * 1_000_000)) < 5000


@given(st.text(max_size=40), st.integers(0, 60), st.booleans())
def test_fit_takes_exactly_its_cells(text: str, cells: int, right: bool) -> None:
    """Columns stay columns, also with characters two cells wide."""
    assert cell_len(fit(safe(text), cells, right=right)) == cells


@given(st.text(max_size=80), st.integers(0, 60))
def test_shorten_never_takes_more(text: str, cells: int) -> None:
    """A shortened name fits, and one that fits is left alone."""
    name = safe(text)
    short = shorten(name, cells)
    assert cell_len(short) <= cells
    assert short == name or cell_len(name) > cells


def test_a_shortened_name_keeps_its_ends() -> None:
    """The extension says what it is, the beginning says which."""
    short = shorten("dataset-shard-00017-of-00500.parquet", 24)
    assert short.startswith("dataset-shar")
    assert short.endswith("00.parquet")
    assert "…" in short


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "?"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1_150_000, "1.10 MiB"),
        (1024**3 - 1, "1.00 GiB"),
        (4_520_000_000, "4.21 GiB"),
        (45_097_156_608, "42.0 GiB"),
        (1024**5 * 5000, "5000 PiB"),
    ],
)
def test_sizes_are_binary(count: int | None, shown: str) -> None:
    """Sizes of files and buffers count in 1024."""
    assert size(count) == shown


@pytest.mark.parametrize(
    ("per_second", "shown", "brief"),
    [
        (0, "0 kB/s", "0k"),
        (99_900, "100 kB/s", "100k"),
        (100_000, "0.10 MB/s", "100k"),
        (999_400, "1.00 MB/s", "999k"),
        (3_640_000, "3.64 MB/s", "3.6M"),
        (412_600_000, "413 MB/s", "413M"),
        (1_900_000_000, "1.90 GB/s", "1.9G"),
    ],
)
def test_rates_are_decimal(per_second: float, shown: str, brief: str) -> None:
    """Rates count in 1000, as the limit does."""
    assert rate(per_second) == shown
    assert brief_rate(per_second) == brief


@given(st.floats(0, 1e12), st.integers(0, 2**50))
def test_numbers_stay_in_their_columns(per_second: float, count: int) -> None:
    """No rate takes more than nine cells, no brief one more than five."""
    assert len(rate(per_second)) <= 9
    assert len(brief_rate(per_second)) <= 5
    assert len(size(count)) <= 8


def test_a_hundred_percent_is_said_only_at_the_end() -> None:
    """The last byte makes it 100, not the rounding."""
    assert percent(999_999, 1_000_000) == "99.9"
    assert percent(1_000_000, 1_000_000) == "100"
    assert percent(0, 0) == "100"
    assert percent(5, None) == "-"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.2, "00:00"),
        (61, "01:01"),
        (3720, "1h02m"),
        (3 * 86_400 + 4 * 3600, "3d04h"),
        (1e9, ">99d"),
    ],
)
def test_durations_take_six_cells_at_most(seconds: float | None, shown: str) -> None:
    """A time left is read at a glance."""
    assert duration(seconds) == shown


def test_the_time_left_is_known_only_when_it_can_be() -> None:
    """Without a size or without speed nobody knows."""
    assert eta(50, 150, 10.0) == 10.0
    assert eta(50, None, 10.0) is None
    assert eta(50, 150, 0.0) is None
    assert eta(200, 150, 10.0) == 0.0


@given(st.integers(0, 10**12), st.integers(0, 10**12) | st.none(), st.integers(0, 200))
def test_a_bar_is_as_wide_as_it_was_asked_to_be(
    done: int, total: int | None, cells: int
) -> None:
    """Both parts together fill the column, whatever the numbers say."""
    filled, rest = bar(done, total, cells)
    assert len(filled) + len(rest) == cells


def test_a_bar_is_full_only_at_the_end() -> None:
    """Heavy for what is here, light for what is not."""
    assert bar(3, 8, 4) == ("━╸", "──")
    assert bar(999, 1000, 4) == ("━━━╸", "")
    assert bar(8, 8, 4) == ("━━━━", "")


def test_a_level_rises_with_its_value() -> None:
    """A block is as high as the value, within its bounds."""
    assert [level(value, 7) for value in (-1, 0, 3, 7, 99)] == ["▁", "▁", "▄", "█", "█"]
    assert level(1, 0) == "▁"
