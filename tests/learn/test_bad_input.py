"""Learning from bad input: nobody else's events, no impossible values, no damaged component, and a kill at any moment loses nothing."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowerbird import Engine
from bowerbird.components.adapter import SHARED, QueryAdapter
from bowerbird.components.gate import NeedGate
from bowerbird.components.shelf import Artifact, Shelf
from bowerbird.database.database import Database
from bowerbird.errors import BowerbirdError, InvalidInput, NotFound, UnknownName
from bowerbird.learn.experience import experience
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.publish import LEAST, made, publish, verdict
from bowerbird.learn.rewards.smooth import smooth
from bowerbird.learn.trainer import Setting, TooLittle, Trainer, trainer_of
from bowerbird.learn.workshop import Workshop
from bowerbird.types import Outcome, Scope

ANN, BOB = Scope("acme", "ann"), Scope("acme", "bob")
CARD = {"parent": None, "ledger_upto": 0, "verdict": {"publish": True, "why": "made"}}


@pytest.fixture
def turn(bird: Engine) -> str:
    """A turn of Ann's with one hit."""
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."}])
    return bird.augment("office network", spec="bm25 >> budget").id


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "error", "said"),
    [
        (Outcome("no-such-turn", "user", "scalar", 1.0), NotFound, "no-such-turn"),
        (Outcome("", "user", "scalar", 1.0), NotFound, "acme/ann"),
        (Outcome("TURN", "user", "scalar", 1.0, ("vpm",)), UnknownName, "vpn"),
        (Outcome("TURN", "user", "pairwise", ("vpn", "vpm")), UnknownName, "vpn"),
        (Outcome("TURN", "user", "pairwise", ("vpn", "vpn")), InvalidInput, "preferred key"),
        (Outcome("TURN", "user", "scalar", float("nan")), InvalidInput, "finite"),
        (Outcome("TURN", "llm", "likelihood", float("-inf")), InvalidInput, "finite"),
        (Outcome("TURN", "user", "scalar", True), InvalidInput, "finite"),
        (Outcome("TURN", "user", "verbal", "  "), InvalidInput, "sentence"),
        (Outcome("TURN", "somebody", "scalar", 1.0), UnknownName, "user"),  # type: ignore[arg-type]
        (Outcome("TURN", "user", "stars", 1.0), UnknownName, "scalar"),  # type: ignore[arg-type]
    ],
)
def test_impossible_outcomes_are_refused_and_leave_no_trace(
    bird: Engine, turn: str, outcome: Outcome, error: type[BowerbirdError], said: str
) -> None:
    named = replace(outcome, turn=turn if outcome.turn == "TURN" else outcome.turn)
    with pytest.raises(error, match=said):
        bird.ledger.outcome(named, ANN)
    assert bird.ledger.count(ANN) == {"served": 1}
    assert experience(bird.ledger, bird.catalog, ANN).groups == ()


def test_another_scope_can_neither_judge_nor_learn(bird: Engine, turn: str) -> None:
    with pytest.raises(NotFound, match="acme/bob"):
        bird.feedback(turn, -1, scope="acme/bob")
    bird.feedback(turn, 1, keys="vpn")
    for scope in (BOB, Scope("acme"), Scope("acme", "ann", "s1"), Scope("other")):
        assert experience(bird.ledger, bird.catalog, scope).groups == ()


def test_the_same_word_a_hundred_times_is_one_word(bird: Engine, turn: str) -> None:
    for _ in range(100):
        bird.feedback(turn, -1, keys="vpn")
    bird.feedback(turn, 1, keys="vpn")
    (group,) = experience(bird.ledger, bird.catalog, ANN).groups
    assert group.candidates[0].label == 0.0, "one yes and one no"


def test_huge_values_are_cut(bird: Engine, turn: str) -> None:
    bird.feedback(turn, 1e300, keys="vpn")
    (group,) = experience(bird.ledger, bird.catalog, ANN).groups
    assert group.candidates[0].label == 1.0


# --- rewards and groups -----------------------------------------------------------------------------------------------


def test_rewards_that_are_no_numbers_or_all_the_same_teach_nothing(tmp_path: Path, bird: Engine) -> None:
    for bad in (float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match=r"'a'.*raw is"):
            rewarded("a", bad)
    even = rewarded("a", 0.25)
    assert not even.rewarded
    assert smooth([even]) == []
    (tmp_path / "groups.jsonl").write_text('{"query":"q","kind":"tool","source":"s","candidates":[{"key":"a","text":"x","raw":NaN}]}\n')
    shop = Workshop(bird.path, bird.ledger, bird.catalog, ANN)
    with pytest.raises(InvalidInput, match=r"line 1.*raw is nan"):
        shop.groups(more=[tmp_path / "groups.jsonl"])


def rewarded(key: str, raw: float) -> Group:
    """Two candidates with that reward."""
    return Group("q", "tool", "s", (Candidate(key, "x", raw=raw, reward=raw), Candidate("z", "y", raw=raw, reward=raw)))


@pytest.mark.parametrize("component", ["adapter", "gate", "router", "encoder"])
def test_too_little_says_how_much_is_needed(bird: Engine, component: str) -> None:
    trainer = trainer_of(component)
    few = [Group(f"query {i}", "tool", "made", (Candidate("a", "x", 1.0),)) for i in range(5)]
    for groups in ([], few):
        with pytest.raises(TooLittle, match=rf"{component} needs at least {trainer.least} .*there are \d"):
            made(trainer, groups, Setting(bird, None), bird.shelf, ANN)
    assert bird.shelf.list() == []


def test_scores_that_are_all_the_same_are_no_reason_to_publish() -> None:
    flat = {"tool": {f"q{i}": 0.5 for i in range(2 * LEAST)}}
    assert "no better" in verdict(flat, flat).why


def test_one_class_only_is_not_published(bird: Engine, shift_trainer: type[Trainer]) -> None:
    """Nobody ever liked anything: there is nothing to rank first."""
    disliked = [Group(f"query {i}", "tool", "made", (Candidate("a", "x", -1.0),)) for i in range(300)]
    with pytest.raises(TooLittle, match="there are 0"):
        made(shift_trainer(), disliked, Setting(bird, None), bird.shelf, ANN)


# --- kills ------------------------------------------------------------------------------------------------------------

CHILD = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from bowerbird.components import shelf as room
from bowerbird.components.gate import NeedGate
from bowerbird.database.database import Database
from bowerbird.types import Scope
import numpy as np

place = Path(sys.argv[1])
shelf = room.Shelf(Database(place / "catalog.db"), place / "artifacts")
gate = NeedGate("e", ("passage",), np.ones((8, 1), np.float32), np.zeros(1, np.float32), np.full(1, 0.9, np.float32))

def stop(*_):
    print("here", flush=True)
    time.sleep(60)

def half(folder):
    NeedGate.save(gate, folder)
    (folder / "settings.json").write_text('{"enc')
    stop()

if sys.argv[2] == "save":
    shelf.keep("gate", SimpleNamespace(save=half), Scope("acme", "ann"), {})
elif sys.argv[2] == "rename":  # the folder is in its place, its row is not written yet
    whole = room._on_disk
    room._on_disk = lambda folder: stop() if folder.name == "gate" else whole(folder)
    shelf.keep("gate", gate, Scope("acme", "ann"), {})
else:  # the old version has been told to stop, the new one is not serving yet
    room.time = SimpleNamespace(time=stop, monotonic=time.monotonic)
    shelf.publish("gate", 2, Scope("acme", "ann"))
"""


def _gate(threshold: float) -> NeedGate:
    return NeedGate("e", ("passage",), np.ones((8, 1), np.float32), np.zeros(1, np.float32), np.full(1, threshold, np.float32))


def _shelf(place: Path) -> Shelf:
    return Shelf(Database(place / "catalog.db"), place / "artifacts")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system knows no kill -9")
@pytest.mark.parametrize("moment", ["save", "rename", "publish"])
def test_a_kill_loses_nothing_and_the_old_component_still_serves(tmp_path: Path, moment: str) -> None:
    shelf = _shelf(tmp_path)
    shelf.keep("gate", _gate(0.1), ANN, CARD)
    shelf.publish("gate", 1, ANN)
    if moment == "publish":
        shelf.keep("gate", _gate(0.2), ANN, CARD)
    kept = [artifact.name for artifact in shelf.list()]
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), moment], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.communicate()
    again = _shelf(tmp_path)
    assert [artifact.name for artifact in again.list()] == kept
    assert again.component("gate", ANN).thresholds[0] == pytest.approx(0.1)
    new = again.keep("gate", _gate(0.3), ANN, CARD)
    again.publish("gate", new.version, ANN)
    assert new.version == len(kept) + 1
    assert _shelf(tmp_path).component("gate", ANN).thresholds[0] == pytest.approx(0.3)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system knows no kill -9")
def test_what_a_kill_left_is_deleted_and_what_another_process_is_writing_is_not(tmp_path: Path) -> None:
    shelf = _shelf(tmp_path)
    other = tmp_path / "artifacts" / ".gate-notes"
    other.mkdir(parents=True)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), "save"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        shelf.keep("gate", _gate(0.1), ANN, CARD)
        (half,) = set(shelf.folder.glob(".*")) - {other}
        assert (half / "settings.json").exists(), "it is still being written"
    finally:
        child.kill()
        child.communicate()
    new = shelf.keep("gate", _gate(0.2), ANN, CARD)
    assert list(shelf.folder.glob(".*")) == [other], "nobody writes it any more"
    assert [artifact.version for artifact in shelf.list()] == [1, new.version]


def test_who_keeps_two_things_at_once_loses_none(tmp_path: Path) -> None:
    shelf = _shelf(tmp_path)

    class Both:
        def save(self, folder: Path) -> None:
            _gate(0.1).save(folder)
            shelf.keep("gate", _gate(0.2), ANN, CARD)

    shelf.keep("gate", Both(), ANN, CARD)
    assert [shelf.load(artifact).thresholds[0] for artifact in shelf.list()] == pytest.approx([0.2, 0.1])


def test_a_component_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    shelf = _shelf(tmp_path)
    with pytest.raises(InvalidInput, match="not finite"):
        shelf.keep("gate", replace(_gate(0.5), biases=np.array([np.nan], np.float32)), ANN, CARD)
    with pytest.raises(ValueError, match="JSON"):
        shelf.keep("gate", _gate(0.1), ANN, {"score": float("nan")})
    assert list((tmp_path / "artifacts").glob(".*")) == []
    assert shelf.list() == []


# --- damage -----------------------------------------------------------------------------------------------------------


class Trap:
    """What would run if anybody unpickled it."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        return (os.mkdir, (os.environ["TRAP"],))


def _cut(folder: Path) -> None:
    path = folder / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:-20])


def _pickled(folder: Path) -> None:
    for name in ("arrays.safetensors", "arrays.pkl", "pytorch_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Trap()))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": _cut,
    "empty": lambda folder: (folder / "arrays.safetensors").write_bytes(b""),
    "no arrays": lambda folder: (folder / "arrays.safetensors").unlink(),
    "no card": lambda folder: (folder / "card.json").unlink(),
    "no settings": lambda folder: (folder / "settings.json").write_text("[]"),
    "pickled": _pickled,
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_component_fails_closed_and_says_how_to_go_back(
    bird: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."}])
    whole, broken = (_adapter(bird, by) for by in (0.0, 0.1))
    publish(bird, "adapter", whole.version, ANN, "made")
    found = [hit.id for hit in bird.search("office network", spec="dense")]
    publish(bird, "adapter", broken.version, ANN, "made")
    DAMAGES[damage](broken.path)
    with pytest.raises(InvalidInput, match="bowerbird learn rollback adapter") as caught:
        bird.search("office network", spec="dense")
    assert str(broken.path) in str(caught.value)
    assert not (tmp_path / "sprung").exists()
    publish(bird, "adapter", whole.version, ANN, "rollback")
    assert [hit.id for hit in bird.search("office network", spec="dense")] == found


def _adapter(bird: Engine, by: float) -> Artifact:
    assert bird.encoder is not None
    full = np.eye(bird.encoder.dim, dtype=np.float32) * by
    return bird.shelf.keep("adapter", QueryAdapter(bird.encoder.id, {SHARED: (full,)}), ANN, CARD)
