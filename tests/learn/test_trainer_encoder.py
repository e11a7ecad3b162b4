"""The encoder's trainer, on a tiny random model: it learns, gives the same twice, goes on after a kill, and stops where it must."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'local'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'local'")

from bowerbird import Engine  # noqa: E402
from bowerbird.encoders import weights  # noqa: E402
from bowerbird.encoders.choose import choose  # noqa: E402
from bowerbird.encoders.sentence_transformers import load  # noqa: E402
from bowerbird.encoders.trained import TrainedEncoder  # noqa: E402
from bowerbird.errors import InvalidInput, UnknownName  # noqa: E402
from bowerbird.kinds import kinds  # noqa: E402
from bowerbird.learn.batches import Batch  # noqa: E402
from bowerbird.learn.checkpoint import Checkpoint  # noqa: E402
from bowerbird.learn.gradcache import Net, chunks  # noqa: E402
from bowerbird.learn.groups import Candidate, Group  # noqa: E402
from bowerbird.learn.trainer import Setting, TooLittle  # noqa: E402
from bowerbird.learn.trainers.encoder import EncoderTrainer, Options, _evenly, _Run  # noqa: E402

torch.set_num_threads(1)  # tests run side by side
WORDS = [f"w{i}" for i in range(60)]


def groups(n: int = 120, kind: str = "passage", source: str = "made", rewards: bool = False) -> list[Group]:
    """Word i of a query is answered by word i + 30 of a key: nothing that a random model knows."""
    draw = random.Random(1)
    found = []
    for i in range(n):
        word = i % 30
        keys = [(word + shift) % 30 for shift in (0, 7, 13)]
        candidates = tuple(
            Candidate(f"k{key}", WORDS[30 + key], float(place == 0), reward=(0.8, 0.15, 0.05)[place] if rewards else None)
            for place, key in enumerate(keys)
        )
        found.append(Group(f"{WORDS[word]} {WORDS[draw.randrange(30)]} q{i}", kind, source, candidates))
    return found


def fit(bird: Engine, tiny: Path, train: list[Group], folder: Path | None = None, seconds: float | None = None, **options: Any) -> Any:
    given = {"model": str(tiny), "passes": 6, "rate": 3e-3, "batch": 16, "instructed": "", **options}
    return EncoderTrainer().fit(train, groups(40), Setting(bird, None, seed=3, seconds=seconds, folder=folder, options=given))


def test_it_learns_and_the_kept_encoder_is_the_trained_one(bird: Engine, tiny: Path, tmp_path: Path) -> None:
    done = fit(bird, tiny, groups())
    first, last = done.curve[0], max(done.curve, key=lambda row: row["dev"])
    assert last["dev"] > first["dev"] + 0.2
    assert done.curve[-1]["loss"] < done.curve[1]["loss"]
    done.component.save(tmp_path / "kept")
    kept = TrainedEncoder.load(tmp_path / "kept")
    assert not kept.instructed
    texts = ["w1 w2", "w31", ""]
    assert np.allclose(kept.encode(texts), done.component.encode(texts), atol=1e-3)
    assert not list((tmp_path / "kept").rglob("*.bin"))
    with pytest.raises(InvalidInput, match="holds no encoder"):
        TrainedEncoder.load(tmp_path)


def test_same_groups_and_seed_same_weights(bird: Engine, tiny: Path) -> None:
    one, other = (fit(bird, tiny, order, passes=1) for order in (groups(), groups()[::-1]))
    assert np.array_equal(one.component.encode(["w1 w5"]), other.component.encode(["w1 w5"]))
    assert one.curve == other.curve


def test_it_trains_as_many_steps_as_it_is_given(bird: Engine, tiny: Path) -> None:
    assert fit(bird, tiny, groups(), steps=3).about["steps"] == 3


@pytest.mark.parametrize("instructed", ["", "example"])
def test_a_run_that_was_killed_goes_on_to_the_same_weights(
    bird: Engine, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instructed: str
) -> None:
    """With an instruction: what is kept behind it is the likeness from before the first step, not from where the run was killed."""
    from bowerbird.learn.trainers import encoder

    train = [*groups(80), *groups(40, "example")]
    whole = fit(bird, tiny, train, passes=2, instructed=instructed)
    monkeypatch.setattr(encoder, "_EVERY", 0.0)
    step = _Run._step

    def dies(run: _Run, members: Any) -> float:
        if run.state.step == 9:
            raise KeyboardInterrupt
        return step(run, members)

    monkeypatch.setattr(_Run, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        fit(bird, tiny, train, tmp_path / "run", passes=2, instructed=instructed)
    assert json.loads((tmp_path / "run" / "state.json").read_text())["step"] == 9
    monkeypatch.setattr(_Run, "_step", step)
    again = fit(bird, tiny, train, tmp_path / "run", passes=2, instructed=instructed)
    assert np.array_equal(again.component.encode(["w1 w5"]), whole.component.encode(["w1 w5"]))
    assert again.curve == whole.curve


@pytest.mark.parametrize("rank", [0, 4])
def test_a_kill_after_training_costs_no_training(
    bird: Engine, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    first = fit(bird, tiny, groups(), tmp_path / "run", seconds=0.0, rank=rank)  # killed while it was judged
    assert "time was over" in first.about["stopped"]
    monkeypatch.setattr(_Run, "_step", lambda run, members: pytest.fail("it trains again"))
    again = fit(bird, tiny, groups(), tmp_path / "run", seconds=0.0, rank=rank)
    assert np.array_equal(again.component.encode(["w1 w5"]), first.component.encode(["w1 w5"]))
    assert (again.curve, again.about["stopped"]) == (first.curve, first.about["stopped"])


def test_a_kill_between_two_checkpoints_leaves_one_whenever_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    kept = Checkpoint(tmp_path / "run")
    kept.keep(model, optimizer, {}, {"step": 1}, "run")
    (tmp_path / "run").rename(tmp_path / "run.old")  # killed before the second was put in its place
    rename = Path.rename

    def dies(path: Path, target: Path) -> Path:
        if path.name == "run.part":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dies)
        with pytest.raises(KeyboardInterrupt):
            kept.keep(model, optimizer, {}, {"step": 3}, "run")
    assert kept.restore(model, optimizer, "run") == ({}, {"step": 1})
    kept.keep(model, optimizer, {}, {"step": 4}, "run")
    assert kept.restore(model, optimizer, "run") == ({}, {"step": 4})
    kept.clear()
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_of_another_run_is_not_taken_up(bird: Engine, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bowerbird.learn.trainers import encoder

    monkeypatch.setattr(encoder, "_EVERY", 0.0)
    whole = fit(bird, tiny, groups(90), passes=1)
    fit(bird, tiny, groups(), tmp_path / "run", passes=1)
    assert (tmp_path / "run" / "state.json").exists()
    fresh = fit(bird, tiny, groups(90), tmp_path / "run", passes=1)
    assert np.array_equal(fresh.component.encode(["w1 w5"]), whole.component.encode(["w1 w5"]))
    assert fresh.curve == whole.curve


@pytest.mark.parametrize("kind", ["passage", "memory"])
def test_gradients_made_chunk_by_chunk_are_those_of_the_whole_batch(bird: Engine, tiny: Path, kind: str) -> None:
    members = groups(24, kind, rewards=True)

    def gradients(chunk: int) -> tuple[float, list[Any]]:
        run = _Run(Options(model=str(tiny), chunk=chunk), Setting(bird, None), members, [], None)
        batch = Batch(members, 3, random.Random(0))
        loss = run.net.backward(batch.texts, lambda vectors: run._loss(vectors, batch, members))
        return loss, [p.grad.clone() for p in run.model.parameters() if p.grad is not None]

    (loss, whole), (again, parts) = gradients(0), gradients(40)
    assert again == pytest.approx(loss, abs=1e-5)
    assert len(whole) == len(parts) > 10
    assert max(float(p.abs().max()) for p in whole) > 1e-3
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(whole, parts, strict=True))


def test_looks_are_no_more_than_asked_for_though_the_time_is_short(bird: Engine, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bowerbird.learn.trainers import encoder

    clock = iter(range(10**6))  # a second passes with every look at the clock, so that the plan shrinks as training goes on
    monkeypatch.setattr(encoder, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    setting = Setting(bird, None, seconds=300.0, options={"model": str(tiny), "passes": 200, "looks": 4})
    curve = EncoderTrainer().fit(groups(), groups(12), setting).curve
    steps = [row["step"] for row in curve]
    assert len(steps) <= 1 + 4 + 1, "the untrained model, four looks, and one where the time is over"
    assert steps == sorted(set(steps))


def test_chunks_hold_what_they_may_and_leave_nothing_out() -> None:
    lengths = [5, 30, 7, 7, 2, 90, 6]
    parts = chunks(lengths, 32)
    assert sorted(i for part in parts for i in part) == list(range(7))
    assert all(len(part) * max(lengths[i] for i in part) <= 32 for part in parts if len(part) > 1)
    assert chunks(lengths, 0) == [(4, 0, 6, 2, 3, 1, 5)]


def test_half_precision_gives_nearly_the_same_vectors(tiny: Path) -> None:
    texts = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9", ""]
    exact, half = (Net(load(weights.find(str(tiny)), "cpu"), 32, precision=name) for name in ("f32", "bf16"))
    assert exact.encode(texts).dtype == half.encode(texts).dtype == np.float32
    assert (exact.encode(texts) * half.encode(texts)).sum(1) == pytest.approx(1.0, abs=1e-2)
    assert not np.array_equal(exact.encode(texts), half.encode(texts))
    with pytest.raises(InvalidInput, match="precision is"):
        Net(exact.model, 32, precision="f16")


def test_low_rank_matrices_learn_and_end_as_plain_weights(bird: Engine, tiny: Path, tmp_path: Path) -> None:
    before = load(weights.find(str(tiny)), "cpu").state_dict()
    done = fit(bird, tiny, groups(), rank=16, passes=30)  # rate 3e-3: of 5e-3 and 12 passes some seeds learn nothing
    assert max(row["dev"] for row in done.curve) > done.curve[0]["dev"] + 0.3
    after = done.component._model.state_dict()
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed
    assert all(name.endswith("weight") and "embeddings" not in name and "LayerNorm" not in name for name in changed)
    done.component.save(tmp_path / "kept")
    kept = Net(load(weights.find(str(tmp_path / "kept")), "cpu"), 32)
    assert np.allclose(kept.encode(["w1 w2"]), done.component.encode(["w1 w2"]), atol=1e-5)


def test_the_kinds_of_instructions_are_named() -> None:
    assert Options(instructed=" tool , example").kinds == {"tool", "example"}
    assert Options().kinds == {"example"}
    assert Options(instructed="").kinds == frozenset()
    assert Options(instructed="all").kinds == frozenset(kinds())
    with pytest.raises(UnknownName, match="example"):
        Options(instructed="exmple")


def test_other_kinds_texts_stay_as_alike_behind_an_instruction(bird: Engine, tiny: Path, tmp_path: Path) -> None:
    """What `keep` holds: texts that the kind behind the instruction is not trained on."""
    mixed = [*groups(60, "example"), *groups(60, "passage")]
    texts = sorted({group.query for group in mixed if group.kind == "passage"})[:40]
    apart = ~np.eye(len(texts), dtype=bool)

    def likeness(encoder: Any, before: str) -> Any:
        vectors = encoder.encode([before + text for text in texts])
        return (vectors @ vectors.T)[apart]

    def moved(folder: Path | None = None, **options: float) -> Any:
        made = fit(bird, tiny, mixed, folder, passes=4, looks=1, instructed="example", **options).component
        return np.abs(likeness(made, "example: ") - was).mean(), made

    was = likeness(Net(load(weights.find(str(tiny)), "cpu"), 96), "")
    (free, _), (held, made) = moved(keep=0), moved(keep=1)
    assert held < free / 2
    _, again = moved(tmp_path / "run", keep=1)
    assert np.array_equal(again.encode(texts), made.encode(texts)), "the same groups and seed, the same weights"
    with pytest.raises(InvalidInput, match="keep"):
        Options(keep=-0.1)


def test_dev_has_as_many_of_each_kind_as_there_are() -> None:
    many = [
        Group(f"q{i}", kind, "s", (Candidate("a", "a", 1.0),))
        for kind, n in (("tool", 90), ("memory", 4), ("passage", 30))
        for i in range(n)
    ]
    held = _evenly(many, 40)
    assert Counter(group.kind for group in held) == {"tool": 18, "passage": 18, "memory": 4}
    assert held == _evenly(many[::-1], 40)
    assert len(_evenly(many, 500)) == 124


def test_a_kind_with_a_high_loss_steps_further(bird: Engine, tiny: Path) -> None:
    run = _Run(Options(model=str(tiny), paced=True), Setting(bird, None), groups(), [], None)
    assert run._pace("tool") == 1.0
    run.state.before, run.state.losses = {"tool": 2.0, "passage": 2.0}, {"tool": [3.0], "passage": [0.1]}
    assert (run._pace("tool"), run._pace("passage")) == (1.5, 0.5)
    assert fit(bird, tiny, groups(), passes=2, paced=True).about["steps"] == 16


@pytest.mark.parametrize("name", ["openvino", "sentence_transformers"])
def test_a_kept_encoder_can_be_named(bird: Engine, tiny: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip(name)
    done = fit(bird, tiny, groups(), passes=1, instructed="tool, example")
    done.component.save(tmp_path / "kept")
    made, plain = choose(f"{name}:{tmp_path / 'kept'}"), choose(f"{name}:{tiny}")
    assert made is not None
    assert plain is not None
    assert made.instructed == done.component.instructed == {"tool", "example"}
    assert not plain.instructed
    assert made.id.endswith("+example+tool")
    assert made.id.split("@")[1].removesuffix("+example+tool") != plain.id.split("@")[1], "other weights, another hash"
    assert np.allclose(made.encode(["w1 w2"]), done.component.encode(["w1 w2"]), atol=2e-3)


def test_rewards_rank_what_labels_cannot(bird: Engine, tiny: Path) -> None:
    done = fit(bird, tiny, groups(rewards=True), candidates=3)
    vectors = done.component.encode([f"w{i}" for i in range(30)])
    keys = done.component.encode(WORDS[30:])
    second = np.mean([vectors[i] @ keys[(i + 7) % 30] > vectors[i] @ keys[(i + 13) % 30] for i in range(30)])
    assert second > 0.6


def test_a_loss_that_is_no_number_keeps_the_best_weights(bird: Engine, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = _Run._loss
    monkeypatch.setattr(_Run, "_loss", lambda run, *given: loss(run, *given) * (float("nan") if run.state.step == 5 else 1.0))
    done = fit(bird, tiny, groups())
    assert "The loss of step 5, or its gradient, is no number" in done.about["stopped"]
    assert done.about["steps"] == 5
    assert np.isfinite(done.component.encode(["w1"])).all()


def test_a_gradient_that_is_no_number_changes_no_weight(bird: Engine, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = _Run._loss
    # 0 * sqrt(0) is 0, and its gradient is not
    monkeypatch.setattr(_Run, "_loss", lambda run, vectors, *given: loss(run, vectors, *given) + 0 * (0 * vectors).sum().sqrt())
    done = fit(bird, tiny, groups())
    assert done.about["steps"] == 0
    assert "is no number" in done.about["stopped"]
    untrained = Net(load(weights.find(str(tiny)), "cpu"), 32).encode(["w1"])
    assert np.allclose(done.component.encode(["w1"]), untrained, atol=1e-6)


def test_steps_follow_the_time_that_they_take(bird: Engine, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bowerbird.learn.trainers import encoder

    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(encoder, "time", clock)
    step = _Run._step

    def slow_at_first(run: _Run, members: Any) -> float:
        clock.now += 10.0 if run.state.step < 6 else 1.0
        return step(run, members)

    monkeypatch.setattr(_Run, "_step", slow_at_first)
    done = fit(bird, tiny, groups(), seconds=100.0)
    assert done.about["steps"] > 20, "the first four steps alone would leave time for nine"
    assert 80 < clock.now <= 100
    assert "stopped" not in done.about


def test_time_and_too_little(bird: Engine, tiny: Path) -> None:
    done = fit(bird, tiny, groups(), seconds=0.0)
    assert done.about["steps"] >= 1
    assert "time was over" in done.about["stopped"]
    with pytest.raises(TooLittle, match="at least 30"):
        EncoderTrainer().check(groups(29))
    with pytest.raises(UnknownName, match="batch"):
        fit(bird, tiny, groups(), batsh=3)
    for option in ({"batch": 1}, {"candidates": 0}, {"temperature": 0.0}, {"warmup": 2.0}):
        with pytest.raises(InvalidInput, match=next(iter(option))):
            fit(bird, tiny, groups(), **option)
