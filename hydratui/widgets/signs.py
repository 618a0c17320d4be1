"""What a state looks like: a sign, an ink and a word, so that colour says nothing alone.

Every sign is one cell wide in the terminals and fonts we know of.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine import EventKind, JobState, LaneState, MirrorState


@dataclass(frozen=True, slots=True)
class Sign:
    glyph: str
    ink: str
    word: str


JOB_SIGNS = {
    JobState.QUEUED: Sign("·", "dim", "queued"),
    JobState.PROBING: Sign("◌", "flight", "probing"),
    JobState.RUNNING: Sign("▶", "good", "running"),
    JobState.VERIFYING: Sign("◆", "accent", "verifying"),
    JobState.PAUSED: Sign("‖", "warn", "paused"),
    JobState.DONE: Sign("✓", "good", "done"),
    JobState.FAILED: Sign("✗", "bad", "failed"),
    JobState.EXPIRED: Sign("!", "warn", "link expired"),
    JobState.CANCELLED: Sign("✗", "dim", "cancelled"),
}

LANE_SIGNS = {
    LaneState.CONNECTING: Sign("◌", "flight", "connecting"),
    LaneState.RECEIVING: Sign("▶", "good", "receiving"),
    LaneState.HELD: Sign("‖", "warn", "held back"),
    LaneState.RETRYING: Sign("↻", "bad", "retrying"),
}

MIRROR_SIGNS = {
    MirrorState.UNTRIED: Sign("·", "dim", "untried"),
    MirrorState.PROVING: Sign("◌", "flight", "proving"),
    MirrorState.USED: Sign("▶", "good", "used"),
    MirrorState.BENCHED: Sign("✗", "warn", "benched"),
}

RACING = Sign("»", "accent", "racing")

EVENT_SIGNS = {
    EventKind.QUEUED: Sign("·", "dim", "queued"),
    EventKind.PROBED: Sign("◌", "flight", "probed"),
    EventKind.STARTED: Sign("▶", "good", "started"),
    EventKind.WINDOW: Sign("◇", "window", "window"),
    EventKind.RETRY: Sign("↻", "warn", "retry"),
    EventKind.MIRROR: Sign("⇄", "accent", "mirror"),
    EventKind.CHANGED: Sign("≠", "warn", "changed"),
    EventKind.EXPIRED: Sign("!", "warn", "expired"),
    EventKind.VERIFIED: Sign("◆", "accent", "verified"),
    EventKind.DONE: Sign("✓", "good", "done"),
    EventKind.FAILED: Sign("✗", "bad", "failed"),
    EventKind.PAUSED: Sign("‖", "warn", "paused"),
    EventKind.RESUMED: Sign("▶", "good", "resumed"),
    EventKind.SAID: Sign("|", "accent", "said"),
    EventKind.REMOVED: Sign("-", "dim", "removed"),
    EventKind.UNSAVED: Sign("!", "bad", "unsaved"),
}
