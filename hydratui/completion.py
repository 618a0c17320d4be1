"""What a shell needs to complete our options: one script for each, made from the table.

The scripts hold words and run nothing of ours. What follows an option is told by its
kind, if that has words to choose from, and else by what its value is called: `FILE` is
a file, `DIR` a folder, and anything else is for people to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from hydratui.kinds import Lines, Switch
from hydratui.table import TYPED, Option

METALINKS = ("meta4", "metalink")
"""How the name of a file ends that may be typed in place of a URL."""


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`."""
    return "\n".join(_SCRIPTS[shell]())


def _names(option: Option) -> list[str]:
    return [*filter(None, [option.short]), option.flag]


def _opposites(option: Option) -> list[str]:
    return [option.off, option.opposite] if option.off else []


def _takes_value(option: Option) -> bool:
    return not isinstance(option.kind, Switch)


def _words(option: Option) -> Sequence[str]:
    return option.kind.choices or option.kind.proposed


def _quoted(text: str) -> str:
    """For bash and zsh, in whose single quotes nothing else means anything."""
    return "'" + text.replace("'", r"'\''") + "'"


# -- bash ------------------------------------------------------------------------

_BASH_HEAD = r"""# bash completion for hydra-tui

_hydra_tui_add() {
    local reply
    while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen "$@")
}

_hydra_tui_add_paths() {
    compopt -o filenames 2>/dev/null
    _hydra_tui_add "$@"
}

_hydra_tui() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local word are_options=yes
    COMPREPLY=()
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
        [[ $word != -- ]] || are_options=
    done
    case ${are_options:+$before} in"""
_BASH_MIDDLE = r"""    esac
    if [[ $are_options && $current == -* ]]; then"""
_BASH_TAIL = r"""    fi
}

complete -F _hydra_tui hydra-tui"""


def _bash() -> Iterator[str]:
    yield _BASH_HEAD
    for option in filter(_takes_value, TYPED):
        yield f"        {'|'.join(_names(option))})"
        yield from _bash_value(option)
        yield "            return ;;"
    yield _BASH_MIDDLE
    names = chain.from_iterable(_names(o) + _opposites(o) for o in TYPED)
    yield f"""        _hydra_tui_add -W {_quoted(" ".join(names))} -- "$current\""""
    yield "    else"
    for ending in METALINKS:
        yield f"""        _hydra_tui_add_paths -f -X '!*.{ending}' -- "$current\""""
    yield """        _hydra_tui_add_paths -d -- "$current\""""
    yield _BASH_TAIL


def _bash_value(option: Option) -> Iterator[str]:
    if words := _words(option):
        quoted = _quoted(" ".join(words))
        yield f"""            _hydra_tui_add -W {quoted} -- "$current\""""
    elif option.metavar in _BASH_PATHS:
        what = _BASH_PATHS[option.metavar]
        yield f"""            _hydra_tui_add_paths {what} -- "$current\""""


_BASH_PATHS = {"FILE": "-f", "DIR": "-d"}

# -- zsh -------------------------------------------------------------------------


_ZSH_TAIL = r"""}

if [[ $funcstack[1] == _hydra-tui ]]; then
    _hydra-tui "$@"
else
    compdef _hydra-tui hydra-tui
fi"""
"""It is called as the function itself where zsh finds the file, and else is sourced."""


def _zsh() -> Iterator[str]:
    yield "#compdef hydra-tui\n"
    yield "_hydra-tui() {"
    yield "    _arguments -S \\"
    for option in TYPED:
        yield from (f"        {spec} \\" for spec in _zsh_specs(option))
    yield f"        '*:URL:_files -g \"*.({'|'.join(METALINKS)})\"'"
    yield _ZSH_TAIL


def _zsh_specs(option: Option) -> Iterator[str]:
    names, opposites = _names(option), _opposites(option)
    meaning = f"[{_zsh_escaped(option.help)}]"
    if _takes_value(option):
        value = f":{_zsh_escaped(option.metavar)}:{_zsh_value(option)}"
        names[-1] += "="
    else:
        value = ""
    yield _zsh_spec(option, names, meaning + value)
    if opposites:
        yield _zsh_spec(option, opposites, f"[do not {_zsh_escaped(option.help)}]")


def _zsh_spec(option: Option, names: list[str], rest: str) -> str:
    """One for all of the names; none of them is offered again, unless it may be."""
    all_of_it = " ".join(_names(option) + _opposites(option))
    before = "'*'" if isinstance(option.kind, Lines) else f"'({all_of_it})'"
    either = f"{{{','.join(names)}}}" if len(names) > 1 else names[0]
    return f"{before}{either}{_quoted(rest)}"


def _zsh_escaped(text: str) -> str:
    for character in r"\[]:":
        text = text.replace(character, "\\" + character)
    return text


def _zsh_value(option: Option) -> str:
    if words := _words(option):
        return f"({' '.join(words)})"
    return _ZSH_PATHS.get(option.metavar, " ")


_ZSH_PATHS = {"FILE": "_files", "DIR": "_files -/"}

# -- fish ------------------------------------------------------------------------


def _fish() -> Iterator[str]:
    yield "complete -c hydra-tui -f"
    for ending in METALINKS:
        yield f"complete -c hydra-tui -a '(__fish_complete_suffix .{ending})'"
    for option in TYPED:
        value = _fish_value(option) if _takes_value(option) else ""
        yield _fish_line(_names(option), value, option.help)
        if opposites := _opposites(option):
            yield _fish_line(opposites, "", f"do not {option.help}")


def _fish_line(names: Sequence[str], value: str, meaning: str) -> str:
    flags = " ".join(map(_fish_name, names))
    return f"complete -c hydra-tui {flags}{value} -d {_fish_quoted(meaning)}"


def _fish_name(name: str) -> str:
    """Long, short, or what has one dash and several letters."""
    if name.startswith("--"):
        return f"-l {name[2:]}"
    return f"-s {name[1:]}" if len(name) == 2 else f"-o {name[1:]}"


def _fish_value(option: Option) -> str:
    if words := _words(option):
        return f" -x -a {_fish_quoted(' '.join(words))}"
    return _FISH_PATHS.get(option.metavar, " -x")


_FISH_PATHS = {"FILE": " -r -F", "DIR": " -x -a '(__fish_complete_directories)'"}


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SCRIPTS: dict[str, Callable[[], Iterator[str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
