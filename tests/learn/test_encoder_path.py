"""An encoder's whole way on a real bower: trained, judged, published while others search, gone back from, and stopped at every moment.

What stops it here is an exception that nothing catches; real kills are in `test_reembed.py`.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra 'local'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'local'")

import bowerbird
from bowerbird import Engine
from bowerbird.catalog import Catalog
from bowerbird.cli.app import app
from bowerbird.components import shelf
from bowerbird.components.shelf import Shelf
from bowerbird.encoders import choose
from bowerbird.index import follower
from bowerbird.learn.groups import Candidate, Group, write
from bowerbird.learn.publish import made, publish
from bowerbird.learn.trainer import Setting
from bowerbird.learn.trainers import encoder
from bowerbird.types import Scope

ACME = Scope("acme")


class Killed(BaseException):
    """Stops everything."""


def groups() -> list[Group]:
    """Word i of a query is answered by word i + 30: nothing that a random model knows."""
    draw = random.Random(1)
    found = []
    for i in range(200):
        word = i % 30
        keys = [(word + shift) % 30 for shift in (0, 7, 13)]
        candidates = tuple(Candidate(f"k{key}", f"w{30 + key}", float(place == 0)) for place, key in enumerate(keys))
        found.append(Group(f"w{word} w{draw.randrange(30)} q{i}", "passage", "made", candidates, scope="acme"))
    return found


@pytest.fixture
def bower(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bower of 330 records whose encoder is the untrained model, through torch: OpenVINO would convert each of them."""
    monkeypatch.setattr(choose, "have", lambda name: name != "openvino")
    path = tmp_path / "b.bower"
    with bowerbird.open(path, "acme", encoder=f"auto:{tiny}", llm=None) as bird:
        bird.add([{"key": f"k{i}", "kind": "passage", "text": f"w{30 + i % 30}" + f" filler {i}" * (i >= 30)} for i in range(330)])
        bird.reembed(f"auto:{tiny}")  # so that the bower remembers it
    return path


def opened(path: Path) -> Engine:
    return bowerbird.open(path, "acme", llm=None)


def fitted(bird: Engine, tiny: Path, seed: int = 3, passes: int = 5) -> Any:
    options = {"model": str(tiny), "passes": passes, "rate": 3e-3, "batch": 16}
    setting = Setting(bird, bird.encoder, None, seed, None, bird.path / "checkpoints", None, options)
    return made(encoder.EncoderTrainer(), groups(), setting, bird.shelf, ACME)


def said(path: Path, *args: str) -> Any:
    result = CliRunner().invoke(app, [*args, "-b", str(path), "-s", "acme", "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def stands(path: Path, version: int) -> None:
    """Vectors, shelf and memory agree on which encoder serves, and searches find."""
    with opened(path) as bird:
        serving = bird.shelf.serving("encoder", ACME)
        assert (serving.version if serving else 0) == version
        assert bird.index.dense is not None
        assert bird.index.dense.startswith(f"{version}@" if version else "model@")
        assert bird.index.fits is None
        assert bird.verify()[0].clean
        assert len(bird.search("w3", 5, spec="dense")) == 5


def killed(owner: Any, name: str, calls: int, after: bool, work: Any) -> None:
    """Do `work`, which dies in the call of `owner.name` after so many, before or after it."""
    left = [calls]
    real = getattr(owner, name)

    def dying(*args: Any, **named: Any) -> Any:
        if left[0] == 0 and not after:
            raise Killed
        found = real(*args, **named)
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Killed):
            work()


def test_from_training_to_going_back(bower: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_EVERY", 0.0)
    with opened(bower) as bird:
        killed(encoder._Run, "_step", 9, False, lambda: fitted(bird, tiny))
        killed(encoder.EncoderTrainer, "scores", 1, False, lambda: fitted(bird, tiny))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoder._Run, "_step", lambda run, members: pytest.fail("what was trained is trained again"))
            killed(shelf, "_on_disk", 0, True, lambda: fitted(bird, tiny))  # while it is kept
            assert bird.shelf.list() == []
            done = fitted(bird, tiny)
        assert done.verdict.publish, done.verdict.why
        assert not (bower / "checkpoints").exists(), "what was kept leaves no checkpoint"
    stands(bower, 0)

    path = tmp_path / "groups.jsonl"
    write(path, groups())
    assert said(bower, "learn", "compare", "encoder@1", "--from", str(path), "--seed", "3")["verdict"]["publish"]

    for owner, name, calls, after, version in (
        (follower, "points", 1, False, 0),  # while records are encoded
        (Catalog, "set_facts", 0, False, 0),
        (Shelf, "publishing", 0, False, 0),
        (Catalog, "set_facts", 0, True, 1),
    ):
        with opened(bower) as bird:
            killed(owner, name, calls, after, lambda bird=bird: publish(bird, "encoder", 1, ACME, "better"))
        stands(bower, version)

    with monkeypatch.context() as patch:
        patch.setattr(follower, "points", lambda records, *encoders: pytest.fail("going back embeds again") if records else [])
        said(bower, "learn", "rollback", "encoder")
    stands(bower, 0)

    with opened(bower) as bird:
        bird.index.drop(next(kept.name for kept in bird.encoders() if not kept.serving))
        errors: list[BaseException] = []
        found: set[str | None] = set()
        begun, over = threading.Event(), threading.Event()

        def searching() -> None:
            try:
                while not over.is_set():
                    assert len(bird.search("w3", 5, spec="dense")) == 5
                    bird.shelf.serving("encoder", ACME)
                    found.add(bird.index.dense)
                    begun.set()
            except BaseException as error:  # noqa: BLE001 - told in the main thread
                errors.append(error)

        thread = threading.Thread(target=searching)
        thread.start()
        assert begun.wait(30)
        publish(bird, "encoder", 1, ACME, "better")
        over.set()
        thread.join(30)
        assert errors == []
        assert bird.shelf.serving("encoder", ACME) == bird.shelf.get("encoder", 1)
        assert {(name or "").partition("@")[0] for name in found} >= {"model"}
        fitted(bird, tiny, seed=4, passes=1)
    stands(bower, 1)

    listed = said(bower, "artifacts", "list")["artifacts"]
    assert [(row["name"], row["serves"], row["parent"]) for row in listed] == [("encoder@1", True, None), ("encoder@2", False, "encoder@1")]
    assert said(bower, "artifacts", "show", "encoder@1")["card"]["seed"] == 3
    assert said(bower, "artifacts", "diff", "encoder@1", "encoder@2")["differs"]["seed"] == [3, 4]

    moved = tmp_path / "elsewhere" / "c.bower"
    shutil.copytree(bower, moved)
    shutil.rmtree(bower)
    stands(moved, 1)
    said(moved, "learn", "rollback", "encoder")
    stands(moved, 0)
