"""Routers: they find signal where there is some, abstain where they know nothing, keep to thresholds, and refuse what cannot be learnt."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'train'")
pytest.importorskip("torch", reason="needs the extra 'local'")

from bowerbird import Engine
from bowerbird.components.router import Router
from bowerbird.errors import CapabilityMissing, InvalidInput, UnknownName
from bowerbird.evals.routed import Model, case, records
from bowerbird.evals.run import run_task
from bowerbird.evals.task import Task
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Only, Setting, TooLittle
from bowerbird.learn.trainers.router import RouterTrainer
from bowerbird.testing.encoders import HashEncoder
from bowerbird.types import Scope, Turn

TOPICS = {"sum": ("add", "sum", "digits", "plus"), "poem": ("rhyme", "verse", "poem", "lines")}


def groups(n: int = 400, signal: bool = True, seed: int = 0) -> list[Group]:
    """The big model is always right; the small one is right on sums, or, without signal, on a coin's word; the odd one is seldom of use."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        topic = draw.choice(list(TOPICS))
        query = f"please {' '.join(draw.sample(TOPICS[topic], 3))} number {i} of {draw.randrange(99)}"
        right = draw.random() < ((0.95 if topic == "sum" else 0.05) if signal else 0.5)
        scores = {"big": 1.0, "small": float(right), "odd": draw.random() / 2}
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


@pytest.mark.parametrize("family", ["knn", "mf", "logistic"])
def test_without_signal_each_gives_the_prior_and_abstains(family: str) -> None:
    router = RouterTrainer().fit(groups(signal=False), groups(200, False, 2), setting(family=family)).component
    held = groups(200, signal=False, seed=1)
    made, abstains = router.qualities(HashEncoder(128).encode([g.query for g in held]), [6] * len(held))
    assert router.trust == 0.0
    assert abstains.all()
    assert np.allclose(made, router.prior)
    assert mean(router, held) == pytest.approx(mean(None, held))


def test_the_report_holds_the_baselines() -> None:
    about = RouterTrainer().fit(groups(), groups(200, seed=2), setting()).about
    assert about["dev"].keys() == {"knn", "mf", "logistic", "length", "random", "always strong", "always weak", "queries"}
    assert (about["strong"], about["weak"]) == ("big", "small")
    assert about["dev"]["always strong"] == 1.0
    assert about["dev"][about["family"]] > about["dev"]["random"] + 0.05


@pytest.mark.parametrize("price", [0.0, 20.0])
@pytest.mark.parametrize("family", ["knn", "logistic"])
def test_a_share_of_strong_calls_is_kept_on_held_out_queries(family: str, price: float) -> None:
    router = RouterTrainer().fit(groups(400), groups(2000, seed=2), setting(family=family)).component
    held = groups(3000, seed=5)
    made, _ = router.qualities(HashEncoder(128).encode([g.query for g in held]), [9] * len(held))
    for share in (0.0, 0.1, 0.2, 0.5, 0.8, 1.0):
        first = router.worth(made, price, share).argmax(axis=1)
        assert (first == router.models.index("big")).mean() == pytest.approx(share, abs=0.03)


def test_a_wanted_quality_is_kept_for_less() -> None:
    router = RouterTrainer().fit(groups(800), groups(2000, seed=2), setting(family="logistic")).component
    held = groups(2000, seed=5)
    made, _ = router.qualities(HashEncoder(128).encode([g.query for g in held]), [9] * len(held))
    scores = np.array([[{c.key: c.raw for c in g.candidates}[key] for key in router.models] for g in held])
    spent = []
    for quality in (1.0, 0.95, 0.8):
        first = router.worth(made, router.price_of(quality)).argmax(axis=1)
        assert scores[np.arange(len(held)), first].mean() >= quality - 0.03  # the strong model is always right
        spent.append(float(router.costs[first].mean(dtype=np.float64)))
    assert 0.01 >= spent[0] > spent[1] > spent[2]
    free = [replace(g, about={}) for g in groups()]
    with pytest.raises(InvalidInput, match="no costs"):
        RouterTrainer().fit(free, [], setting(family="knn")).component.price_of(0.95)


def test_a_few_held_out_queries_promise_no_quality() -> None:
    """That the cheap model lost none of twenty does not say that it keeps 95 %."""
    easy = [replace(g, candidates=tuple(replace(c, raw=1.0) if g.id < "8" else c for c in g.candidates)) for g in groups(400)]
    few, many = ([g for g in easy if g.id < "8"][:n] for n in (20, 120))
    spent = []
    for held in (few, many):
        router = RouterTrainer().fit(easy, held, setting(family="logistic")).component
        made, _ = router.qualities(HashEncoder(128).encode([g.query for g in held]), [9] * len(held))
        spent.append(float(router.costs[router.worth(made, router.price_of(0.95)).argmax(axis=1)].mean()))
    strong = router.costs[router.models.index(router.strong)]
    assert spent[0] == pytest.approx(strong)
    assert spent[1] < strong


def test_words_count_beside_the_vector() -> None:
    """Where what is asked says nothing and its length everything, linear maps see it."""
    told = [replace(g, query=g.query + " word" * (40 * (place % 2))) for place, g in enumerate(groups(300))]
    told = [
        replace(g, candidates=tuple(replace(c, raw=1.0 if c.key == "big" else float(place % 2)) for c in g.candidates))
        for place, g in enumerate(told)
    ]
    for family in ("mf", "logistic"):
        router = RouterTrainer().fit(told[:200], told[200:], setting(family=family)).component
        nothing = np.zeros((2, 128), np.float32)
        made, _ = replace(router, trust=1.0, reach=-1.0).qualities(nothing, [3, 43])
        small = router.models.index("small")
        assert made[1, small] > made[0, small] + 0.2, family


def test_without_costs_the_choice_itself_is_judged() -> None:
    free = [replace(g, about={}) for g in groups()]
    swapped = [replace(c, raw=0.2) if c.key == "big" and "add" in g.query else c for g in free for c in g.candidates]
    free = [replace(g, candidates=tuple(swapped[3 * i : 3 * i + 3])) for i, g in enumerate(free)]
    fit = RouterTrainer().fit(free[:300], [], setting(family="logistic"))
    held = free[300:]
    best = max(np.mean([g.candidates[i].raw for g in held]) for i in range(3))
    assert mean(None, held) == pytest.approx(best)
    assert mean(fit.component, held) > best + 0.03


def test_it_abstains_far_from_what_it_saw_and_minds_prices() -> None:
    router = RouterTrainer().fit(groups(), groups(100, seed=2), setting(family="knn")).component
    made, far = router.qualities(HashEncoder(128).encode(["xylophone zebra quartz"]), [3])
    assert far.tolist() == [True]
    assert np.allclose(made[0], router.prior)
    near, _ = router.qualities(HashEncoder(128).encode([groups()[0].query]), [6])
    assert router.models[int(router.worth(near, price=200.0)[0].argmax())] != "big"


def test_marks_from_one_to_ten_are_spread_alike_in_both_halves() -> None:
    def marked(some: list[Group]) -> list[Group]:
        return [replace(g, candidates=tuple(replace(c, raw=1 + 9 * (c.raw or 0.0)) for c in g.candidates)) for g in some]

    plain = RouterTrainer().fit(groups(), groups(100, seed=2), setting(family="knn")).component
    made = RouterTrainer().fit(marked(groups()), marked(groups(100, seed=2)), setting(family="knn")).component
    vectors = HashEncoder(128).encode(["please add sum plus number 7"])
    assert np.allclose(plain.qualities(vectors, [6])[0], made.qualities(vectors, [6])[0], atol=1e-4)
    assert mean(made, marked(groups(200, seed=1))) == pytest.approx(1 + 9 * mean(plain, groups(200, seed=1)), abs=1e-4)


@pytest.mark.parametrize("family", ["knn", "mf", "length"])
def test_what_is_kept_is_what_was_trained(family: str, tmp_path: Path) -> None:
    holes = [Group(g.query, g.kind, g.source, g.candidates[: 2 + i % 2], about=g.about) for i, g in enumerate(groups(60))]
    router = RouterTrainer().fit(holes, [], setting(family=family)).component
    router.save(tmp_path / "kept")
    again = Router.load(tmp_path / "kept")
    vectors = HashEncoder(128).encode(["add sum plus", "rhyme"])
    assert np.allclose(router.qualities(vectors, [3, 1])[0], again.qualities(vectors, [3, 1])[0], atol=1e-6)
    settings = json.loads((tmp_path / "kept" / "settings.json").read_text())
    (tmp_path / "kept" / "settings.json").write_text(json.dumps({**settings, "models": ["big"]}))
    with pytest.raises(InvalidInput, match="do not fit its 1 models"):
        Router.load(tmp_path / "kept")
    (tmp_path / "kept" / "settings.json").write_text('{"family": "tarot"}')
    with pytest.raises(InvalidInput):
        Router.load(tmp_path / "kept")


def test_what_cannot_be_learnt_is_refused() -> None:
    flat = [Group(f"q {i}", "model", "s", (Candidate("a", "a", raw=1.0), Candidate("b", "b", raw=1.0))) for i in range(40)]
    with pytest.raises(TooLittle, match="nothing to choose by"):
        RouterTrainer().fit(flat, [], setting())
    with pytest.raises(TooLittle, match="0 "):
        RouterTrainer().check([replace(g, candidates=g.candidates[:1]) for g in groups()])
    half = [replace(g, about={"costs": {"big": 0.01}}) for g in groups()]
    with pytest.raises(InvalidInput, match="odd, small costs"):
        RouterTrainer().fit(half, [], setting())
    with pytest.raises(InvalidInput, match="big costs nan dollars"):
        RouterTrainer().fit([replace(g, about={"costs": {"big": math.nan}}) for g in groups()], [], setting())
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
    other = Only("router", RouterTrainer().fit(groups(), [], setting(family="length")).component)
    with pytest.raises(CapabilityMissing, match="Fit it anew"):
        bird.run(turns, "router", trained=other)


def test_the_protocol_route_judges_it(tmp_path: Path) -> None:
    models = [Model("big", "the big one", 10.0, 30.0), Model("small", "the small one", 0.2, 0.2)]
    cases = []
    for i, group in enumerate(groups(200, seed=5)):
        scores = {c.key: c.raw or 0.0 for c in group.candidates if c.key != "odd"}
        cases.append(case(f"c{i}", group.query, scores, {"big": 0.01, "small": 0.001}))
    kept = Task(
        *("made", "model", "", "", "", "", ""),
        ("route",),
        ("APGR", "quality"),
        ("test",),
        (),
        lambda _: records(models),
        lambda _, split: iter(cases),
    )
    router = RouterTrainer().fit(groups(), groups(100, seed=2), setting(family="logistic")).component

    def opened(path: Path, encoder: Any, llm: Any) -> Engine:
        return Engine(path, encoder=encoder, llm=None, trained=Only("router", router))

    spec = "router(share=0.5)"
    _, found = run_task(kept, [spec], opened, encoder=HashEncoder(128), llm=None, out=tmp_path / "runs", cache=tmp_path / "cache")
    assert found.measures[spec]["APGR"].value > 0.65
    assert found.measures["none"]["quality"].value < found.measures[spec]["quality"].value < found.measures["oracle"]["quality"].value
