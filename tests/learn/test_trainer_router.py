"""Routers: they find signal where there is some, abstain where they know nothing, keep to thresholds, and refuse what cannot be learnt."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'train'")
pytest.importorskip("torch", reason="needs the extra 'local'")

from bowerbird import Engine
from bowerbird.components.router import Router
from bowerbird.errors import CapabilityMissing, InvalidInput, UnknownName
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Only, Setting, TooLittle
from bowerbird.learn.trainers.router import RouterTrainer
from bowerbird.testing.encoders import HashEncoder
from bowerbird.types import Scope, Turn

TOPICS = {"sum": ("add", "sum", "digits", "plus"), "poem": ("rhyme", "verse", "poem", "lines")}


def groups(n: int = 400, signal: bool = True, seed: int = 0) -> list[Group]:
    """The big model is always right; the small one is right on sums, or, without signal, on a coin's word."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        topic = draw.choice(list(TOPICS))
        query = f"please {' '.join(draw.sample(TOPICS[topic], 3))} number {i} of {draw.randrange(99)}"
        right = draw.random() < ((0.95 if topic == "sum" else 0.05) if signal else 0.5)
        scores = {"big": 1.0, "small": float(right), "odd": 0.3}
        candidates = tuple(Candidate(key, key, float(score == 1.0), raw=score) for key, score in scores.items())
        costs = {"big": 0.01, "small": 0.001, "odd": 0.002}
        found.append(Group(query, "model", "made", candidates, scope="acme/ann", about={"costs": costs}))
    return found


def setting(**options: Any) -> Setting:
    return Setting(None, HashEncoder(128), options=options)  # type: ignore[arg-type]


def mean(component: Any, held: list[Group]) -> float:
    return float(np.mean(list(RouterTrainer().scores(held, component, setting())["model"].values())))


@pytest.mark.parametrize("family", ["knn", "mf", "logistic"])
def test_each_family_beats_chance_and_length_where_there_is_signal(family: str) -> None:
    train, held = groups(), groups(200, seed=1)
    fit = RouterTrainer().fit(train, groups(100, seed=2), setting(family=family))
    length = RouterTrainer().fit(train, groups(100, seed=2), setting(family="length"))
    assert mean(fit.component, held) > mean(None, held) + 0.08
    assert mean(fit.component, held) > mean(length.component, held) + 0.05


def test_without_signal_nobody_gains() -> None:
    fit = RouterTrainer().fit(groups(signal=False), groups(100, False, 2), setting())
    held = groups(400, signal=False, seed=1)
    assert mean(fit.component, held) == pytest.approx(mean(None, held), abs=0.04)
    assert fit.about["dev"].keys() == {"knn", "mf", "logistic"}


def test_a_share_of_strong_calls_is_kept_on_held_out_queries() -> None:
    router = RouterTrainer().fit(groups(800), groups(400, seed=2), setting(family="logistic")).component
    held = groups(600, seed=5)
    vectors = HashEncoder(128).encode([g.query for g in held])
    for share in (0.2, 0.5, 0.8):
        worth, _ = router.utilities(vectors, [6] * len(held), share=share)
        strong = worth[:, router.models.index("big")] >= worth[:, router.models.index("small")]
        assert strong.mean() == pytest.approx(share, abs=0.08)


def test_it_abstains_far_from_what_it_saw_and_minds_prices() -> None:
    router = RouterTrainer().fit(groups(), groups(100, seed=2), setting(family="knn")).component
    made, far = router.qualities(HashEncoder(128).encode(["xylophone zebra quartz"]), [3])
    assert far.tolist() == [True]
    assert np.allclose(made[0], router.prior)
    near = HashEncoder(128).encode([groups()[0].query])
    cheap, _ = router.utilities(near, [6], price=200.0)
    assert router.models[int(cheap[0].argmax())] != "big"


@pytest.mark.parametrize("family", ["knn", "mf", "length"])
def test_what_is_kept_is_what_was_trained(family: str, tmp_path: Path) -> None:
    holes = [Group(g.query, g.kind, g.source, g.candidates[: 2 + i % 2], about=g.about) for i, g in enumerate(groups(60))]
    router = RouterTrainer().fit(holes, [], setting(family=family)).component
    router.save(tmp_path / "kept")
    again = Router.load(tmp_path / "kept")
    vectors = HashEncoder(128).encode(["add sum plus", "rhyme"])
    assert np.allclose(router.qualities(vectors, [3, 1])[0], again.qualities(vectors, [3, 1])[0], atol=1e-6)
    (tmp_path / "kept" / "settings.json").write_text('{"family": "tarot"}')
    with pytest.raises(InvalidInput):
        Router.load(tmp_path / "kept")


def test_what_cannot_be_learnt_is_refused() -> None:
    flat = [Group(f"q {i}", "model", "s", (Candidate("a", "a", raw=1.0), Candidate("b", "b", raw=1.0))) for i in range(40)]
    with pytest.raises(TooLittle, match="nothing to choose by"):
        RouterTrainer().fit(flat, [], setting())
    with pytest.raises(TooLittle, match="at least 30"):
        RouterTrainer().check(groups(20))
    with pytest.raises(UnknownName, match="logistic"):
        RouterTrainer().fit(groups(), [], setting(family="logistics"))
    with pytest.raises(InvalidInput, match="raw is nan"):
        Group("q", "model", "s", (Candidate("a", "a", raw=float("nan")),))


def test_the_stage_ranks_the_models_of_the_scope(bird: Engine) -> None:
    for key in ("big", "small"):
        bird.add([{"key": key, "kind": "model", "text": f"The {key} model.", "fields": {"name": key}}])
    encoder = bird.encoder
    router = RouterTrainer().fit(groups(), groups(100, seed=2), Setting(bird, encoder, options={"family": "logistic"})).component
    turns = [Turn(f"please {words} number 7", Scope("acme", "ann"), kinds=("model",)) for words in ("add sum digits", "rhyme verse poem")]

    def first(spec: str) -> list[str]:
        done = bird.run(turns, spec, trained=Only("router", router), records=True)
        return [turn.hits[0].record.key for turn in done if turn.hits[0].record]

    assert first("router") == ["big", "big"], "without a price the better one comes first"
    assert first("router(price=30.0)") == ["small", "big"]
    done = bird.run([Turn("zebra quartz", Scope("acme", "ann"))], "router", trained=Only("router", router))
    assert done[0].trace[-1].info["abstained"] is True
    with pytest.raises(CapabilityMissing, match="learn fit router"):
        bird.run(turns, "router")
    other = Only("router", RouterTrainer().fit(groups(), [], setting(family="length")).component)
    with pytest.raises(CapabilityMissing, match="Fit it anew"):
        bird.run(turns, "router", trained=other)
