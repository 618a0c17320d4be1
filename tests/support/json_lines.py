"""What a run has told programs: every line of it keeps to the schema."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[1] / "json_lines.schema.json"


@cache
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def checked(line: str) -> dict[str, Any]:
    """The object of one line, which is ASCII and keeps to the schema."""
    assert line.isascii()
    told: dict[str, Any] = json.loads(line, parse_constant=_no_number)
    assert not list(validator().iter_errors(told)), line
    return told


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Told(list[dict[str, Any]]):
    """All lines of a run; the last one sums up, and no other."""

    def __init__(self, text: str) -> None:
        super().__init__(map(checked, text.splitlines()))
        assert self.kinds.count("summary") == 1
        assert self.kinds[-1] == "summary"
        assert [one["ts"] for one in self] == sorted(one["ts"] for one in self)

    @property
    def kinds(self) -> list[str]:
        return [one["event"] for one in self]

    @property
    def summary(self) -> dict[str, Any]:
        return self[-1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self if one["event"] == kind]

    def life(self, job: int) -> list[str]:
        """What happened to a job, but for what may happen often."""
        often = {"progress", "window", "retry"}
        kinds = [one["event"] for one in self if one["job"] == job]
        return [kind for kind in kinds if kind not in often]
