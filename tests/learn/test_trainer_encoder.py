"""The encoder's trainer, on a tiny random model: it learns, gives the same twice, goes on after a kill, and stops where it must."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'local'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'local'")

from bowerbird import Engine  # noqa: E402
from bowerbird.encoders.trained import TrainedEncoder  # noqa: E402
from bowerbird.errors import InvalidInput, UnknownName  # noqa: E402
from bowerbird.learn.batches import drawn, planned  # noqa: E402
from bowerbird.learn.groups import Candidate, Group  # noqa: E402
from bowerbird.learn.trainer import Setting, TooLittle  # noqa: E402
from bowerbird.learn.trainers.encoder import EncoderTrainer, Options, _Batch, _Run  # noqa: E402

torch.set_num_threads(1)  # tests run side by side
WORDS = [f"w{i}" for i in range(60)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and 60 words that sentence-transformers can load."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    raw = folder / "raw"
    raw.mkdir()
    (raw / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=65, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64
    )
    BertModel(config).save_pretrained(raw)
    BertTokenizerFast(str(raw / "vocab.txt")).save_pretrained(raw)
    word = models.Transformer(str(raw), max_seq_length=32)
    SentenceTransformer(modules=[word, models.Pooling(32, "mean")], device="cpu").save(str(folder / "model"), create_model_card=False)
    return folder / "model"


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
    given = {"model": str(tiny), "passes": 6, "rate": 3e-3, "batch": 16, "instructed": False, **options}
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


def test_a_run_that_was_killed_goes_on_to_the_same_weights(
    bird: Engine, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bowerbird.learn.trainers import encoder

    whole = fit(bird, tiny, groups(), passes=2)
    monkeypatch.setattr(encoder, "_EVERY", 0.0)
    step = _Run._step

    def dies(run: _Run, members: Any) -> float:
        if run.state.step == 9:
            raise KeyboardInterrupt
        return step(run, members)

    monkeypatch.setattr(_Run, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        fit(bird, tiny, groups(), tmp_path / "run", passes=2)
    assert json.loads((tmp_path / "run" / "state.json").read_text())["step"] == 9
    monkeypatch.setattr(_Run, "_step", step)
    again = fit(bird, tiny, groups(), tmp_path / "run", passes=2)
    assert np.array_equal(again.component.encode(["w1 w5"]), whole.component.encode(["w1 w5"]))
    assert again.curve == whole.curve
    assert not (tmp_path / "run").exists(), "a run that is over leaves no checkpoint"


def test_gradients_made_chunk_by_chunk_are_those_of_the_whole_batch(bird: Engine, tiny: Path) -> None:
    def gradients(chunk: int) -> list[Any]:
        options = Options(model=str(tiny), chunk=chunk, instructed=False)
        run = _Run(options, Setting(bird, None), groups(), [], None)
        run._backward(_Batch(groups(24, rewards=True), options, random.Random(0)))
        return [p.grad.clone() for p in run.model.parameters() if p.grad is not None]

    whole, parts = gradients(0), gradients(40)
    assert len(whole) == len(parts) > 10
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(whole, parts, strict=True))


def test_rewards_rank_what_labels_cannot(bird: Engine, tiny: Path) -> None:
    done = fit(bird, tiny, groups(rewards=True), candidates=3)
    vectors = done.component.encode([f"w{i}" for i in range(30)])
    keys = done.component.encode(WORDS[30:])
    second = np.mean([vectors[i] @ keys[(i + 7) % 30] > vectors[i] @ keys[(i + 13) % 30] for i in range(30)])
    assert second > 0.6


def test_a_loss_that_is_no_number_keeps_the_best_weights(bird: Engine, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backward = _Run._backward
    monkeypatch.setattr(_Run, "_backward", lambda run, batch: float("nan") if run.state.step == 5 else backward(run, batch))
    done = fit(bird, tiny, groups())
    assert "The loss of step 5 is nan" in done.about["stopped"]
    assert np.isfinite(done.component.encode(["w1"])).all()


def test_time_and_too_little(bird: Engine, tiny: Path) -> None:
    done = fit(bird, tiny, groups(), seconds=0.0)
    assert done.about["steps"] >= 1
    assert "time was over" in done.about["stopped"]
    with pytest.raises(TooLittle, match="at least 30"):
        EncoderTrainer().check(groups(29))
    with pytest.raises(UnknownName, match="batch"):
        fit(bird, tiny, groups(), batsh=3)


def test_batches_are_of_one_kind_and_source_and_cover_all(bird: Engine) -> None:
    mixed = [*groups(40), *groups(37, "tool"), *groups(20, "tool", "other")]
    plan = planned(mixed, 8, 100, seed=1)
    assert all(len({(mixed[place].kind, mixed[place].source) for place in batch}) == 1 for batch in plan)
    first = plan[:14]  # 5 + 5 + 3 blocks, but for a block of one
    assert len({place for batch in first for place in batch}) >= len(mixed) - 1
    assert planned(mixed, 8, 5, seed=1) == plan[:5] != planned(mixed, 8, 5, seed=2)
    assert any(len({mixed[place].kind for place in batch}) > 1 for batch in planned(mixed, 8, 10, homogeneous=False))
    assert planned([], 8, 5) == []


def test_keys_that_help_are_no_negatives() -> None:
    shared = Candidate("a", "same text", 1.0)
    batch = _Batch(
        [
            Group("one", "tool", "s", (shared,)),
            Group("two", "tool", "s", (Candidate("b", "other", 1.0), Candidate("a2", "same text", 1.0))),
        ],
        Options(instructed=False),
        random.Random(0),
    )
    assert batch.texts == ["one", "two", "same text", *(["other"] if len(batch.texts) == 4 else [])]
    assert not any(
        allowed and column != own[0]
        for own, row in zip(batch.own[1:], batch.allowed[1:], strict=True)
        for column, allowed in enumerate(row)
    )
    labelled = [Group(f"q{i}", "example", "s", (Candidate(f"e{i}", f"text {i}", 1.0),), ("yes" if i < 2 else "no",)) for i in range(3)]
    assert _Batch(labelled, Options(instructed=False), random.Random(0)).allowed == [[True, False, True], [False, True, True], [True] * 3]
    told = _Batch(labelled, Options(), random.Random(0)).texts[0]
    assert told == "q0"
    behind = _Batch(labelled, Options(instructed=True), random.Random(0)).texts[0]
    assert behind.endswith("q0")
    assert behind != "q0"


def test_candidates_are_drawn_with_the_best_in_front() -> None:
    group = groups(1, rewards=True)[0]
    chosen, rewards = drawn(group, 2, random.Random(0))
    assert rewards is not None
    assert rewards[0] == pytest.approx(np.log(0.8))
    assert rewards[0] > rewards[1]
    chosen, rewards = drawn(group, 3, random.Random(0), rewards=False)
    assert rewards is None
    assert [c.label for c in chosen] == [1.0, 0.0, 0.0]
