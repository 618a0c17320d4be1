"""What is made of what people paste."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine import Digest, JobSpec, Promise
from hydratui.copied import Meaningless, read_digest
from hydratui.pasted import MOST_CHARACTERS, MOST_LINES, Pasted, cut, read, read_name
from tests.hydratui.support import METALINK

A, B, C = "https://a.org/x.iso", "https://b.org/y.iso", "https://c.org/z.iso"

IN_METALINK = ["https://a.org/one.bin", "https://a.org/two.bin"]


def only(text: str) -> Pasted:
    (entry,) = read(text)
    return entry


def spec_of(text: str) -> JobSpec:
    entry = only(text)
    assert entry.problem == ""
    assert entry.spec is not None
    return entry.spec


def urls(text: str) -> list[tuple[int, str]]:
    return [(entry.line, entry.spec.url) for entry in read(text) if entry.spec]


# -------------------------------------------------------------------- lines


def test_each_line_is_a_link() -> None:
    """Blank lines and comments are passed over, and lines keep their numbers."""
    assert urls(f"# mine\n{A}\n\n  {B}\r\n#{C}\r{C}\n") == [(2, A), (4, B), (6, C)]


def test_a_line_may_have_several_links() -> None:
    """Apart by spaces or commas; each is a job with that line's number."""
    assert urls(f"{A} {B}\n{C},{A}") == [(1, A), (1, B), (2, C), (2, A)]


@pytest.mark.parametrize(
    "line",
    [
        f"<{A}>",
        f'"{A}"',
        f"'{A}'",
        f"`{A}`",
        f"\u201c{A}\u201d",
        f"1. {A}",
        f"12) {A}",
        f"- {A}",
        f"* {A}",
        f"• {A},",
        f"{A}.",
        f"({A})",
        f"[x]({A})",
        f"[two words]({A})",
        f"**{A}**",
        f"\ufeff{A}",
        f"\u200b{A}\u200b",
        f"\u3000{A}\u3002",
        f"| {A} |",
    ],
)
def test_what_links_are_dressed_in_falls_off(line: str) -> None:
    """List marks, quotes, brackets and full stops are no part of a link."""
    entry = only(line)
    assert entry.spec == JobSpec(A)
    assert entry.notes == ()


@pytest.mark.parametrize(
    "link",
    [
        "https://en.wikipedia.org/wiki/Foo_(bar)",
        "https://web.archive.org/web/2020/https://a.org/x",
        "https://a.org/it's.iso",
        "http://[::1]:8080/x",
        "https://user:pw@a.org/x?a=1&b=[2]#c",
        "https://a.org/數據.tar.gz",
        "HTTPS://A.ORG/X",
    ],
)
def test_a_link_keeps_what_belongs_to_it(link: str) -> None:
    """Brackets that close what they opened, quotes inside, other alphabets."""
    assert spec_of(link).url == link
    assert spec_of(f"[x]({link})").url == link


def test_words_around_a_link_are_left_out_and_named() -> None:
    """Nothing goes without a word."""
    assert only(f"Get {A} here").notes == ("left out: Get here",)
    assert only(f"{A} b.org/y").notes == ("left out: b.org/y",)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ftp//bad-url", "no scheme"),
        ("a.org/x.iso", "no scheme; try https://a.org/x.iso"),
        ("1. a.org:80", "no scheme; try https://a.org:80"),
        ("two words", "no link in this line"),
        ("ftp://a.org/x", "only http and https"),
        ("https://?x", "has no host"),
        ("https://a.org:port/", "not a URL"),
        ("  out=x", "an option, but no link above it"),
    ],
)
def test_what_is_no_link_has_a_reason(line: str, problem: str) -> None:
    """Each with the number of its line, and no job."""
    entry = read(f"{A}\n\n{line}")[-1]
    assert entry.line == 3
    assert problem in entry.problem
    assert entry.source == line
    assert entry.spec is None


def test_tabs_are_between_mirrors_or_files() -> None:
    """Links that end in one name are sources of one file; others are files."""
    mirror = "https://m.org/x.iso"
    entries = read(f"{A}\t{mirror}\t{B}\t{mirror}")
    assert [entry.spec for entry in entries] == [
        JobSpec(A, mirrors=(mirror,)),
        JobSpec(B),
    ]
    assert [entry.source for entry in entries] == [f"{A}\t{mirror}", B]


def test_a_line_of_mirrors_takes_options() -> None:
    """They are for its one file."""
    spec = spec_of(f"{A}\thttps://m.org/x.iso\n out=y.iso\n mirror={B}")
    assert spec == JobSpec(A, name="y.iso", mirrors=("https://m.org/x.iso", B))


def test_a_metalink_file_is_as_many_links(tmp_path: Path) -> None:
    """Its path in a line, in quotes or not, is all the files it describes."""
    path = tmp_path / "two files.meta4"
    path.write_text(METALINK)
    for line in (str(path), f"'{path}'", f"  {path} "):
        entries = read(f"{A}\n{line}\n{B}")
        specs = [entry.spec for entry in entries if entry.spec]
        assert [entry.problem for entry in entries] == [""] * 4
        assert [spec.url for spec in specs] == [A, *IN_METALINK, B]


def test_a_metalink_file_that_changed_is_read_again(tmp_path: Path) -> None:
    """What was wrong in it may have been mended."""
    path = tmp_path / "a.meta4"
    assert only(str(path)).problem == f"{path}: No such file or directory"
    path.write_text("<metalink")
    assert str(path) in only(str(path)).problem
    path.write_text(METALINK)
    assert len(read(str(path))) == 2


def test_a_metalink_path_that_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A pipe of that name would never answer."""
    os.mkfifo(tmp_path / "a.metalink")
    assert only(str(tmp_path / "a.metalink")).problem.endswith("it is not a file")


def test_a_link_may_go_into_a_command() -> None:
    """Everything behind the first pipe is for the shell."""
    assert spec_of(f"{A} | tar xz -C data | cat") == JobSpec(
        A, command="tar xz -C data | cat"
    )
    assert spec_of(f"{A}?a=1").command is None


def test_the_source_of_an_entry_is_what_would_mend_it() -> None:
    """Of many on a line the link alone; of one, all of it with its options."""
    assert [entry.source for entry in read(f"{A} ftp://x y")] == [A, "ftp://x"]
    text = f"Get {A}\n out=b\n dir=c"
    assert only(text).source == text


# ------------------------------------------------------------------ options


def test_indented_options_are_for_the_link_above() -> None:
    """As in a list for `--input`."""
    text = (
        f"{A}\n  out=b.iso\n\tdir=~/data\n checksum=md5:{'0' * 32}\n"
        f" header=X-Key: 1\n header=Range: bytes=0-\n{B}"
    )
    first, second = read(text)
    assert first.spec == JobSpec(
        A,
        name="b.iso",
        directory=Path("~/data"),
        promises=(Promise(Digest("md5", "0" * 32), "the list"),),
        headers=(("X-Key", "1"),),
    )
    assert second == Pasted(7, B, JobSpec(B))


def test_a_name_with_a_folder_is_both() -> None:
    """The folder is inside the other one."""
    spec = spec_of(f"{A}\n dir=data\n out=sub/b.iso")
    assert (spec.directory, spec.name) == (Path("data/sub"), "b.iso")


def test_an_option_that_means_nothing_here_is_noted() -> None:
    """The link is good all the same."""
    entry = only(f"{A}\n split=5\n mirror={B}\n gid=1")
    assert entry.spec == JobSpec(A, mirrors=(B,))
    assert entry.notes == ("split= is left out", "gid= is left out")


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("checksum=md5:zz", "md5 is written as 32 hex digits"),
        ("checksum=crc:00", "unknown algorithm crc"),
        ("header=nothing", "a header is written as 'Name: value'"),
        ("header=a b: c", "bad header name"),
        ("out=..", "not a file name"),
        ("mirror=ftp://b.org/x", "only http and https are allowed"),
    ],
)
def test_a_bad_option_is_found_on_its_own_line(option: str, problem: str) -> None:
    """The number is that of the option, and the link is no job."""
    entry = read(f"{A}\n{B}\n dir=x\n {option}")[1]
    assert entry.line == 4
    assert problem in entry.problem
    assert entry.spec is None


def test_a_name_is_for_one_link() -> None:
    """Two files can not have it."""
    entries = read(f"{A} {B}\n out=x")
    assert [entry.problem for entry in entries] == ["out= is for one link only"] * 2


# ----------------------------------------------------------------- commands

CHROME = r"""curl 'https://a.org/x.iso?a=1&b=2' \
  -H 'accept: */*' \
  -H 'Range: bytes=0-' \
  -H 'if-none-match: "abc"' \
  -H 'accept-encoding: gzip' \
  -H 'Host: a.org' \
  -H ':authority: a.org' \
  -b 'a=b; c=d' \
  -H $'x-odd: it\u0021s \'so\'\n' \
  --compressed"""

CARETS = r"""curl ^"https://a.org/x.iso?a=1^&b=2^%^41^" ^
  -H ^"accept: */*^" ^
  -H ^"sec-ch-ua: ^\^"Not A^\^";v=^\^"8^\^"^" ^
  --compressed"""


def test_a_command_from_a_browser_keeps_its_headers() -> None:
    """But for those that are ours, a cache's, or HTTP/2's own."""
    assert spec_of(CHROME) == JobSpec(
        "https://a.org/x.iso?a=1&b=2",
        headers=(
            ("accept", "*/*"),
            ("Cookie", "a=b; c=d"),
            ("x-odd", "it!s 'so'"),
        ),
    )


def test_a_command_for_windows_is_read_too() -> None:
    """Carets escape, and end lines."""
    assert spec_of(CARETS) == JobSpec(
        "https://a.org/x.iso?a=1&b=2%41",
        headers=(("accept", "*/*"), ("sec-ch-ua", '"Not A";v="8"')),
    )
    older = 'curl "https://a.org/?a=1^&b=2" ^\r\n  -H "a: ^\\^"b^\\^"" &\r\n'
    assert spec_of(older) == JobSpec("https://a.org/?a=1&b=2", headers=(("a", '"b"'),))


def test_all_of_a_network_panel_at_once() -> None:
    """Commands end with `;`, or `&` on Windows, and the next one begins a line."""
    assert urls(f"curl '{A}' \\\n -H 'a: b' ;\ncurl '{B}' ;\n{C}") == [
        (1, A),
        (3, B),
        (4, C),
    ]


@pytest.mark.parametrize(
    ("command", "spec"),
    [
        (f"curl -LO {A}", JobSpec(A)),
        (f"$ curl -sSLo b.iso {A}", JobSpec(A, name="b.iso")),
        (f"curl --url {A} -o d/b", JobSpec(A, name="b", directory=Path("d"))),
        (f"curl {A} --output-dir d -ob", JobSpec(A, name="b", directory=Path("d"))),
        (f"curl {A} > 'b c'", JobSpec(A, name="b c")),
        (f"curl {A} >b 2>/dev/null", JobSpec(A, name="b")),
        (f"curl {A} -o - | tar x", JobSpec(A, command="tar x")),
        (f"curl -X GET '{A}'", JobSpec(A)),
        (f"curl -A me {A}", JobSpec(A, headers=(("User-Agent", "me"),))),
        (f"curl -e ref {A}", JobSpec(A, headers=(("Referer", "ref"),))),
        (f"curl -H 'a;' -H 'b:' {A}", JobSpec(A, headers=(("a", ""),))),
        (f"curl -u me:pw {A}", JobSpec(A, headers=(("Authorization", "Basic bWU6cHc="),))),
        (f"curl --limit-rate 2M {A}", JobSpec(A, limit=2e6)),
        (f'curl "{A}"\\\n', JobSpec(A)),
        (r"curl 'https://a.org/\[1\]'", JobSpec("https://a.org/[1]")),
        ("curl -g 'https://a.org/[1]'", JobSpec("https://a.org/[1]")),
        (f"curl -m 5 --retry 3 -- {A}", JobSpec(A)),
        (f"wget -qO- {A} | tar xz", JobSpec(A, command="tar xz")),
        (f"wget -c -P d --header='a: b' {A}", JobSpec(A, directory=Path("d"), headers=(("a", "b"),))),
        (f"wget --user=me --password=pw {A}", JobSpec(A, headers=(("Authorization", "Basic bWU6cHc="),))),
        (f"aria2c -x16 -s 16 -d d -o b {A}", JobSpec(A, name="b", directory=Path("d"))),
        (f"aria2c --checksum=sha-1={'0' * 40} {A}", JobSpec(A, checksum=Digest("sha1", "0" * 40))),
    ],
)  # fmt: skip
def test_the_usual_options_mean_what_they_mean(command: str, spec: JobSpec) -> None:
    """What else there is does no harm."""
    entry = only(command)
    assert entry.problem == ""
    assert entry.spec == spec
    assert entry.notes == ()


def test_several_links_of_a_command_have_their_names() -> None:
    """The first name for the first link."""
    entries = read(f"curl -o p -o q {A} {B} {C}")
    names = [entry.spec.name for entry in entries if entry.spec]
    assert names == ["p", "q", None]


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (f"curl -k {A}", "-k left out: it is not for one job"),
        (f"curl -x proxy:1 {A}", "-x left out: it is not for one job"),
        (f"curl -r 0-99 {A}", "-r left out: it is not for one job"),
        (f"curl -b jar.txt {A}", "-b left out: no cookies are read from files here"),
        (f"curl -H @file {A}", "the headers of a file are left out"),
        (f"curl {A} b.org", "b.org left out"),
        (f"wget --no-check-certificate {A}", "--no-check-certificate left out: it is not for one job"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_for_one_job_is_noted(command: str, note: str) -> None:
    """The job is made without it."""
    entry = only(command)
    assert entry.spec == JobSpec(A)
    assert entry.notes == (note,)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (f"curl -X POST {A}", "POST: only GET can be downloaded in parts"),
        (f"curl -d a=b {A}", "-d sends data: only GET can be downloaded in parts"),
        (f"curl --data-raw '' {A}", "--data-raw sends data: only GET"),
        (f"curl -F a=b {A}", "-F sends data"),
        (f"curl -T f {A}", "-T sends data"),
        (f"wget --post-data=a {A}", "--post-data sends data"),
        (f"curl -I {A}", "-I asks for the headers only"),
        (f"curl '{A}", "a quote (') is never closed"),
        (f'curl "{A}', 'a quote (") is never closed'),
        ("curl -L", "no link in this command"),
        ("curl", "no link in this command"),
        ("curl a.org", "no scheme; try https://a.org"),
        ("curl 'https://a.org/{a,b}[1-9]'", "are not expanded here"),
        (f"curl -H $'a: b\\nc' {A}", "line breaks are not allowed"),
        (f"curl -H 'a b' {A}", "a header is written as 'Name: value'"),
        (f"curl -o .. {A}", "not a file name"),
    ],
)
def test_a_command_that_can_not_be_done_has_a_reason(
    command: str, problem: str
) -> None:
    """On the line where it begins; the lines around it are not touched."""
    entries = read(f"{B}\n{command}\n{C}")
    assert [entry.line for entry in entries] == [1, 2, 3]
    assert problem in entries[1].problem
    assert entries[1].spec is None


def test_a_quoted_pipe_is_no_pipe() -> None:
    """Only the shell's own is."""
    assert spec_of("curl 'https://a.org/x|y' '|' ").command is None


# ------------------------------------------------------------------- limits


def test_a_huge_paste_is_read_in_part_and_said_so() -> None:
    """A hundred thousand lines take a moment; what is beyond stays as its source."""
    text = f"{A}\n" * 100_000
    began = time.process_time()
    entries = read(text)
    assert time.process_time() - began < 5
    assert len(entries) == MOST_LINES + 1
    assert entries[-1].line == MOST_LINES + 1
    assert "too much at once: 10,000 lines" in entries[-1].problem
    assert entries[-1].source == text[MOST_LINES * (len(A) + 1) :]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000_000,
        "[" * 10_000_000,
        ("a://b " * 10_000 + "\n") * 170,
        ("https://x" + ")" * 60_000 + "\n") * 160,
        "curl 'a\\\n" * 100_000,
        "curl " + "\\\n" * 900_000,
        "curl " + "^" * 2_000_000,
        "curl " + "'a' " * 16_000,
        " a=" * 1_000_000,
        "é\u202e" * 1_000_000,
    ],
    ids=range(10),
)
def test_no_text_takes_long(text: str) -> None:
    """Not even one that was made to."""
    began = time.process_time()
    entries = read(text)
    assert time.process_time() - began < 5
    assert len(entries) <= MOST_LINES + 1
    assert entries[-1].problem


def test_a_line_that_is_too_long_is_only_that_line() -> None:
    """The others are read."""
    entries = read(f"{A}\n{'x' * 70_000}\n{B}")
    assert [entry.problem for entry in entries] == ["", "the line is too long", ""]


@pytest.mark.parametrize("count", [MOST_LINES, MOST_LINES + 1])
def test_exactly_as_much_as_is_read(count: int) -> None:
    """The last line that fits is read, a line feed behind it is no line."""
    lines, rest = cut("\n".join(["x"] * count) + "\n")
    assert len(lines) == MOST_LINES
    assert rest == ("" if count == MOST_LINES else "x\n")


def test_a_line_is_never_cut_in_two() -> None:
    """Half a link would be another link."""
    lines, rest = cut(f"{'#' * (MOST_CHARACTERS - 5)}\n{A}")
    assert len(lines) == 1
    assert rest == A


# --------------------------------------------------------------- properties

_PIECES = st.sampled_from(
    [
        *(A, B, "ftp://x", "a.org/x", "curl ", "wget ", "aria2c ", "-H ", "-o ", "-d x"),
        *("\n", "\n ", "\t", "\r\n", "\\\n", "^\n", "'", '"', "$'", "\\", "^", "|", " | "),
        *("out=x", " out=", " dir=", " checksum=", " header=", "[x](", ")", "<", ">", "#"),
        *(";", "&", "{", "[", "\0", "\x1b[2J", "\u202e", "\ud800", "é", "\U0001d518", " "),
    ]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=30).map("".join)))
def test_any_text_is_read(text: str) -> None:
    """Each entry is a job or a problem, and has the number of a line that is there."""
    entries = read(text)
    numbers = [entry.line for entry in entries]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert numbers == sorted(numbers)
    assert all(1 <= number <= len(lines) for number in numbers)
    assert all((entry.spec is None) == bool(entry.problem) for entry in entries)


_TOKENS = st.sampled_from([A, B, "", "# no", "bad", f"{A} {B}", f"<{C}>,", "ftp://x"])


@given(st.lists(_TOKENS))
def test_each_line_answers_for_itself(lines: list[str]) -> None:
    """What a line says does not depend on those around it."""
    whole = [
        (entry.line, entry.spec, entry.problem) for entry in read("\n".join(lines))
    ]
    apart = [
        (number, entry.spec, entry.problem)
        for number, line in enumerate(lines, start=1)
        for entry in read(line)
    ]
    assert whole == apart


# ------------------------------------------------------------------ details


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("0" * 32, Digest("md5", "0" * 32)),
        ("A" * 40, Digest("sha1", "a" * 40)),
        (f"{'0' * 64}  x.iso", Digest("sha256", "0" * 64)),
        (f" sha-512 : {'0' * 128}", Digest("sha512", "0" * 128)),
        (f"blake2s={'0' * 64}", Digest("blake2s", "0" * 64)),
    ],
)
def test_a_checksum_tells_its_algorithm(text: str, digest: Digest) -> None:
    """By name, or by its length."""
    assert read_digest(text) == digest


@pytest.mark.parametrize(
    "text", ["", "00", "x" * 64, "md5:", ":00", "sha1:" + "0" * 32]
)
def test_a_checksum_that_is_none_is_refused(text: str) -> None:
    """In words that fit beside the field."""
    with pytest.raises(Meaningless) as caught:
        read_digest(text)
    assert 0 < len(str(caught.value)) < 40


@pytest.mark.parametrize("text", ["", "..", " - ", "a/b", "a\0b", "\x01", "\u202e"])
def test_a_name_is_refused_where_nothing_would_be_left_of_it(text: str) -> None:
    """Before the engine has to."""
    with pytest.raises(Meaningless):
        read_name(text)
