"""Names that are taken, and leftovers that are somebody's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine import journal
from engine.errors import LocalError
from engine.journal import Link, Record
from engine.model import OnConflict
from engine.naming import numbered
from engine.places import Choice, Places, drop_set_aside, part_of, set_aside
from engine.ranges import ByteRange

URL = "https://example.org/a.txt"
LINK = Link.of(f"{URL}?key=1")
FRESH = Link.of(f"{URL}?key=2")
"""The same file by a link that was made later."""

Obstacle = Callable[[Path], None]


def nothing_is_it(_: Path) -> bool:
    return False


def everything_is_it(_: Path) -> bool:
    return True


def choose(
    places: Places,
    directory: Path,
    name: str = "a.txt",
    conflict: OnConflict = OnConflict.RENAME,
) -> str:
    """The name that a job gets which has nothing else to do."""
    choice = places.choose(directory, name, conflict, nothing_is_it)
    assert choice.verdict == ""
    assert choice.target.parent == directory
    return choice.target.name


def a_file(path: Path) -> None:
    path.write_bytes(b"somebody's")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    (path.parent / "victim").write_bytes(b"precious")
    path.symlink_to("victim")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_a_folder(path: Path) -> None:
    (path.parent / "folder").mkdir()
    path.symlink_to("folder")


OBSTACLES = [a_file, a_folder, a_link, a_dangling_link, a_link_to_a_folder]
in_the_way = pytest.mark.parametrize("obstacle", OBSTACLES)


def journal_of(target: Path) -> Path:
    return Path(journal.path_of(part_of(target)))


def leave(
    directory: Path,
    target: str = "a.txt",
    *,
    link: Link = LINK,
    name: str = "a.txt",
    data: bytes = b"half",
) -> Path:
    """What a run leaves that was stopped: a part, and the journal beside it."""
    part = Path(part_of(directory / target))
    part.write_bytes(data)
    status = part.stat()
    record = Record(
        link=link,
        name=name,
        size=100,
        etag=None,
        last_modified=None,
        media_type="",
        done=(ByteRange(0, len(data)),),
        device=status.st_dev,
        inode=status.st_ino,
    )
    journal.save(journal_of(directory / target), record)
    return directory / target


def damage(target: Path) -> None:
    """Tear the journal of a target."""
    journal_of(target).write_bytes(b'{"version": 1, "ur')


def outdate(target: Path) -> None:
    """Let a later version have written the journal of a target."""
    journal_of(target).write_bytes(b'{"version": 2}')


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


# -- names that are free -----------------------------------------------------


def test_the_first_of_a_name_has_it(tmp_path: Path) -> None:
    """A name that nobody has is taken as it is."""
    assert choose(Places(), tmp_path) == "a.txt"


def test_no_two_jobs_choose_one_name(tmp_path: Path) -> None:
    """Also before any of them has made a file, names are numbered."""
    places = Places()
    chosen = [choose(places, tmp_path) for _ in range(3)]
    assert chosen == ["a.txt", "a (2).txt", "a (3).txt"]


@pytest.mark.parametrize("conflict", OnConflict)
def test_another_job_is_no_conflict(tmp_path: Path, conflict: OnConflict) -> None:
    """Two jobs of one name are two files, whatever is to be done with old ones."""
    places = Places()
    chosen = [choose(places, tmp_path, conflict=conflict) for _ in range(2)]
    assert chosen == ["a.txt", "a (2).txt"]


def test_what_is_on_disk_has_its_name(tmp_path: Path) -> None:
    """Files, folders and symlinks to nowhere are all in the way."""
    (tmp_path / "a.txt").touch()
    (tmp_path / "a (2).txt").mkdir()
    (tmp_path / "a (3).txt").symlink_to("nowhere")
    assert choose(Places(), tmp_path) == "a (4).txt"


def test_a_name_can_be_given_back(tmp_path: Path) -> None:
    """A name that is given back is free, and giving back twice is harmless."""
    places = Places()
    target = tmp_path / choose(places, tmp_path)
    places.give_back(target)
    places.give_back(target)
    assert choose(places, tmp_path) == "a.txt"


def test_one_name_in_two_folders_is_two_names(tmp_path: Path) -> None:
    """Names are counted per folder."""
    places = Places()
    assert choose(places, tmp_path) == "a.txt"
    assert choose(places, tmp_path / "b") == "a.txt"


def test_threads_choose_one_after_the_other(tmp_path: Path) -> None:
    """However many choose at once, no two have one name."""
    places = Places()
    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(lambda _: choose(places, tmp_path), range(64)))
    assert len(set(chosen)) == 64


names = st.sampled_from(["a", "b.txt", "b (2).txt", "c.tar.gz"])


@given(there=st.sets(names | names.map(lambda n: f"{n}.part")), jobs=st.lists(names))
def test_whatever_is_there_every_job_has_a_name_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, there: set[str], jobs: list[str]
) -> None:
    """No job gets what is there, a partial of somebody, or what another job has."""
    directory = tmp_path_factory.mktemp("places")
    for name in there:
        a_file(directory / name)
    places = Places()
    chosen = [choose(places, directory, name) for name in jobs]
    assert len(set(chosen)) == len(chosen)
    assert not {*chosen, *(f"{name}.part" for name in chosen)} & there
    for wanted, name in zip(jobs, chosen, strict=True):
        assert name == wanted or name in {numbered(wanted, n) for n in range(2, 20)}


# -- a conflict --------------------------------------------------------------


@in_the_way
def test_renaming_leaves_what_is_there(tmp_path: Path, obstacle: Obstacle) -> None:
    """With `rename` the new file gets a number."""
    obstacle(tmp_path / "a.txt")
    assert choose(Places(), tmp_path) == "a (2).txt"


@in_the_way
def test_skipping_is_a_verdict(tmp_path: Path, obstacle: Obstacle) -> None:
    """With `skip` whatever has the name ends the job, and nothing is claimed."""
    obstacle(tmp_path / "a.txt")
    places = Places()
    for _ in range(2):
        choice = places.choose(tmp_path, "a.txt", OnConflict.SKIP, nothing_is_it)
        assert choice == Choice(tmp_path / "a.txt", "skipped, the name is taken")


@in_the_way
def test_failing_names_what_is_there(tmp_path: Path, obstacle: Obstacle) -> None:
    """With `fail` the message has the path, and the option that wanted it."""
    obstacle(tmp_path / "a.txt")
    with pytest.raises(LocalError, match=r"a\.txt: it exists, and --on-conflict"):
        Places().choose(tmp_path, "a.txt", OnConflict.FAIL, nothing_is_it)


@pytest.mark.parametrize(
    "obstacle", [item for item in OBSTACLES if item is not a_folder]
)
def test_overwriting_takes_the_name(tmp_path: Path, obstacle: Obstacle) -> None:
    """With `overwrite` a file is replaced, or a link, wherever it leads."""
    obstacle(tmp_path / "a.txt")
    assert choose(Places(), tmp_path, conflict=OnConflict.OVERWRITE) == "a.txt"


def test_no_folder_is_overwritten(tmp_path: Path) -> None:
    """A folder is never replaced by a file."""
    a_folder(tmp_path / "a.txt")
    with pytest.raises(LocalError, match=r"a\.txt: a folder is in the way"):
        choose(Places(), tmp_path, conflict=OnConflict.OVERWRITE)


@pytest.mark.parametrize("conflict", OnConflict)
def test_where_nothing_is_there_is_no_conflict(
    tmp_path: Path, conflict: OnConflict
) -> None:
    """A free name is taken whatever is to be done with others."""
    assert choose(Places(), tmp_path, conflict=conflict) == "a.txt"


@pytest.mark.parametrize("conflict", OnConflict)
def test_the_file_that_is_wanted_may_be_here(
    tmp_path: Path, conflict: OnConflict
) -> None:
    """A file that is the wanted one ends the job, and nothing is claimed."""
    a_file(tmp_path / "a.txt")
    places = Places()
    for _ in range(2):
        choice = places.choose(tmp_path, "a.txt", conflict, everything_is_it)
        assert choice == Choice(tmp_path / "a.txt", "already here")


def test_the_file_that_is_wanted_may_have_a_number(tmp_path: Path) -> None:
    """What an earlier run had to number is found again."""
    for name in ("a.txt", "a (2).txt", "a (3).txt"):
        a_file(tmp_path / name)
    second = tmp_path / "a (2).txt"
    choice = Places().choose(
        tmp_path, "a.txt", OnConflict.RENAME, lambda path: path == second
    )
    assert choice == Choice(second, "already here")


def test_only_what_is_there_is_compared(tmp_path: Path) -> None:
    """Nobody is asked whether a file that is not there is the wanted one."""
    places = Places()
    choice = places.choose(tmp_path, "a.txt", OnConflict.RENAME, everything_is_it)
    assert choice == Choice(tmp_path / "a.txt")


# -- partials that are free --------------------------------------------------


def test_an_empty_partial_is_free(tmp_path: Path) -> None:
    """A run that was killed at once has left nothing that anybody wants."""
    (tmp_path / "a.txt.part").touch()
    assert choose(Places(), tmp_path) == "a.txt"


def test_a_partial_without_a_journal_is_somebodys(tmp_path: Path) -> None:
    """Bytes that nobody wrote down may be another program's."""
    a_file(tmp_path / "a.txt.part")
    assert choose(Places(), tmp_path) == "a (2).txt"


def test_a_partial_with_a_journal_is_somebodys(tmp_path: Path) -> None:
    """What another link left may still be wanted."""
    leave(tmp_path)
    assert choose(Places(), tmp_path) == "a (2).txt"


def test_an_empty_partial_with_a_journal_is_somebodys(tmp_path: Path) -> None:
    """A run that has not written a byte yet has its name."""
    leave(tmp_path, data=b"")
    assert choose(Places(), tmp_path) == "a (2).txt"


def test_a_journal_without_a_partial_is_free(tmp_path: Path) -> None:
    """Where nothing is left, what was written down about it holds nobody up."""
    Path(part_of(leave(tmp_path))).unlink()
    assert choose(Places(), tmp_path) == "a.txt"


def test_a_damaged_journal_makes_a_partial_ours(tmp_path: Path) -> None:
    """It was this program's, and nobody can go on with it."""
    damage(leave(tmp_path))
    assert choose(Places(), tmp_path) == "a.txt"


@pytest.mark.parametrize("has_part", [True, False])
def test_a_newer_journal_is_left_alone(tmp_path: Path, has_part: bool) -> None:
    """What a later version of this program wrote is not ours to judge."""
    target = leave(tmp_path)
    outdate(target)
    if not has_part:
        Path(part_of(target)).unlink()
    assert choose(Places(), tmp_path) == "a (2).txt"


@pytest.mark.parametrize("obstacle", [a_folder, a_link, a_dangling_link])
def test_what_is_no_file_is_no_partial(tmp_path: Path, obstacle: Obstacle) -> None:
    """A folder or a link under the name of a partial is somebody's."""
    obstacle(tmp_path / "a.txt.part")
    assert choose(Places(), tmp_path) == "a (2).txt"


@pytest.mark.parametrize("conflict", OnConflict)
def test_no_conflict_makes_a_partial_ours(tmp_path: Path, conflict: OnConflict) -> None:
    """What to do with a file says nothing about a partial of somebody else."""
    a_file(tmp_path / "a.txt.part")
    assert choose(Places(), tmp_path, conflict=conflict) == "a (2).txt"


# -- what earlier runs left --------------------------------------------------


def test_what_a_link_left_is_found(tmp_path: Path) -> None:
    """The partial of the very link is there before anybody asks a server."""
    target = leave(tmp_path)
    assert Places().find(tmp_path, LINK, None) == target


def test_what_another_link_left_is_not_found(tmp_path: Path) -> None:
    """A link with another path, or of another host, has left nothing here."""
    leave(tmp_path)
    for url in ("https://example.org/b.txt", "https://example.com/a.txt"):
        assert Places().find(tmp_path, Link.of(url), None) is None


def test_a_folder_need_not_be_there(tmp_path: Path) -> None:
    """Where no folder is, nothing is left; and a file is no folder."""
    a_file(tmp_path / "file")
    for directory in (tmp_path / "new", tmp_path / "file"):
        assert Places().find(directory, LINK, None) is None


def test_what_is_found_is_claimed(tmp_path: Path) -> None:
    """No target is handed out twice, neither found nor chosen."""
    target = leave(tmp_path)
    places = Places()
    assert places.find(tmp_path, LINK, None) == target
    assert places.find(tmp_path, LINK, None) is None
    Path(part_of(target)).unlink()
    journal_of(target).unlink()
    assert choose(places, tmp_path) == "a (2).txt"


def test_what_was_chosen_is_not_found(tmp_path: Path) -> None:
    """What a job of this engine is writing is not what an earlier run left."""
    places = Places()
    target = tmp_path / choose(places, tmp_path)
    leave(tmp_path)
    assert places.find(tmp_path, LINK, None) is None
    places.give_back(target)
    assert places.find(tmp_path, LINK, None) == target


def test_a_link_may_have_another_query(tmp_path: Path) -> None:
    """Links expire, and a fresh one goes on with what the old one left."""
    target = leave(tmp_path)
    assert Places().find(tmp_path, FRESH, None) == target


@pytest.mark.parametrize("same", ["a.txt", "a (2).txt"])
def test_the_same_query_is_preferred(tmp_path: Path, same: str) -> None:
    """Of two partials the one of the very link is found first, then the other."""
    for target in ("a.txt", "a (2).txt"):
        leave(tmp_path, target, link=LINK if target == same else FRESH)
    places = Places()
    found = [places.find(tmp_path, LINK, None) for _ in range(3)]
    (other,) = {"a.txt", "a (2).txt"} - {same}
    assert found == [tmp_path / same, tmp_path / other, None]


def test_a_typed_name_is_respected(tmp_path: Path) -> None:
    """Who wants another name does not get what was left under this one."""
    target = leave(tmp_path)
    places = Places()
    assert places.find(tmp_path, LINK, "b.txt") is None
    assert places.find(tmp_path, LINK, "a.txt") == target


def test_a_number_is_no_part_of_the_name(tmp_path: Path) -> None:
    """A typed name finds what had to be numbered, and the number itself does not."""
    target = leave(tmp_path, "a (2).txt", name="a.txt")
    places = Places()
    assert places.find(tmp_path, LINK, "a (2).txt") is None
    assert places.find(tmp_path, LINK, "a.txt") == target


@pytest.mark.parametrize("spoil", [damage, outdate])
def test_a_journal_that_says_nothing_is_not_found(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """What cannot be read leads to no target, before and after the folder was read."""
    places = Places()
    spoil(leave(tmp_path))
    second = leave(tmp_path, "b.txt")
    assert places.find(tmp_path, LINK, None) == second
    places.give_back(second)
    spoil(second)
    assert places.find(tmp_path, LINK, None) is None


def test_a_journal_that_went_away_is_not_found(tmp_path: Path) -> None:
    """A folder is read once, but every journal is read again when it counts."""
    places = Places()
    assert places.find(tmp_path, Link.of("https://example.org/other"), None) is None
    target = leave(tmp_path)
    places.give_back(target)
    journal_of(target).unlink()
    assert places.find(tmp_path, LINK, None) is None


def test_a_journal_may_have_come_to_be_anothers(tmp_path: Path) -> None:
    """A target that is of another link by now is not found by the old one."""
    target = leave(tmp_path)
    places = Places()
    assert places.find(tmp_path, LINK, None) == target
    places.give_back(target)
    other = Link.of("https://example.org/other")
    leave(tmp_path, link=other)
    assert places.find(tmp_path, LINK, None) is None


@pytest.mark.parametrize("was_read", [True, False])
def test_what_is_given_back_can_be_found(tmp_path: Path, was_read: bool) -> None:
    """What a job of this engine left is found by the next of the same link."""
    places = Places()
    if was_read:
        assert places.find(tmp_path, LINK, None) is None
    target = tmp_path / choose(places, tmp_path)
    leave(tmp_path)
    for _ in range(2):
        places.give_back(target)
    assert places.find(tmp_path, LINK, None) == target
    assert places.find(tmp_path, LINK, None) is None


leftovers = st.tuples(st.booleans(), st.sampled_from(["a.txt", "b.txt"]))


@given(st.lists(leftovers, max_size=5), st.booleans(), st.sampled_from([None, "b.txt"]))
def test_every_leftover_is_found_once(
    tmp_path_factory: pytest.TempPathFactory,
    left: list[tuple[bool, str]],
    fresh: bool,
    name: str | None,
) -> None:
    """Whatever is left of a link is handed out once each, the same query first."""
    directory = tmp_path_factory.mktemp("left")
    link = FRESH if fresh else LINK
    expected = []
    for number, (is_fresh, is_named) in enumerate(left):
        target = leave(
            directory, f"{number}", link=FRESH if is_fresh else LINK, name=is_named
        )
        if name in {None, is_named}:
            expected.append((is_fresh != fresh, target))
    places = Places()
    found = [places.find(directory, link, name) for _ in range(len(left) + 1)]
    rest = [None] * (len(left) + 1 - len(expected))
    assert found == [*(target for _, target in sorted(expected)), *rest]


# -- out of the way ----------------------------------------------------------


def test_a_partial_is_set_aside(tmp_path: Path) -> None:
    """Its bytes are kept under another name, its journal is forgotten."""
    set_aside(leave(tmp_path))
    assert content(tmp_path) == {"a.txt.part.old": b"half"}


def test_what_is_set_aside_has_a_number(tmp_path: Path) -> None:
    """Whatever was set aside before stays, and so does what only looks like it."""
    for number in range(3):
        set_aside(leave(tmp_path, data=f"{number}".encode()))
    assert content(tmp_path) == {
        "a.txt.part.old": b"0",
        "a.txt.part.old2": b"1",
        "a.txt.part.old3": b"2",
    }
    (tmp_path / "b.txt.part.old").symlink_to("nowhere")
    set_aside(leave(tmp_path, "b.txt"))
    assert (tmp_path / "b.txt.part.old2").read_bytes() == b"half"


def test_there_may_be_nothing_to_set_aside(tmp_path: Path) -> None:
    """Where only a journal is left, it goes; where nothing is, nothing happens."""
    target = leave(tmp_path)
    Path(part_of(target)).unlink()
    for _ in range(2):
        set_aside(target)
        assert content(tmp_path) == {}


def test_what_was_set_aside_is_free_and_not_found(tmp_path: Path) -> None:
    """A new partial may have the name, and nobody goes on with the old one."""
    set_aside(leave(tmp_path))
    places = Places()
    assert places.find(tmp_path, LINK, None) is None
    assert choose(places, tmp_path) == "a.txt"


@pytest.mark.parametrize("times", range(4))
def test_what_was_set_aside_can_be_dropped(tmp_path: Path, times: int) -> None:
    """When the new one is whole, all that was set aside for it goes, and no more."""
    set_aside(leave(tmp_path, "b.txt"))
    for _ in range(times):
        set_aside(leave(tmp_path))
    leave(tmp_path)
    drop_set_aside(tmp_path / "a.txt")
    assert sorted(content(tmp_path)) == [
        "a.txt.part",
        "a.txt.part.hydra",
        "b.txt.part.old",
    ]


def test_what_cannot_be_dropped_stays(tmp_path: Path) -> None:
    """A folder under that name is nobody's failure."""
    (tmp_path / "a.txt.part.old").mkdir()
    drop_set_aside(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt.part.old"]
