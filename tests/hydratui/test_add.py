"""The dialog for new downloads, with keys, mouse and paste."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Input

from engine import Digest, JobSpec
from hydratui.pasted import MOST_LINES
from hydratui.screens.add import Add, Added, merged
from hydratui.widgets.entry import Line, Links
from hydratui.widgets.job_form import Typed
from tests.hydratui.stand import SIZES, Stand, is_harmless, standing
from tests.hydratui.support import GIB, HOSTILE, METALINK

A, B, C = "https://a.org/x.iso", "https://b.org/y.iso", "https://c.org/z.iso"


@asynccontextmanager
async def adding(
    text: str,
    directory: Path,
    *,
    known: Iterable[str] = (),
    size: tuple[int, int] = (80, 24),
    taken: list[Added] | None = None,
) -> AsyncIterator[Stand]:
    dialog = Add(
        text,
        directory,
        known=lambda spec: spec.url in set(known),
        take=(taken if taken is not None else []).append,
        free=lambda _: 214 * GIB,
    )
    async with standing(dialog, size) as stand:
        yield stand


def links(stand: Stand) -> Links:
    return stand.dialog.query_one(Links)


def fill(stand: Stand, key: str, text: str) -> None:
    stand.dialog.query_one(f"#{key}", Line).value = text


# ------------------------------------------------------------------ the way


@pytest.mark.parametrize("way", ["ctrl+s", "enter", "click"])
async def test_good_links_are_added_and_the_dialog_closes(
    way: str, tmp_path: Path
) -> None:
    """With ctrl+s, Enter in a field or the button."""
    async with adding(f"{A}\n{B}", tmp_path) as stand:
        assert stand.focus == "links"
        if way == "click":
            await stand.click("#add")
        else:
            await stand.press("tab", way)
        specs = (JobSpec(A, directory=tmp_path), JobSpec(B, directory=tmp_path))
        assert stand.results == [Added(specs)]


async def test_enter_among_the_links_is_a_new_line(tmp_path: Path) -> None:
    """Nobody adds half a list by typing it."""
    async with adding(A, tmp_path) as stand:
        await stand.press("enter", *"abc")
        assert links(stand).text == f"{A}\nabc"
        assert stand.results == []


async def test_tab_goes_through_all_fields_and_back(tmp_path: Path) -> None:
    """In the order in which they stand."""
    order = ["links", "directory", "checksum", "command", "threads", "limit"]
    order += ["place", "start", "add", "cancel"]
    async with adding("", tmp_path) as stand:
        for field in [*order, "links"]:
            assert stand.focus == field
            await stand.press("tab")
        await stand.press("shift+tab", "shift+tab")
        assert stand.focus == "cancel"


async def test_every_field_counts(tmp_path: Path) -> None:
    """What is chosen in the fields is in the job."""
    async with adding(A, tmp_path) as stand:
        fill(stand, "directory", str(tmp_path / "new"))
        fill(stand, "checksum", "0" * 40)
        fill(stand, "threads", "8")
        fill(stand, "limit", "1.5")
        fill(stand, "command", "| tar x")
        stand.part("#place").focus()
        await stand.press("right", "tab", "space", "ctrl+s")
        spec = JobSpec(
            A,
            directory=tmp_path / "new",
            checksum=Digest("sha1", "0" * 40),
            threads=8,
            limit=1.5e6,
            command="tar x",
        )
        assert stand.results == [Added((spec,), first=True, paused=True)]


async def test_the_mouse_chooses_a_word(tmp_path: Path) -> None:
    """A click on a word is the word."""
    async with adding(A, tmp_path) as stand:
        await stand.pilot.click("#start", offset=(18, 0))
        await stand.pilot.click("#place", offset=(18, 0))
        await stand.pilot.click("#place", offset=(3, 0))
        await stand.press("ctrl+s")
        (added,) = stand.results
        assert isinstance(added, Added)
        assert (added.first, added.paused) == (False, True)


def test_what_the_paste_says_of_one_link_stands(tmp_path: Path) -> None:
    """Its options come before the fields, its folder is inside theirs."""
    own = JobSpec(A, directory=Path("in"), limit=1.0, command="cat", name="n")
    typed = Typed(directory=tmp_path, threads=2, limit=9.0, command="tar")
    assert merged(own, typed) == JobSpec(
        A, directory=tmp_path / "in", limit=1.0, command="cat", name="n", threads=2
    )
    home = JobSpec(A, directory=Path("~/in"))
    assert merged(home, typed).directory == Path.home() / "in"


# ------------------------------------------------------------------ summary


async def test_the_box_is_read_while_one_types(tmp_path: Path) -> None:
    """Good, bad and queued are counted; each bad line has a reason."""
    text = f"{A}\n{B}\nftp//bad-url\n{C}\n{A}"
    async with adding(text, tmp_path, known=[C]) as stand:
        summary = "2 ok · 1 invalid · 1 already queued · 1 twice here"
        assert stand.said("#summary") == summary
        assert stand.said("#problems") == "line 3  no scheme"
        assert "Add 2" in stand.text
        await stand.press("enter", *"https://d.org/")
        assert stand.said("#summary").startswith("3 ok")


async def test_commands_in_a_paste_are_shown(tmp_path: Path) -> None:
    """What a shell will run is never out of sight; nor what goes elsewhere."""
    text = f"{A}{' ' * 200}| sh -c evil\n{B}\n dir=/etc\n split=3"
    async with adding(text, tmp_path) as stand:
        assert stand.said("#runs") == "line 1  runs sh -c evil"
        notes = "line 2  goes to /etc\nline 2  split= is left out"
        assert stand.said("#notes") == notes


async def test_many_problems_take_few_rows(tmp_path: Path) -> None:
    """The first ones, and how many more there are."""
    async with adding("bad\n" * 50, tmp_path) as stand:
        said = ["line 1  no scheme", "line 2  no scheme", "and 48 more"]
        assert stand.said("#problems").splitlines() == said


async def test_an_empty_box_says_what_goes_into_it(tmp_path: Path) -> None:
    """And adding nothing changes nothing."""
    async with adding("", tmp_path) as stand:
        assert "One link a line" in stand.said("#summary")
        await stand.press("ctrl+s")
        assert stand.results == []


# ------------------------------------------------------------- what is left


async def test_bad_lines_stay_when_the_good_ones_are_added(tmp_path: Path) -> None:
    """The good ones begin at once; the others can be mended, and added too."""
    taken: list[Added] = []
    text = f"{A}\nftp//bad\n{B}\n dir=x\n checksum=no\n{C} | cat"
    async with adding(text, tmp_path, taken=taken) as stand:
        await stand.press("ctrl+s")
        assert [[spec.url for spec in added.specs] for added in taken] == [[A, C]]
        assert stand.results == []
        assert links(stand).text == f"ftp//bad\n{B}\n dir=x\n checksum=no"
        assert "2 added" in stand.said("#summary")
        assert stand.focus == "links"
        links(stand).text = B
        await stand.pilot.pause()
        await stand.press("ctrl+s")
        assert stand.results == [Added((JobSpec(B, directory=tmp_path),))]


async def test_nothing_is_added_where_nothing_is_good(tmp_path: Path) -> None:
    """The dialog stays, and what was typed too."""
    async with adding("bad", tmp_path) as stand:
        await stand.press("ctrl+s")
        assert stand.results == []
        assert "Nothing to add yet" in stand.said("#summary")
        assert links(stand).text == "bad"


async def test_what_is_queued_already_is_not_added_again(tmp_path: Path) -> None:
    """It is said instead."""
    async with adding(A, tmp_path, known=[A]) as stand:
        await stand.press("ctrl+s")
        assert stand.results == []
        assert stand.said("#summary") == "Nothing new."


# ------------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("directory", "{tmp}/file", "not a folder"),
        ("directory", "{tmp}/file/below", "not a folder"),
        ("directory", "~nobody-has-this-name/x", "no such user"),
        ("directory", "{tmp}/" + "x" * 300, "not a folder"),
        ("checksum", "zz", "a checksum is algo:hex, or hex alone"),
        ("checksum", "md5:00", "md5 is written as 32 hex digits"),
        ("threads", "0", "auto, 1 to 128"),
        ("threads", "129", "auto, 1 to 128"),
        ("threads", "many", "auto, 1 to 128"),
        ("threads", "9" * 5000, "auto, 1 to 128"),
        ("limit", "fast", "as 20M or 800k"),
        ("limit", "9" * 400, "as 20M or 800k"),
    ],
    ids=range(12),
)
async def test_a_field_that_makes_no_sense_says_so(
    key: str, text: str, words: str, tmp_path: Path
) -> None:
    """Beside it; nothing is added, and the focus goes there."""
    (tmp_path / "file").touch()
    async with adding(A, tmp_path) as stand:
        fill(stand, key, text.replace("{tmp}", str(tmp_path)))
        await stand.pilot.pause()
        assert stand.said(f"#{key}-note") == words
        assert stand.part(f"#{key}-note").has_class("wrong")
        await stand.press("ctrl+s")
        assert stand.results == []
        assert stand.focus == key
        fill(stand, key, "")
        await stand.pilot.pause()
        assert not stand.part(f"#{key}-note").has_class("wrong")


async def test_a_folder_nobody_may_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is queued for it."""
    monkeypatch.setattr("os.access", lambda *_: False)
    async with adding(A, tmp_path) as stand:
        fill(stand, "directory", f"{tmp_path}/new")
        await stand.pilot.pause()
        assert stand.said("#directory-note") == "not writable"


async def test_room_is_shown_where_it_goes(tmp_path: Path) -> None:
    """For a new folder that of the nearest one above; none where nothing is kept."""
    async with adding(A, tmp_path) as stand:
        assert stand.said("#directory-note") == "free 214 GiB"
        fill(stand, "directory", f"{tmp_path}/a/b")
        await stand.pilot.pause()
        assert stand.said("#directory-note") == "new · free 214 GiB"
        fill(stand, "command", "tar x")
        await stand.pilot.pause()
        assert stand.said("#directory-note") == "not used"
        assert stand.said("#command-note") == "no file is kept"


async def test_a_checksum_is_for_one_link(tmp_path: Path) -> None:
    """Two files can not both have it."""
    async with adding(f"{A}\n{B}", tmp_path) as stand:
        fill(stand, "checksum", "0" * 64)
        await stand.pilot.pause()
        assert stand.said("#checksum-note") == "sha256"
        await stand.press("ctrl+s")
        assert stand.said("#checksum-note") == "for one link, not 2"
        assert stand.results == []
        assert stand.focus == "checksum"


async def test_a_line_of_mirrors_is_one_download(tmp_path: Path) -> None:
    """Tabs are between sources of one file, and how many there are is said."""
    mirrors = ("https://m.org/x.iso", "https://n.org/x.iso")
    async with adding("\t".join((A, *mirrors)), tmp_path) as stand:
        assert stand.said("#summary") == "1 ok"
        assert stand.said("#notes") == "line 1  and 2 more sources of it"
        await stand.press("ctrl+s")
        [added] = stand.results
        assert isinstance(added, Added)
        assert added.specs == (JobSpec(A, directory=tmp_path, mirrors=mirrors),)


async def test_a_metalink_file_is_all_its_files(tmp_path: Path) -> None:
    """Its path is as good as their links."""
    path = tmp_path / "two.meta4"
    path.write_text(METALINK)
    async with adding(str(path), tmp_path) as stand:
        assert stand.said("#summary") == "2 ok"
        await stand.press("ctrl+s")
        [added] = stand.results
        assert isinstance(added, Added)
        assert [spec.name for spec in added.specs] == ["one.bin", "two.bin"]
        assert {spec.directory for spec in added.specs} == {tmp_path}


async def test_a_folder_is_completed(tmp_path: Path) -> None:
    """The right arrow takes what is offered; files and hidden ones are not."""
    (tmp_path / "shards").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "shadow").touch()
    async with adding(A, tmp_path) as stand:
        await stand.press("tab")
        fill(stand, "directory", f"{tmp_path}/sh")
        await stand.pilot.pause()
        await stand.press("end", "right")
        assert stand.dialog.query_one("#directory", Input).value == (
            f"{tmp_path}/shards/"
        )


# ------------------------------------------------------------------ leaving


@pytest.mark.parametrize("way", ["escape", "#cancel"])
async def test_a_line_or_none_is_given_up_at_once(way: str, tmp_path: Path) -> None:
    """There is little to lose."""
    async with adding(A, tmp_path) as stand:
        await (stand.press(way) if way == "escape" else stand.click(way))
        assert stand.results == [None]


@pytest.mark.parametrize(
    ("asks", "answers"),
    [("escape", "escape"), ("escape", "#cancel"), ("#cancel", "escape")],
)
async def test_many_lines_are_given_up_when_asked_twice(
    asks: str, answers: str, tmp_path: Path
) -> None:
    """And typing in between takes the question back."""
    async with adding(f"{A}\n{B}", tmp_path) as stand:
        await stand.press("escape", "x")
        assert stand.said("#summary") == "2 ok"
        for way, results in ((asks, []), (answers, [None])):
            await (stand.click(way) if way.startswith("#") else stand.press(way))
            assert stand.results == results
            if not results:
                question = "Esc once more gives up these 2 lines."
                assert stand.said("#summary") == question


# -------------------------------------------------------------------- paste


async def test_a_paste_keeps_all_its_lines(tmp_path: Path) -> None:
    """Where the cursor is."""
    async with adding("", tmp_path) as stand:
        await stand.paste(f"{A}\r\n{B}\r\n")
        assert links(stand).text == f"{A}\n{B}\n"
        assert stand.said("#summary") == "2 ok"


async def test_a_huge_paste_is_cut_and_said_so(tmp_path: Path) -> None:
    """As many lines as are read; the screen does not stop for the others."""
    async with adding("", tmp_path) as stand:
        await stand.paste(f"{A}\n" * 100_000)
        assert links(stand).document.line_count == MOST_LINES
        await stand.press("tab", "ctrl+s")
        assert len(stand.results) == 1
    async with adding(f"{A}\n" * 100_000, tmp_path) as stand:
        assert "only 10,000 lines or 1 MiB of it are here" in stand.said("#summary")


async def test_a_paste_into_a_field_is_its_first_line(tmp_path: Path) -> None:
    """Without what would move the cursor."""
    async with adding("", tmp_path) as stand:
        await stand.press("tab", "tab")
        await stand.paste("\n  md5:\x1b[2J\t1\nmore")
        assert stand.dialog.query_one("#checksum", Input).value == "md5:\ufffd[2J 1"


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_is_harmless(size: tuple[int, int], tmp_path: Path) -> None:
    """Typed before, pasted, in problems, commands and notes."""
    lines = [name.replace("\n", " ").replace("\r", " ") for name in HOSTILE]
    text = "\n".join(
        [*lines, *(f"{A} {line} | {line}\n out={line}\n dir={line}" for line in lines)]
    )
    async with adding(text, tmp_path, size=size) as stand:
        await stand.paste(text)
        for _ in range(len(lines)):
            assert is_harmless(stand.text)
            links(stand).move_cursor_relative(rows=-3)
            await stand.pilot.pause()
        await stand.press("ctrl+s")
        assert is_harmless(stand.text)


@pytest.mark.parametrize("line", HOSTILE)
async def test_hostile_problems_are_harmless(line: str, tmp_path: Path) -> None:
    """Each of them alone, where the reason quotes it."""
    async with adding(f"https://{line}", tmp_path) as stand:
        assert is_harmless(stand.text)
        fill(stand, "directory", f"/{line}")
        await stand.pilot.pause()
        assert is_harmless(stand.text)


@pytest.mark.parametrize("size", SIZES)
async def test_everything_can_be_reached(size: tuple[int, int], tmp_path: Path) -> None:
    """Where there is little room, what has the focus is scrolled into view."""
    async with adding(f"{A}\nbad\n{B} | cat", tmp_path, size=size) as stand:
        assert "Add 2" in stand.text
        for _ in range(10):
            assert stand.focused is not None
            assert stand.focused.region.height > 0
            assert stand.screen.region.contains_region(stand.focused.region)
            await stand.press("tab")
