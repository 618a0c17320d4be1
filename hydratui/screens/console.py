"""Does what is typed after a colon; what is wrong with it is said in the log line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine import HydraError, JobSnapshot
from hydratui.commands import chosen, parse
from hydratui.filters import parse_filter
from hydratui.keymap import ACTIONS, VIEWS
from hydratui.metalinks import is_metalink
from hydratui.outside import read_list, write_list
from hydratui.screens.throttle import chosen_limit
from hydratui.steering import MOST_LANES

if TYPE_CHECKING:
    from hydratui.screens.main import MainScreen

_OFF = {"off", "none", "no", "0"}


class Console:
    """The hands of the command line on the main screen."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    async def run(self, text: str) -> None:
        """Do it, or say why not."""
        if not text.strip():
            return
        try:
            said = await self._do(text)
        except OSError as error:
            said = f"{error.filename}: {error.strerror}"
        except (HydraError, ValueError) as error:
            said = str(error)
        self._screen.note(said)

    async def _do(self, text: str) -> str:
        command = parse(text)
        action = next((one for one in ACTIONS if one.id == command.verb), None)
        if action is not None:
            await self._screen.run_action(action.command)
            return ""
        name = command.verb.replace("!", "_at_once")
        said = getattr(self, f"verb_{name}")(command.rest)
        return str(said if isinstance(said, str) else await said)

    def _jobs(self, text: str) -> Sequence[JobSnapshot]:
        """Those that are named; without a name, those that keys are for."""
        if not text:
            return self._screen.targets
        wanted = set(chosen(text, self._screen.all_jobs))
        return [job for job in self._screen.all_jobs if job.id in wanted]

    # ------------------------------------------------------------------- verbs

    async def verb_add(self, rest: str) -> str:
        return await self._screen.add_or_ask(rest)

    async def verb_open(self, rest: str) -> str:
        text = rest if is_metalink(rest) else read_list(rest)
        await self._screen.ask_to_add(text)
        return ""

    def verb_pause(self, rest: str) -> str:
        return self._screen.orders.pause(self._jobs(rest))

    def verb_resume(self, rest: str) -> str:
        return self._screen.orders.resume(self._jobs(rest))

    def verb_retry(self, rest: str) -> str:
        return self._screen.orders.retry(self._jobs(rest))

    async def verb_remove(self, rest: str) -> str:
        await self._screen.ask_to_remove(self._jobs(rest))
        return ""

    def verb_limit(self, rest: str) -> str:
        wanted, _, names = rest.partition(" ")
        limit = None if wanted in _OFF else _limit(wanted)
        jobs = self._jobs(names.strip()) if names.strip() else None
        return self._screen.orders.limit(limit, jobs)

    def verb_lanes(self, rest: str) -> str:
        wanted, _, names = rest.partition(" ")
        jobs = [job for job in self._jobs(names.strip()) if not job.state.is_final]
        count = None if wanted == "auto" else _between(wanted, 1, MOST_LANES)
        return self._screen.orders.lanes(jobs, count) if jobs else ""

    def verb_pipe(self, rest: str) -> str:
        job = self._screen.job
        if job is None:
            return ""
        command = None if rest in _OFF else rest.lstrip("| ")
        if command == "":
            raise ValueError("pipe needs a command, or off")
        spec = replace(self._screen.helm.spec(job.id), command=command)
        return self._screen.orders.pipe(job, spec)

    def verb_move(self, rest: str) -> str:
        job, jobs = self._screen.job, self._screen.all_jobs
        if job is None:
            return ""
        place = _between(rest, 1, len(jobs))
        now = next(i for i, one in enumerate(jobs, 1) if one.id == job.id)
        self._screen.helm.move(job.id, place - now)
        return f"#{job.id} is number {place} in the queue"

    def verb_mark(self, rest: str) -> str:
        self._screen.mark(self._jobs(rest))
        return ""

    def verb_sort(self, rest: str) -> str:
        self._screen.sort_by(rest)
        return ""

    def verb_filter(self, rest: str) -> str:
        self._screen.set_filter(parse_filter(rest))
        return ""

    def verb_view(self, rest: str) -> str:
        keys = {str(key): view for key, view in enumerate(VIEWS, start=1)}
        view = keys.get(rest, rest)
        if view not in VIEWS:
            raise ValueError(f"there is no view {rest!r}; {', '.join(VIEWS)}")
        self._screen.see(view)
        return ""

    def verb_theme(self, rest: str) -> str:
        themes = self._screen.app.available_themes
        if rest not in themes:
            raise ValueError(f"there is no theme {rest!r}; {', '.join(sorted(themes))}")
        self._screen.app.theme = rest
        return f"theme {rest}"

    def verb_export(self, rest: str) -> str:
        specs = [self._screen.helm.spec(job.id) for job in self._screen.all_jobs]
        write_list(rest, specs)
        return f"wrote {len(specs)} URLs to {rest}"

    def verb_clear(self, _rest: str) -> str:
        return self._screen.orders.clear(self._screen.all_jobs)

    async def verb_help(self, _rest: str) -> str:
        return await self._app_action("help")

    async def verb_settings(self, _rest: str) -> str:
        return await self._app_action("settings")

    async def verb_quit(self, _rest: str) -> str:
        return await self._app_action("leave")

    def verb_quit_at_once(self, _rest: str) -> str:
        self._screen.app.exit(return_code=0)
        return ""

    async def _app_action(self, name: str) -> str:
        await self._screen.app.run_action(name)
        return ""


def _limit(text: str) -> float | None:
    try:
        return chosen_limit(text).rate
    except ValueError as error:
        raise ValueError(f"limit {text!r}: {error}; or off") from None


def _between(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is not a number from {low} to {high}")
    return int(text)
