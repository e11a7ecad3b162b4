"""The cross-encoder's trainer, on a tiny random model: it learns, gives the same twice, and what it makes serves its scope alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'local'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'local'")

from bowerbird.encoders.cross_encoder import CrossEncoderScorer  # noqa: E402
from bowerbird.errors import InvalidInput  # noqa: E402
from bowerbird.learn.groups import Candidate, Group  # noqa: E402
from bowerbird.learn.trainer import Fit, Setting  # noqa: E402
from bowerbird.learn.trainers.cross_encoder import CrossEncoderTrainer  # noqa: E402
from bowerbird.spec import parse  # noqa: E402
from bowerbird.testing.library import RECORDS, World  # noqa: E402
from bowerbird.testing.stage_suite import StageSuite  # noqa: E402
from bowerbird.types import Hit, Scope, Turn  # noqa: E402

torch.set_num_threads(1)  # tests run side by side
WORDS = ["good", "bad", "a", "cat", "bird", "bower", "blue", "thing", "nest", "stone", "leaf", "song"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and a dozen words that scores pairs."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross") / "tiny"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64}
    BertForSequenceClassification(BertConfig(vocab_size=17, num_labels=1, **shape)).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def groups(n: int = 48, seed: int = 0, rewarded: bool = False) -> list[Group]:
    """What says "good" helps, what says "bad" does not: nothing that a random model knows."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        texts = [" ".join([word, *draw.sample(WORDS[2:], 3)]) for word in ("good", "bad", "bad")]
        rewards = (0.9, 0.07, 0.03) if rewarded else (None, None, None)
        candidates = tuple(Candidate(str(j), t, float(j == 0), reward=r) for j, (t, r) in enumerate(zip(texts, rewards, strict=True)))
        found.append(Group(f"{draw.choice(WORDS[2:])} {i} {seed}", "passage", "made", candidates, ("praise",)))
    return found


def fit(tiny: Path, train: list[Group], seconds: float | None = None, **options: Any) -> Fit:
    given = {"model": str(tiny), "rate": 3e-3, "passes": 6, "candidates": 4, **options}
    return CrossEncoderTrainer().fit(train, groups(16, 1), Setting(None, None, seed=3, seconds=seconds, options=given))  # type: ignore[arg-type]


PAIRS = [("cat 1 2", "good blue nest leaf"), ("cat 1 2", "bad blue nest leaf")]


@pytest.mark.parametrize("rewarded", [False, True])
def test_it_learns_and_what_is_kept_is_what_was_trained(tiny: Path, tmp_path: Path, rewarded: bool) -> None:
    made = fit(tiny, groups(rewarded=rewarded))
    good, bad = made.component.score(PAIRS)
    assert good > bad + 1
    assert made.curve[0]["dev"] < 0.95 < max(row["dev"] for row in made.curve)
    made.component.save(tmp_path / "3")
    again = CrossEncoderScorer.load(tmp_path / "3")
    assert again.score(PAIRS) == pytest.approx(np.array([good, bad]), abs=1e-5)
    assert again.id.startswith("3@")
    assert {path.suffix for path in (tmp_path / "3").rglob("*") if path.is_file()} <= {".json", ".safetensors", ".txt"}


def test_same_groups_and_seed_same_numbers_whatever_their_order(tiny: Path) -> None:
    one, two = fit(tiny, groups(), passes=1), fit(tiny, groups()[::-1], passes=1)
    assert one.curve == two.curve
    assert (one.component.score(PAIRS) == two.component.score(PAIRS)).all()


def test_no_time_leaves_a_model_all_the_same(tiny: Path) -> None:
    made = fit(tiny, groups(), seconds=0.0)
    assert made.about["steps"] == 1
    assert np.isfinite(made.component.score(PAIRS)).all()


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no cross-encoder"):
        CrossEncoderScorer.load(tmp_path)


class Longest:
    """A scorer that likes long texts; it serves Ann."""

    id = "longest"

    def component(self, name: str, scope: Scope) -> Any:
        return self if (name, str(scope)) == ("cross_encoder", "acme/ann") else None

    def score(self, pairs: Any) -> Any:
        return np.array([len(text) for _, text in pairs], dtype=np.float32)


class TestTrained(StageSuite):
    def make_stage(self):
        return parse("cross_encoder(top=2)")

    def world(self, shuffle=None):
        world = World(shuffle=shuffle)
        world.parts["trained"] = Longest()
        return world


def test_the_trained_one_serves_its_scope_alone() -> None:
    hits = tuple(Hit(record.id, 1.0, {}, record) for record in RECORDS if record.key in ("stove", "password"))
    world = World()
    world.parts["trained"] = Longest()
    turns = [Turn("warm stove", Scope("acme", user), user, hits=hits) for user in ("ann", "bob")]
    ann, bob = parse("cross_encoder").bind(world.part)(turns)
    assert [hit.record.key for hit in ann.hits] == ["password", "stove"]
    assert [hit.record.key for hit in bob.hits] == ["stove", "password"]
    assert (ann.trace[0].info.get("trained"), bob.trace[0].info.get("trained")) == (True, None)
    assert world.calls == {"scorer": 1}
