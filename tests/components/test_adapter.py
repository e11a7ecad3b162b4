"""The query adapter: what it does to vectors, on disk, and inside `dense`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bowerbird.components.adapter import SHARED, QueryAdapter
from bowerbird.errors import InvalidInput
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import World, some_turns
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Scope, Turn

DIM = 64


def turned(one: str, into: str) -> np.ndarray:
    """A full map that leads a query like `one` to `into`."""
    start, end = HashEncoder().encode([one, into])
    return np.outer(start, 4 * end).astype(np.float32)


class Serves:
    """What is trained, for one scope."""

    def __init__(self, adapter: QueryAdapter, scope: Scope) -> None:
        self.adapter, self.scope = adapter, scope

    def component(self, name: str, scope: Scope) -> object | None:
        return self.adapter if name == "adapter" and scope == self.scope else None


ACME = Scope("acme")


def served(adapter: QueryAdapter, scope: Scope = ACME, shuffle: int | None = None) -> World:
    world = World(shuffle=shuffle)
    world.parts["trained"] = Serves(adapter, scope)
    return world


def low_rank(seed: int = 0) -> QueryAdapter:
    rng = np.random.default_rng(seed)
    maps = {name: (rng.normal(size=(DIM, 4)) / 4, rng.normal(size=(4, DIM)) / 4) for name in (SHARED, "tool")}
    return QueryAdapter("hash-64", maps, {"tool": 0.05})


class TestAdaptedDense(StageSuite):
    def make_stage(self):
        return parse("dense(k=4)")

    def turns(self):
        return some_turns()

    def world(self, shuffle=None):
        return served(low_rank(), Scope("acme", "ann"), shuffle)


def test_apply_is_the_formula() -> None:
    adapter, vectors = low_rank(), HashEncoder().encode(["a cat", "the blue bird", "mail"])
    (a, b), (c, d) = adapter.maps[SHARED], adapter.maps["tool"]
    wanted = vectors + vectors @ a @ b + vectors @ c @ d
    assert adapter.apply(vectors, "tool") == pytest.approx(wanted / np.linalg.norm(wanted, axis=1, keepdims=True), abs=1e-5)
    shared = vectors + vectors @ a @ b
    assert adapter.apply(vectors, "memory") == pytest.approx(shared / np.linalg.norm(shared, axis=1, keepdims=True), abs=1e-5)
    assert (adapter.apply(vectors, "tool")[1:2] == adapter.apply(vectors[1:2], "tool")).all(), "a row hangs on the others"


def test_a_kind_without_a_map_stays_to_the_bit() -> None:
    adapter, vectors = QueryAdapter("hash-64", {"tool": [np.eye(DIM)]}, {"tool": 0.5}), HashEncoder().encode(["a cat"])
    assert adapter.apply(vectors, "passage") is vectors
    assert adapter.levelled([(1, 0.5)], "passage") == [(1, 0.5)]
    assert adapter.levelled([(1, 0.5)], "tool") == [(1, 1.0)]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    adapter = low_rank()
    adapter.save(tmp_path)
    again = QueryAdapter.load(tmp_path)
    assert (again.encoder, again.levels) == (adapter.encoder, adapter.levels)
    vectors = HashEncoder().encode(["a cat"])
    assert (again.apply(vectors, "tool") == adapter.apply(vectors, "tool")).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays.safetensors", "settings.json"]


@pytest.mark.parametrize("maps", [{"tool": [np.zeros((4, 5))]}, {"tool": [np.eye(4)], "user": [np.eye(5)]}])
def test_maps_that_lead_nowhere_are_refused(maps) -> None:
    with pytest.raises(InvalidInput, match="to themselves"):
        QueryAdapter("e", maps)


def test_dense_searches_with_the_map_of_each_kind() -> None:
    adapter = QueryAdapter("hash-64", {"tool": [turned("I am bored", "Sends a mail to somebody.")]})
    turns = [
        Turn("I am bored", Scope("acme"), kinds=("tool", "passage")),
        Turn("I am bored", Scope("acme", "ann"), kinds=("tool", "passage")),
    ]
    [adapted, other] = parse("dense(k=20)").bind(served(adapter).part)(turns)
    [plain, _] = parse("dense(k=20)").bind(World().part)(turns)
    names = {record.id: record.key for record in World().library._records.values()}
    assert names[adapted.hits[0].id] == "mail"
    before, after = ({names[hit.id]: hit.score for hit in turn.hits} for turn in (plain, adapted))
    assert before["mail"] < 0.3 < 0.8 < after["mail"]
    assert after["stove"] == before["stove"], "passages have no map"
    assert other.hits == plain.hits, "another scope's adapter does not serve"
    assert dict(adapted.trace[0].info) == {"hits": len(adapted.hits), "adapted": True}
    assert dict(other.trace[0].info) == {"hits": len(other.hits)}


def test_an_adapter_of_another_encoder_is_left_out_and_said() -> None:
    adapter = QueryAdapter("minilm", {"tool": [np.eye(DIM)]}, {"tool": 9.0})
    turn = Turn("mail", Scope("acme"), kinds=("tool",))
    [done], [plain] = parse("dense").bind(served(adapter).part)([turn]), parse("dense").bind(World().part)([turn])
    assert done.hits == plain.hits
    assert done.trace[0].info["adapted"] is False
    assert "for minilm, the encoder is hash-64" in done.trace[0].info["why"]
