"""Info: everything that is known of a job, cut or in full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import CommandSnapshot, Hop, JobSnapshot, JobState, SourceSnapshot
from hydratui.widgets.info_view import info_pane, info_rows
from tests.hydratui.pictures import page_of, text_of
from tests.hydratui.support import (
    GIB,
    make_job,
    mirrored_job,
    promised_job,
    running_job,
)

LONG = "https://cdn.example.org/" + "0123456789" * 12 + "?sig=•••"


def known(**source: object) -> JobSnapshot:
    given = SourceSnapshot(
        hops=(Hop(302, "https://example.org/file"), Hop(206, LONG)),
        headers=(("Server", "CloudFront"), ("X-Cache", "Hit")),
        etag='"abc"',
        last_modified="Tue, 24 Nov 2026 14:55:00 GMT",
        media_type="application/gzip",
    )
    return replace(running_job(), source=replace(given, **source))  # type: ignore[arg-type]


def facts_of(job: JobSnapshot, *, is_wrapped: bool = False) -> dict[str, str]:
    """The values by their labels."""
    rows = [text_of(row) for row in info_rows(job, 100, is_wrapped=is_wrapped)]
    return {row[2:16].strip(): row[16:].strip() for row in rows if row[2:16].strip()}


def test_a_job_is_described_in_full() -> None:
    """What it is, where it goes, what was asked for, and who gives it."""
    facts = facts_of(replace(known(), threads=6, limit=5e6))
    assert facts["size"] == "4,294,967,296 bytes  (4.00 GiB)"
    assert facts["state"] == "▶ running"
    assert facts["target"] == "download/1.parquet"
    assert facts["partial"] == "download/1.parquet.part"
    assert facts["media type"] == "application/gzip"
    assert facts["lanes"] == "6"
    assert facts["limit"] == "5.00 MB/s"
    assert facts["digest"].startswith("sha256 9f86d081")
    assert facts["host"] == "cdn.example.org"
    assert facts["window"] == "28 lanes, 24 flying, 128 most"
    assert facts["because"] == "holding at 28: the 29th added 1 %"
    assert facts["Server"] == "CloudFront"


def test_the_way_to_the_file_is_shown_hop_by_hop() -> None:
    """Each answer with its status."""
    rows = [text_of(row) for row in info_rows(known(), 100)]
    first = next(y for y, row in enumerate(rows) if row.startswith("  way"))
    assert "302  https://example.org/file" in rows[first]
    assert "206  https://cdn.example.org/0123" in rows[first + 1]


@pytest.mark.parametrize(
    ("etag", "modified", "said"),
    [
        ('"abc"', None, 'ETag "abc"  (strong)'),
        ('W/"abc"', None, 'ETag W/"abc"  (weak, not used for ranges)'),
        (None, "Tue, 24 Nov 2026 14:55:00 GMT", "Last-Modified"),
        (None, None, "none: only the size tells whether it is the same file"),
    ],
)
def test_the_validator_says_what_it_is_worth(
    etag: str | None, modified: str | None, said: str
) -> None:
    """Resuming hangs on it."""
    assert facts_of(known(etag=etag, last_modified=modified))["validator"] == said


def test_a_server_without_ranges_is_named() -> None:
    """It is why there is one connection only."""
    assert facts_of(known())["ranges"] == "yes"
    assert facts_of(known(ranges=False))["ranges"].startswith("no: one connection")


def test_a_long_value_is_cut_or_goes_on_below() -> None:
    """Zoomed in, not a character of it is missing."""
    cut = page_of(info_rows(known(), 60))
    assert "…" in cut
    assert LONG not in cut
    full = "".join(
        text_of(row)[16:].strip() for row in info_rows(known(), 60, is_wrapped=True)
    )
    assert LONG in full
    assert "…" not in full


def test_a_command_has_its_section() -> None:
    """With what it took and how it does."""
    job = replace(
        known(), command="tar x", piped=CommandSnapshot(fed=2 * GIB, status=0)
    )
    facts = facts_of(job)
    assert facts["into"] == "| tar x"
    assert facts["how it does"] == "ended with 0"
    assert facts["has taken"] == "2,147,483,648 bytes"
    assert "into" not in facts_of(known())


def test_mirrors_are_rows_of_a_table() -> None:
    """The host, what is thought of it and brought by it; why it is benched, below."""
    rows = [text_of(row).rstrip() for row in info_rows(mirrored_job(), 100)]
    first = rows.index("Mirrors") + 1
    assert rows[first : first + 5] == [
        "  ▶ used        cdn.example.org      16 lanes   122 MB/s  1.45 GiB here",
        "  ▶ used        mirror.example.net    7 lanes  53.2 MB/s   651 MiB here",
        "  ✗ benched     ftp.example.edu       0 lanes     0 kB/s       0 B here",
        "                another file: 3.99 GiB long",
        "  · untried     far.example.com       0 lanes     0 kB/s       0 B here",
    ]


def test_one_source_is_no_table() -> None:
    """Where there is only that, the source says it all."""
    assert "Mirrors" not in page_of(info_rows(known(), 100))


def test_every_digest_is_told_with_its_origin() -> None:
    """Two of them are two rows."""
    page = page_of(info_rows(promised_job(), 120))
    assert f"sha256 {'9f86d081' * 8}  (from SHA256SUMS)" in page
    assert f"md5 {'d41d8cd9' * 4}  (from Metalink)" in page


def test_a_job_that_has_not_begun_says_what_is_known() -> None:
    """No section without a fact, no number that is made up."""
    job = replace(make_job(state=JobState.QUEUED, size=None), target="")
    page = page_of(info_rows(job, 80))
    assert "not known" in page
    assert "Headers" not in page
    assert "Host" not in page
    assert "target" not in page


def test_a_finished_job_has_no_partial() -> None:
    """The file has its name."""
    done = make_job(state=JobState.DONE, share=1.0, verdict="verified (sha256)")
    facts = facts_of(done)
    assert "partial" not in facts
    assert facts["verdict"] == "verified (sha256)"


def test_the_foot_says_which_rows_are_seen() -> None:
    """Only where not all are."""
    rows = info_rows(known(), 76)
    assert "rows 5–12 of" in text_of(info_pane(rows, 80, 10, 4)[-1])  # noqa: RUF001
    assert "rows" not in text_of(info_pane(rows, 80, 60)[-1])
