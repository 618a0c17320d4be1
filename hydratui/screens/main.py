"""The screen that is seen most: what its keys do, and what may be typed into it.

Keys become orders for the marked jobs, or for the selected one; `:` commands
become orders for the jobs they name. What is seen of it all is the board's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partialmethod
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Paste

from engine import JobSnapshot, JobSpec, JobState
from hydratui import pasted
from hydratui.filters import Filter, parse_filter
from hydratui.keymap import ACTIONS, VIEWS, Keymap
from hydratui.listing import column_named
from hydratui.orders import FAR, Orders
from hydratui.outside import open_with_desktop
from hydratui.screens.add import Add, Added
from hydratui.screens.board import Board
from hydratui.screens.console import Console
from hydratui.screens.edit import Edit
from hydratui.screens.remove import Removal, Removing
from hydratui.screens.renew import FreshLink
from hydratui.screens.throttle import Limit, Scope, Throttle
from hydratui.steering import Helm, stepped_limit
from hydratui.text import safe
from hydratui.widgets.prompt import Prompt

_BINDINGS = [
    Binding(
        ",".join(action.keys),
        action.command,
        action.help,
        show=False,
        priority=True,  # nobody types here, and it saves two turns of the loop
        id=action.id,
    )
    for action in ACTIONS
]


class MainScreen(Board):
    """The board, and the hands on it."""

    BINDINGS: ClassVar[list[BindingType]] = [*_BINDINGS]

    def __init__(
        self, helm: Helm, keymap: Keymap = ACTIONS, *, output: Path = Path()
    ) -> None:
        super().__init__(helm, keymap)
        self.output = output
        """Where files go that are sent nowhere else."""
        self.orders = Orders(helm)
        self._command_line = Console(self)
        self._filter_before = Filter()
        self._views_of = {action.command: action.views for action in keymap}

    def begin(self, specs: Sequence[JobSpec]) -> None:
        """Add what was asked for before there was a screen."""
        if specs:
            self.note(self.orders.add(specs, first=False, paused=False))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """While somebody types, keys are letters; some mean nothing in some views."""
        if self.is_typing:
            return False
        views = self._views_of.get(action)
        return not views or self.view in views

    @property
    def is_typing(self) -> bool:
        """Whether keys are letters now."""
        return self._prompt.is_open

    @property
    def targets(self) -> list[JobSnapshot]:
        """The marked jobs, or the selected one."""
        wanted = set(self._queue.targets)
        return [job for job in self._queue.jobs if job.id in wanted]

    @property
    def all_jobs(self) -> Sequence[JobSnapshot]:
        """In the order of the queue."""
        return self._frame.snapshot.jobs if self._frame else ()

    @property
    def has_live_jobs(self) -> bool:
        return any(self._count(state) for state in JobState if state.is_live)

    @property
    def is_going(self) -> bool:
        """Whether anything runs, or will."""
        return self.has_live_jobs or self._count(JobState.QUEUED) > 0

    @property
    def summary(self) -> str:
        """How many ended how."""
        ends = ((state, self._count(state)) for state in JobState if state.is_final)
        return ", ".join(f"{count} {state}" for state, count in ends if count)

    def _count(self, state: JobState) -> int:
        return self._frame.counts[state] if self._frame else 0

    # ------------------------------------------------------------- movement

    def _move(self, step: int) -> None:
        if self.scrolled is not None:
            self.scrolled.scroll(step)
        else:
            self._queue.move(step)
        self.look()

    action_nav_up = partialmethod(_move, -1)
    action_nav_down = partialmethod(_move, 1)
    action_nav_first = partialmethod(_move, -FAR)
    action_nav_last = partialmethod(_move, FAR)

    def _turn_page(self, direction: int) -> None:
        page = self._queue.page if self.scrolled is None else self.scrolled.page
        self._move(direction * page)

    action_nav_page_up = partialmethod(_turn_page, -1)
    action_nav_page_down = partialmethod(_turn_page, 1)

    def action_mark_toggle(self) -> None:
        self._queue.mark()
        self.look()

    def mark(self, jobs: Sequence[JobSnapshot]) -> None:
        """Mark these and no others."""
        self._queue.mark_only({job.id for job in jobs})
        self.look()

    def action_mark_all(self) -> None:
        self._queue.mark_all()
        self.look()

    def action_mark_none(self) -> None:
        self._queue.unmark()
        self.look()

    # ------------------------------------------------------------------ jobs

    def action_job_toggle(self) -> None:
        self.note(self.orders.toggle(self.targets))

    def action_job_pause(self) -> None:
        self.note(self.orders.pause(self.targets))

    def action_job_resume(self) -> None:
        self.note(self.orders.resume(self.targets))

    def action_job_retry(self) -> None:
        self.note(self.orders.retry(self.targets))

    def action_queue_toggle(self) -> None:
        self.note(self.orders.toggle(self.all_jobs))

    def action_queue_clear(self) -> None:
        self.note(self.orders.clear(self.all_jobs))

    def _reorder(self, places: int) -> None:
        if self._queue.is_in_queue_order:
            self.note(self.orders.move(self.targets, self.all_jobs, places))
        else:
            self.note("jobs are moved in the queue's own order: sort by # first")

    action_job_up = partialmethod(_reorder, -1)
    action_job_down = partialmethod(_reorder, 1)
    action_job_first = partialmethod(_reorder, -FAR)
    action_job_last = partialmethod(_reorder, FAR)

    async def action_job_remove(self) -> None:
        await self.ask_to_remove(self.targets)

    async def ask_to_remove(self, jobs: Sequence[JobSnapshot]) -> None:
        def answered(answer: Removal | None) -> None:
            if answer in {Removal.KEEP, Removal.DELETE}:
                delete = answer is Removal.DELETE
                self.note(self.orders.remove(jobs, delete=delete))
            self.look()

        if jobs:
            await self.app.push_screen(Removing(jobs), answered)

    def action_job_copy_url(self) -> None:
        if self.job is not None:
            self._copy(self.helm.spec(self.job.id).url, "URL")

    def action_job_copy_path(self) -> None:
        if self.job is not None and self.job.target:
            self._copy(self.job.target, "path")

    def _copy(self, text: str, what: str) -> None:
        """What is no text in it, as in some names of files, can not be copied."""
        self.app.copy_to_clipboard(text.encode(errors="replace").decode())
        self.note(f"the {what} is in the clipboard")

    def action_job_open_file(self) -> None:
        if self.job is not None and self.job.target:
            self.note(open_with_desktop(Path(self.job.target)))

    def action_job_open_folder(self) -> None:
        if self.job is not None and self.job.target:
            self.note(open_with_desktop(Path(self.job.target).parent))

    # ------------------------------------------------------- adding, changing

    async def action_job_add(self) -> None:
        await self.ask_to_add("")

    async def on_paste(self, event: Paste) -> None:
        """Pasting works wherever one is."""
        event.stop()
        if event.text.strip():
            await self.ask_to_add(event.text)

    async def ask_to_add(self, text: str) -> None:
        def answered(added: Added | None) -> None:
            self.note(self._add(added) if added else "")

        dialog = Add(text, self.output, known=self._is_known, take=self._add)
        await self.app.push_screen(dialog, answered)

    async def add_or_ask(self, text: str) -> str:
        """Add what was typed; where something is wrong with it, let it be mended."""
        read = pasted.read(text)
        if any(one.spec is None for one in read):
            await self.ask_to_add(text)
            return ""
        specs = tuple(one.spec for one in read if one.spec is not None)
        return self._add(Added(specs, first=False, paused=False))

    def _add(self, added: Added) -> str:
        return self.orders.add(added.specs, first=added.first, paused=added.paused)

    def _is_known(self, spec: JobSpec) -> bool:
        return self.helm.find(spec) is not None

    async def action_job_edit(self) -> None:
        job = self.job
        if job is None or job.state is JobState.DONE:
            return
        spec = self.helm.spec(job.id)

        def answered(changed: JobSpec | None) -> None:
            if changed is not None and changed != spec:
                self.helm.revise(job.id, changed)
                self.note(f"#{job.id} changed")
            self.look()

        await self.app.push_screen(Edit(spec, safe(job.name)), answered)

    async def action_job_renew(self) -> None:
        job = self.job
        if job is None or job.state is JobState.DONE:
            return

        def answered(url: str | None) -> None:
            if url is not None:
                self.helm.renew(job.id, url)
                self.note(f"#{job.id} has a fresh URL")
            self.look()

        await self.app.push_screen(FreshLink(safe(job.name), safe(job.url)), answered)

    # ----------------------------------------------------------------- speed

    @property
    def _steered(self) -> list[JobSnapshot]:
        """The targets that are not over, the selected one with its window."""
        self.sample()
        jobs = [job for job in self.targets if not job.state.is_final]
        return [self.job if self.job and job.id == self.job.id else job for job in jobs]

    def _step_lanes(self, step: int) -> None:
        self.note(self.orders.step_lanes(self._steered, step))

    action_lanes_more = partialmethod(_step_lanes, 1)
    action_lanes_fewer = partialmethod(_step_lanes, -1)

    def action_lanes_auto(self) -> None:
        if jobs := self._steered:
            self.note(self.orders.lanes(jobs, None))

    def _step_limit(self, direction: int) -> None:
        snapshot = self.sample().snapshot
        limit = stepped_limit(snapshot.limit, snapshot.rate, direction)
        self.note(self.orders.limit(limit))

    action_limit_down = partialmethod(_step_limit, -1)
    action_limit_up = partialmethod(_step_limit, 1)

    async def action_limit_all(self) -> None:
        await self._ask_limit(for_all=True)

    async def action_limit_job(self) -> None:
        await self._ask_limit(for_all=False)

    async def _ask_limit(self, *, for_all: bool) -> None:
        def answered(limit: Limit | None) -> None:
            if limit is not None:
                named = [job for job in self.all_jobs if job.id in limit.jobs]
                self.note(self.orders.limit(limit.rate, named or None))
            self.look()

        snapshot, jobs = self.sample().snapshot, self._steered
        scopes = [Scope("all jobs", (), snapshot.limit, snapshot.rate)]
        if jobs:
            scopes.append(_scope(jobs))
        chosen = 0 if for_all else len(scopes) - 1
        await self.app.push_screen(Throttle(scopes, chosen), answered)

    # ----------------------------------------------------- finding and sorting

    def open_command_line(self, text: str) -> None:
        self._prompt.open(":", text)

    def action_find_filter(self) -> None:
        self._filter_before = self._queue.filter
        text = "" if self.view == "log" else self._queue.filter.text
        self._prompt.open("/", text)

    def on_prompt_typing(self, event: Prompt.Typing) -> None:
        if event.sign != "/":
            return
        if self.view == "log":
            self._log.find(event.text)
        else:
            self._try_filter(event.text)
        self.look()

    def set_filter(self, wanted: Filter) -> None:
        self._queue.set_filter(wanted)
        self.look()

    def _try_filter(self, text: str) -> str:
        """Filter by it, or say why that is not possible."""
        try:
            self._queue.set_filter(parse_filter(text))
        except ValueError as error:
            return str(error)
        return ""

    async def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.sign == ":":
            await self._command_line.run(event.text)
        elif self.view == "log":
            self._log.find(event.text)
            self.look()
        else:
            self.note(self._try_filter(event.text))

    def on_prompt_closed(self, event: Prompt.Closed) -> None:
        if event.sign == "/":
            self._queue.set_filter(self._filter_before)
            self._log.find("")
        self.look()

    def action_find_next(self) -> None:
        self._log.find_again(1)
        self.look()

    def action_find_before(self) -> None:
        self._log.find_again(-1)
        self.look()

    def sort_by(self, column: str) -> None:
        """ValueError where there is no such column."""
        self._queue.sort_by(column_named(column))
        self.look()

    def action_sort_next(self) -> None:
        self._queue.next_sort()
        self.look()

    def action_sort_flip(self) -> None:
        self._queue.flip()
        self.look()

    # ----------------------------------------------------------------- views

    action_view_overview = partialmethod(Board.see, "overview")
    action_view_lanes = partialmethod(Board.see, "lanes")
    action_view_front = partialmethod(Board.see, "front")
    action_view_graphs = partialmethod(Board.see, "graphs")
    action_view_verify = partialmethod(Board.see, "verify")
    action_view_log = partialmethod(Board.see, "log")
    action_view_info = partialmethod(Board.see, "info")

    def _step_view(self, step: int) -> None:
        self.see(VIEWS[(VIEWS.index(self.view) + step) % len(VIEWS)])

    action_view_before = partialmethod(_step_view, -1)
    action_view_after = partialmethod(_step_view, 1)

    def action_view_zoom(self) -> None:
        self.zoom(on=not self.is_zoomed)

    def on_queue_table_opened(self) -> None:
        self.zoom(on=True)

    def action_view_vary(self) -> None:
        match self.view:
            case "log":
                self._log.next_level()
            case "graphs":
                for graph in self._graphs:
                    graph.next_span()
            case _:
                self._lanes.next_density()
        self.look()

    def action_view_order(self) -> None:
        if self.view == "log":
            self._log.next_scope()
        else:
            self._lanes.next_order()
        self.look()

    def action_view_freeze(self) -> None:
        self.freeze(on=not self._is_frozen)

    def action_view_back(self) -> None:
        """Out of one thing after the other."""
        if self._is_frozen:
            self.freeze(on=False)
        elif self.is_zoomed:
            self.zoom(on=False)
        elif self._queue.filter.text:
            self._queue.set_filter(Filter())
        else:
            self._queue.unmark()
        self.look()


def _scope(jobs: Sequence[JobSnapshot]) -> Scope:
    """These jobs, as those that a limit may be for."""
    limits = {job.limit for job in jobs}
    return Scope(
        f"job {jobs[0].id}" if len(jobs) == 1 else f"{len(jobs)} marked jobs",
        tuple(job.id for job in jobs),
        limits.pop() if len(limits) == 1 else None,
        sum(job.rate for job in jobs),
    )
