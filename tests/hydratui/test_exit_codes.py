"""What a program ends with, where several things went wrong."""

from __future__ import annotations

from itertools import permutations

import pytest

import engine
from engine import HydraError
from hydratui.exit_codes import OUTCOMES, exit_code, worst

ERRORS = {o.error: o.code for o in OUTCOMES if o.error}
CLASSES = [
    found
    for found in vars(engine).values()
    if isinstance(found, type) and issubclass(found, HydraError)
]


def test_every_code_is_there_once() -> None:
    """In order, each with what it means."""
    codes = [outcome.code for outcome in OUTCOMES]
    assert codes == sorted(set(codes))
    assert all(outcome.when for outcome in OUTCOMES)


def test_every_error_of_the_table_is_one_of_the_engines() -> None:
    """A name that is changed there is changed here."""
    assert set(ERRORS) <= {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_the_engine_has_its_code(kind: type[HydraError]) -> None:
    """Its own, or that of what it is a kind of; none is taken for a bug."""
    if kind is not HydraError:
        row = next(k.__name__ for k in kind.__mro__ if k.__name__ in ERRORS)
        assert exit_code(kind("why")) == ERRORS[row]
        assert exit_code(kind("why")) != 1


def test_any_other_error_is_a_bug() -> None:
    """Whatever Python raises by itself was not foreseen."""
    assert exit_code(ValueError("why")) == 1


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 4), 4),
        ((4, 4), 4),
        ((3, 4), 8),
        ((2, 7, 0), 8),
        ((3, 4, 5), 5),
        ((5, 6, 3), 6),
        ((6, 141, 5), 141),
        ((141, 1, 6), 1),
        ((8, 3), 8),
    ],
)
def test_one_code_for_several_jobs(codes: tuple[int, ...], code: int) -> None:
    """1, then 141, 6 and 5; the rest alone if all failed so, and else 8."""
    for order in permutations(codes):
        assert worst(order) == code
