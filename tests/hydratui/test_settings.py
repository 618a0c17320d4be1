"""What may be set, in which layer, and what people are told where it may not."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, strategies as st

from engine import Config, OnConflict, Timetable, UsageError, browsers
from hydratui.kinds import Headers, Switch
from hydratui.settings import Layer, Settings, load, printed, save
from hydratui.table import BY_NAME, OPTIONS, Effect, Option

MIB = 1024 * 1024
NAMES = sorted(BY_NAME)
SET = [option for option in OPTIONS if option.field]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def loaded(
    path: Path,
    text: str = "",
    environ: Mapping[str, str] | None = None,
    **typed: str,
) -> Settings:
    """The settings with this file, these variables and these options typed."""
    path.write_text(text)
    names = {name.replace("_", "-"): value for name, value in typed.items()}
    return load(names, file=str(path), environ=environ or {})


def refused(path: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    """What is said about a file, or about variables."""
    with pytest.raises(UsageError) as raised:
        loaded(path, text, environ)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# -- the table


@pytest.mark.parametrize("option", SET, ids=lambda option: option.name)
def test_built_in_values_are_the_engines(option: Option) -> None:
    """What the table says is built in is what an engine does that is told nothing."""
    if option.default:
        value = option.parse(option.default)
        assert value == getattr(Config(), option.field)
    else:
        assert not getattr(Config(), option.field)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_is_whole(option: Option) -> None:
    """Each has a meaning and a group, and what takes a value says which."""
    assert option.help
    assert option.group
    assert option.metavar or not option.typed or isinstance(option.kind, Switch)
    assert option.default or option.kind.write("") in ("", [])


BOUNDED = [option for option in SET if re.search(r"\d (to|or) ", option.kind.allowed)]


@pytest.mark.parametrize("option", BOUNDED, ids=lambda option: option.name)
def test_what_is_said_to_be_allowed_is_allowed(option: Option) -> None:
    """The bounds in words are those that are held, and nothing beyond them passes."""
    found = re.match(r"([\d.]+) (?:to ([\d.]+)|or more)", option.kind.allowed)
    assert found
    low, high = found[1], found[2]
    option.parse(low)
    with pytest.raises((ValueError, UsageError)):
        option.parse("0" if float(low) else "-1")
    if high:
        option.parse(high)
        with pytest.raises(UsageError, match=high):
            option.parse(str(int(high) + 1))


def test_choices_are_all_there_are() -> None:
    """What can be chosen is what the engine knows."""
    assert tuple(BY_NAME["on-conflict"].kind.choices) == tuple(OnConflict)
    assert tuple(BY_NAME["browser"].kind.choices) == ("none", *browsers())


def test_only_what_an_app_can_change_is_said_to_change() -> None:
    """A value counts at once or for new downloads only where somebody sees to it."""
    effects = {option.name: option.effect for option in OPTIONS}
    assert {n for n, e in effects.items() if e is Effect.NOW} == {"limit", "theme"}
    assert {n for n, e in effects.items() if e is Effect.NEW} == {"output", "threads"}


# -- the layers


def test_nothing_said_is_built_in(tmp_path: Path) -> None:
    """With no file and no variable the settings are those of the documentation."""
    settings = load({}, environ={"HOME": str(tmp_path)})
    assert settings.config == Config()
    assert {source.layer for source in settings.sources.values()} == {Layer.BUILT_IN}
    assert set(settings.sources) == set(BY_NAME)
    assert settings.keys == {}
    assert settings.theme is None


def test_the_file_is_in_the_folder_for_settings(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless another is named, `hydra-tui/config.toml` of the platform is read."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(path.parent))
    there = path.parent / "hydra-tui" / "config.toml"
    there.parent.mkdir()
    there.write_text("threads = 3")
    settings = load({}, environ={})
    assert settings.path == there
    assert settings.config.threads == 3


def test_a_later_layer_wins(path: Path) -> None:
    """Built-in, then the file, then the environment, then what was typed."""
    text = "threads = 2\njobs = 2\nbuffer = 8"
    environ = {"HYDRA_TUI_THREADS": "3", "HYDRA_TUI_JOBS": "3"}
    settings = loaded(path, text, environ, threads="4")
    config = settings.config
    assert (config.threads, config.jobs, config.buffer) == (4, 3, 8 * MIB)
    assert config.min_chunk == MIB
    assert settings.sources["threads"] == (Layer.TYPED, "--threads", "4")
    assert settings.sources["jobs"] == (Layer.ENVIRONMENT, "HYDRA_TUI_JOBS", "3")
    assert settings.sources["buffer"] == (Layer.FILE, f"{path}, line 3", "8")
    assert settings.sources["limit"] == (Layer.BUILT_IN, "built-in", "none")
    assert settings.written == {"threads": "2", "jobs": "2", "buffer": "8"}


def test_a_later_layer_can_take_back(path: Path) -> None:
    """`auto`, `none` and `false` are values too."""
    text = "threads = 8\nlimit = 5\nbrowser = 'chrome'\ngive-up-after = 7\n"
    environ = {"HYDRA_TUI_INSECURE": "no"}
    back = {"threads": "auto", "limit": "none", "browser": "none"}
    settings = loaded(
        path, text + "insecure = true", environ, give_up_after="auto", **back
    )
    config = settings.config
    assert (config.threads, config.limit, config.browser) == (None, None, None)
    assert (config.give_up_after, config.insecure) == (None, False)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("threads = 8", "threads", 8),
        ("threads = '8'", "threads", 8),
        ("limit = 10", "limit", 10_000_000),
        ("limit = 1.5", "limit", 1_500_000),
        ("limit = '800k'", "limit", 800_000),
        (
            "limit = '08:00,2M 23:00,off'",
            "limit",
            Timetable(((480, 2e6), (1380, None))),
        ),
        ("speed_limit = '20M'", "limit", 20_000_000),
        ("speed-limit = '20M'", "limit", 20_000_000),
        ("buffer = 64", "buffer", 64 * MIB),
        ("buffer = '20M'", "buffer", 20_000_000),
        ("min_chunk_mb = 0.5", "min_chunk", MIB // 2),
        ("min-chunk-mb = 2", "min_chunk", 2 * MIB),
        ("stream-chunk-mb = 2", "stream_chunk", 2 * MIB),
        ("give_up_after = 1e3", "give_up_after", 1000.0),
        ("insecure = true", "insecure", True),
        ("insecure = 'off'", "insecure", False),
        ("on-conflict = 'skip'", "on_conflict", OnConflict.SKIP),
        ("browser = 'none'", "browser", None),
        ("browser = ''", "browser", "chrome120"),
        ("header = ['A: b', 'C:d']", "headers", (("A", "b"), ("C", "d"))),
        ("header = 'A: b'", "headers", (("A", "b"),)),
        ("header = []", "headers", ()),
        ("output = 'here'", "output", Path("here")),
        ("output_dir = 'here'", "output", Path("here")),
        ("url-command = 'echo x'", "url_command", "echo x"),
        ("url-command = ''", "url_command", None),
        ("cacert = ''", "cacert", None),
        ("\ufeffthreads = 8", "threads", 8),
        ("threads = 8\r\n", "threads", 8),
    ],
)
def test_a_key_of_the_file(path: Path, text: str, field: str, value: object) -> None:
    """A key is the long name, with - or _; values are numbers, strings, lists, bools."""
    assert getattr(loaded(path, text).config, field) == value


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"HYDRA_TUI_MIN_CHUNK_MB": "2"}, "min_chunk", 2 * MIB),
        ({"HYDRA_TUI_OUTPUT_DIR": "x"}, "output", Path("x")),
        ({"HYDRA_TUI_SPEED_LIMIT": "5"}, "limit", 5_000_000),
        ({"HYDRA_TUI_INSECURE": "1"}, "insecure", True),
        ({"HYDRA_TUI_HEADER": "A: b\nC: d"}, "headers", (("A", "b"), ("C", "d"))),
        ({"HYDRA_TUI_THREADS": ""}, "threads", None),
        ({"HYDRA_TUI_URL": "https://example.org"}, "threads", None),
        ({"HYDRA_THREADS": "x", "THREADS": "x"}, "threads", None),
    ],
)
def test_a_variable(
    path: Path, environ: dict[str, str], field: str, value: object
) -> None:
    """A variable is HYDRA_TUI_ and the long name; an empty one says nothing."""
    assert getattr(loaded(path, "", environ).config, field) == value


def test_home_is_where_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home of whoever runs it; other paths are relative to where they are."""
    monkeypatch.setenv("HOME", "/home/somebody")
    config = loaded(path, "output = '~/data'").config
    assert config.output == Path("/home/somebody/data")
    assert loaded(path, "output = 'data'").config.output == Path("data")


def test_a_file_named_by_a_variable(path: Path) -> None:
    """HYDRA_TUI_CONFIG names another file, and `--config` has the last word."""
    path.write_text("threads = 2")
    other = path.with_name("other.toml")
    other.write_text("threads = 3")
    environ = {"HYDRA_TUI_CONFIG": str(path)}
    assert load({}, environ=environ).config.threads == 2
    assert load({}, file=str(other), environ=environ).config.threads == 3


def test_looking_again(path: Path) -> None:
    """What was saved since counts, and what was typed still overrules it."""
    settings = loaded(path, "threads = 2\njobs = 2", threads="4")
    path.write_text("threads = 3\njobs = 3")
    again = settings.again()
    assert (again.config.threads, again.config.jobs) == (4, 3)
    assert again.written == {"threads": "3", "jobs": "3"}
    path.unlink()
    assert settings.again().config == Config(threads=4)


# -- what is passed on


def test_keys_and_theme_are_passed_on(path: Path) -> None:
    """Which keys somebody wants, by action, and the theme."""
    text = """
        theme = "nord"
        [keys]
        job.pause = "x"
        "job.resume" = ["y", "ctrl+y"]
        app.help = []
    """
    settings = loaded(path, text)
    assert settings.theme == "nord"
    assert settings.keys == {
        "job.pause": ("x",),
        "job.resume": ("y", "ctrl+y"),
        "app.help": (),
    }


def test_dotted_keys_are_the_same_table(path: Path) -> None:
    """TOML has several ways to write one table."""
    assert loaded(path, "keys.job.pause = 'x'").keys == {"job.pause": ("x",)}
    assert loaded(path, "[keys.job]\npause = 'x'").keys == {"job.pause": ("x",)}
    assert loaded(path, "keys = { job.pause = 'x' }").keys == {"job.pause": ("x",)}


def test_others_can_complain_about_a_value(path: Path) -> None:
    """Whoever finds a value wrong later says where it is from, too."""
    settings = loaded(path, "theme = 'x'", {"HYDRA_TUI_NAME": "y"}, typehash="md5")
    for name, place in [
        ("theme", f"{path}, line 1: theme"),
        ("name", "HYDRA_TUI_NAME"),
        ("typehash", "--typehash"),
        ("keys.job.pause", f"{path}: keys.job.pause"),
    ]:
        assert str(settings.wrong(name, "no such thing")) == f"{place}: no such thing"


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("threads = 0", ", line 1: threads: 0 is not allowed; 1 to 128"),
        ("# one\njobs = 99", ", line 2: jobs: 99 is not allowed; 1 to 16"),
        ("threads = 'many'", ", line 1: threads many: a whole number is needed"),
        ("threads = 1.5", "threads 1.5: a whole number is needed"),
        ("threads = true", "threads: a number is needed"),
        ("threads = [1]", "threads: a number is needed"),
        ("limit = 'fast'", "limit fast: a number is needed, with K, M, G"),
        ("limit = 0", "limit: 0 is not allowed"),
        ("limit = '08:00,2M 9,3M'", "'9,3M': it is written as HH:MM,RATE"),
        ("limit = '08:00'", "'08:00': it is written as HH:MM,RATE"),
        ("limit = '24:00,2M'", "from 00:00 to 23:59"),
        ("limit = '08:00,2M 8:00,3M'", "a time stands there twice"),
        ("limit = '08:00,0'", "limit: 0 is not allowed"),
        ("speed_limit = 0", "speed_limit: 0 is not allowed"),
        ("give-up-after = nan", "give-up-after: nan is not allowed"),
        ("stall-timeout = 2024-01-01", "stall-timeout: a number is needed"),
        ("buffer = 1", "buffer: 1 is not allowed; 4 to 65536 MiB"),
        ("insecure = 1", "insecure: true or false is needed"),
        ("insecure = 'maybe'", "insecure maybe: true or false is needed"),
        ("output = 7", "output: a string is needed"),
        ("on-conflict = 'ask'", "on-conflict ask: it is one of rename, overwrite"),
        ("browser = 'netscape'", "unknown browser 'netscape'; known are none, edge"),
        ("typehash = 'crc'", "unknown hash algorithm 'crc'; known are md5"),
        ("header = 'nonsense'", "'nonsense': it is written as 'Name: value'"),
        ("header = ['Range: x']", "header: header Range is ours"),
        ("header = [1]", "header: a list of 'Name: value' is needed"),
        ('header = "a: b\\nc: d"', "'a: b': line breaks are not allowed"),
        ("cacert = '/no/such'", "cacert /no/such: it cannot be read"),
        ("cacert = 'a\\u0000b'", "cacert"),
        ("thread = 8", "thread: there is no such setting; did you mean threads?"),
        ("Threads = 8", "Threads: there is no such setting; did you mean threads?"),
        ("qqq = 8", "qqq: there is no such setting; hydra-tui --print-config"),
        ("[qqq]\na = 1", "qqq: there is no such setting; [keys] is the only table"),
        ("config = 'x'", "config: there is no such setting"),
        ("output = 'a'\noutput_dir = 'b'", "output_dir: output is set twice"),
        ("threads 8", "it is not TOML: Expected '=' .*line 1, column 9"),
        ("a = 1\nb = [1,\n", "it is not TOML: .*line 2, column 8"),
        ("threads = 1\nthreads = 2", "it is not TOML: .*line 2"),
        ("keys = 3", "keys: a key or a list of keys is needed"),
        ("keys = 'x'", "keys: a key or a list of keys is needed"),
        ("[keys]\nq.a = 3", "line 2: keys.q.a: a key or a list of keys is needed"),
        ("[keys]\nq = [3]", "line 2: keys.q: a key or a list of keys is needed"),
    ],
)
def test_a_wrong_file_is_told(path: Path, text: str, reason: str) -> None:
    """One line names file, line, key and value, and what would be right."""
    said = refused(path, text)
    assert said.startswith(str(path))
    pattern = reason if ".*" in reason else re.escape(reason)
    assert re.search(pattern, said), said


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        (
            {"HYDRA_TUI_LIMIT": "x"},
            "HYDRA_TUI_LIMIT x: a number is needed, with K, M, G",
        ),
        (
            {"HYDRA_TUI_THREADS": "0"},
            "HYDRA_TUI_THREADS: 0 is not allowed; 1 to 128",
        ),
        (
            {"HYDRA_TUI_THREAD": "1"},
            "HYDRA_TUI_THREAD: there is no such setting; did you mean HYDRA_TUI_THREADS?",
        ),
        ({"HYDRA_TUI_OUTPUT": "a", "HYDRA_TUI_OUTPUT_DIR": "b"}, "is set twice"),
        ({"HYDRA_TUI_HEADER": "Authorization"}, "HYDRA_TUI_HEADER: 'Authorization'"),
    ],
)
def test_a_wrong_variable_is_told(
    path: Path, environ: dict[str, str], reason: str
) -> None:
    """The variable, its value, and what would be right."""
    assert reason in refused(path, "", environ)


def test_a_wrong_value_is_told_where_it_is_overruled(path: Path) -> None:
    """What is wrong in a file is not hidden by what was typed."""
    path.write_text("threads = 0")
    with pytest.raises(UsageError, match="line 1: threads: 0"):
        load({"threads": "4"}, file=str(path), environ={})


def test_a_long_value_is_cut(path: Path) -> None:
    """The message fits a line, however long what was written is."""
    assert len(refused(path, f"limit = '{'x' * 5000}'")) < 300


def test_secrets_are_not_told(path: Path) -> None:
    """A header that lost its colon may still be a secret."""
    assert "hunter2" not in refused(path, "header = 'Authorization Bearer hunter2'")
    text = 'header = "Authorization: hunter2\\nX: y"'
    assert "hunter2" not in refused(path, text)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "--config {}: No such file or directory"),
        (lambda path: path.mkdir(), "{}: it cannot be read: Is a directory"),
        (lambda path: path.symlink_to(path), "{}: it cannot be read: Too many levels"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "{}: it is not text in UTF-8"),
    ],
)
def test_a_file_that_is_none(path: Path, make: Any, reason: str) -> None:
    """A file that somebody names must be there, and be text."""
    make(path)
    with pytest.raises(UsageError) as raised:
        load({}, file=str(path), environ={})
    assert str(raised.value).startswith(reason.format(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path: Path) -> None:
    """A file that is there and closed to us is no reason to go on without it."""
    path.touch(mode=0)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        load({}, file=str(path), environ={})


@given(
    st.dictionaries(st.sampled_from([*NAMES, "keys", "x"]), st.text() | st.integers())
)
def test_no_file_is_a_surprise(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str | int]
) -> None:
    """Whatever stands in a file, it is settings or one usage error."""
    path = tmp_path_factory.getbasetemp() / "surprise.toml"
    path.write_text(tomlkit.dumps(values))
    try:
        settings = load({}, file=str(path), environ={})
    except UsageError:
        return
    assert isinstance(settings.config, Config)


# -- what is printed


SOME = """
threads = 3
limit = "1.5M"
header = ["A: b", "Accept: c; d='e\\"'"]
insecure = true
url-command = "sign.sh \\\\ x"
output = "d\u00e9j\u00e0 vu # not a comment"
give-up-after = 2.5
"""


def test_what_is_printed_is_a_file(path: Path) -> None:
    """The printed settings are a file that says the same, and where it is from."""
    settings = loaded(path, SOME, {"HYDRA_TUI_JOBS": "2"}, buffer="8")
    lines = list(printed(settings))
    assert len(lines) == len(OPTIONS)
    assert f"threads = 3  # {path}, line 2" in lines
    assert "jobs = 2  # HYDRA_TUI_JOBS" in lines
    assert "buffer = 8  # --buffer" in lines
    assert "connect-timeout = 15  # built-in" in lines
    again = loaded(path, "\n".join(lines))
    assert again.config == settings.config


def test_secrets_are_not_printed(path: Path) -> None:
    """Of what opens doors only the name is shown."""
    text = """
        header = ["Authorization: Bearer hunter2", "cookie: hunter2", "A: b"]
        url-command = "curl https://me:hunter2@example.org/sign"
    """
    out = "\n".join(printed(loaded(path, text)))
    assert "hunter2" not in out
    values = tomllib.loads(out)
    assert values["header"] == ["Authorization: ***", "cookie: ***", "A: b"]
    assert values["url-command"] == "curl https://***@example.org/sign"


def test_a_file_with_a_hostile_name_stays_a_comment(tmp_path: Path) -> None:
    """What a path is made of cannot become a setting or style the terminal."""
    path = tmp_path / "a\nthreads = 9\x1b[31m"
    lines = list(printed(loaded(path, "jobs = 2")))
    assert len(lines) == len(OPTIONS)
    assert not any("\n" in line or "\x1b" in line for line in lines)


@given(st.lists(st.text(st.characters(exclude_characters="\n")), max_size=4))
def test_masking_loses_nothing(lines: list[str]) -> None:
    """Whoever edits one masked header keeps the secrets of the others."""
    kind = Headers()
    known = "\n".join(["Authorization: one", *lines, "Cookie: two", "Cookie: three"])
    shown = kind.masked(known)
    assert kind.revealed(shown, known) == known
    assert kind.revealed(shown + "\nB: c", known) == known + "\nB: c"
    assert kind.revealed("Cookie: ***", known) == "Cookie: two"
    assert kind.revealed("Cookie: four", known) == "Cookie: four"


# -- what is saved


TEXTS: dict[str, st.SearchStrategy[str]] = {
    "threads": st.integers(1, 128).map(str) | st.just("auto"),
    "limit": st.integers(1, 99).map(str) | st.sampled_from(["none", "1.5G", "20 MB/s"]),
    "stall-timeout": st.floats(0.1, 1e6).map(str),
    "insecure": st.sampled_from(["true", "false", "yes", "0"]),
    "on-conflict": st.sampled_from([*OnConflict]),
    "output": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    "header": st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"])).map("X: {}".format),
        min_size=1,
    ).map("\n".join),
}


@given(st.fixed_dictionaries({}, optional=dict(TEXTS)))
def test_what_was_saved_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]
) -> None:
    """Every value comes back from the file as what it meant."""
    path = tmp_path_factory.getbasetemp() / "saved.toml"
    path.write_text("# mine\njobs = 2 # two\n")
    save(path, texts)
    settings = load({}, file=str(path), environ={})
    for name, text in texts.items():
        option = BY_NAME[name]
        assert option.parse(settings.text(name)) == option.parse(text)
        assert settings.sources[name].layer is Layer.FILE
    save(path, dict.fromkeys(texts))
    assert path.read_text().strip() == "# mine\njobs = 2 # two"


def test_a_value_is_saved_as_what_it_is(path: Path) -> None:
    """Numbers, switches and lists are no strings in the file."""
    changes = {
        "threads": "8",
        "stall-timeout": "2.5",
        "limit": "20M",
        "insecure": "yes",
        "header": "A: b\nC: d",
        "output": "8",
    }
    save(path, changes)
    assert path.read_text().splitlines() == [
        "threads = 8",
        "stall-timeout = 2.5",
        'limit = "20M"',
        "insecure = true",
        'header = ["A: b", "C: d"]',
        'output = "8"',
    ]
