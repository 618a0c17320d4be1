"""The app around the screen: ticks, lag, colours, crashes."""

from __future__ import annotations

import pytest

from engine import JobSpec
from hydratui.app import HydraApp
from hydratui.driver import PatientDriver
from hydratui.pulse import TURN
from hydratui.widgets.log_view import LogLine
from tests.hydratui.support import FakeEngine, make_job, mixed_queue, running_job, story


class CountingEngine(FakeEngine):
    """Knows how often it was looked at."""

    looks = 0

    def snapshot(self, detail=None):  # type: ignore[no-untyped-def]
        self.looks += 1
        return super().snapshot(detail)


def still(engine: FakeEngine) -> HydraApp:
    return HydraApp(engine, live=False, clock=lambda: 0.0)


async def test_a_live_app_shows_events_by_itself() -> None:
    """Ticks and events come without anybody asking."""
    engine = CountingEngine([running_job()])
    engine.happened = story(engine)
    app = HydraApp(engine)
    async with app.run_test(size=(120, 36)) as pilot:
        while "asks again in 4 s" not in app.query_one(LogLine).render_line(0).text:
            await pilot.pause(0.01)
    assert engine.looks > 1


async def test_under_a_dialog_the_screen_is_not_drawn() -> None:
    """What nobody sees costs nothing, but the graphs go on."""
    engine = CountingEngine([running_job()])
    app = still(engine)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        looks, engine.at = engine.looks, engine.at + 1
        painted: list[str] = []
        app.post_display_hook = lambda: painted.append("once")  # type: ignore[method-assign]
        app._tick_if_seen()
        await pilot.pause()
        assert engine.looks == looks + 1
        assert painted == []


async def test_the_engines_turns_are_short_while_a_screen_is_shown() -> None:
    """The engine outlives the app, and then has its turns to itself again."""
    engine = FakeEngine([running_job()])
    app = HydraApp(engine)
    async with app.run_test():
        assert ("set_turn_budget", TURN) in engine.calls
    assert engine.calls[-1] == ("set_turn_budget", None)


async def test_downloads_begin_once_the_screen_stands() -> None:
    """What was asked for on the command line is added when there is a screen."""
    engine = FakeEngine()
    app = HydraApp(engine, [JobSpec("https://example.org/a")], live=False)
    async with app.run_test():
        assert ("add", "https://example.org/a") in engine.calls


async def test_dear_frames_are_left_out_and_confessed() -> None:
    """The status bar says that the screen is slow, not the download."""
    ticking = iter(range(10_000))
    app = HydraApp(FakeEngine(mixed_queue()), live=False, clock=lambda: next(ticking))
    async with app.run_test(size=(120, 36)):
        for _ in range(6):
            app.tick()
        status = app.screen.query_one("#status").render_line(0).text
        assert "◔" in status


def test_our_driver_takes_the_place_of_the_one_that_waits() -> None:
    """On Linux and macOS a stalled terminal stops nobody."""
    assert still(FakeEngine()).driver_class is PatientDriver


async def test_without_colour_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR leaves the terminal's own two colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = still(FakeEngine(mixed_queue()))
    async with app.run_test(size=(120, 36)) as pilot:
        app.tick()
        await pilot.pause()
        styles = [
            segment.style
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
        ]
        colours = {style.color for style in styles} | {
            style.bgcolor for style in styles
        }
        assert {c.name for c in colours if c is not None} <= {"default"}


async def test_a_crash_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback names places; what was in the variables may be a secret."""
    engine = FakeEngine([make_job(name="hunter2")])
    app = still(engine)
    async with app.run_test():
        job = engine.snapshot(1).jobs[0]
        try:
            engine.pause(job.id + 41)
        except KeyError:
            app._fatal_error()
    said = capsys.readouterr().err
    assert "KeyError" in said
    assert "hunter2" not in said
