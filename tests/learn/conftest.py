"""Doubles for learning: a component that is one number, and its trainer; an encoder that trains in a second."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bowerbird import table
from bowerbird.learn.groups import Group
from bowerbird.learn.trainer import Fit, Scores, Setting, Trainer


class Shift:
    """A component that is one number."""

    def __init__(self, by: float) -> None:
        self.by = by

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "shift.json").write_text(json.dumps(self.by))

    @classmethod
    def load(cls, folder: Path) -> Shift:
        return cls(json.loads((folder / "shift.json").read_text()))


class ShiftTrainer(Trainer):
    """Learns the mean label; a query's score is 0.5, a little noise, and the shift."""

    component: ClassVar[str] = "adapter"

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        labels = [candidate.label for group in train for candidate in group.candidates]
        return Fit(Shift(sum(labels) / len(labels)), ({"step": 1.0, "loss": 0.1},))

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        found: dict[str, dict[str, float]] = {}
        for group in groups:
            noise = random.Random(group.id + str(component is not None)).gauss(0, 0.1)
            found.setdefault(group.kind, {})[group.id] = 0.5 + noise + (component.by if component else 0.0)
        return found


@pytest.fixture
def shift_trainer(monkeypatch: pytest.MonkeyPatch) -> type[Trainer]:
    """That trainer, listed with its component as `adapter`."""
    whole = table.load

    def load(group: str, name: str) -> Any:
        mine = {("components", "adapter"): Shift, ("trainers", "adapter"): ShiftTrainer}
        return mine.get((group, name)) or whole(group, name)

    monkeypatch.setattr(table, "load", load)
    return ShiftTrainer


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and 60 words that sentence-transformers can load."""
    torch = pytest.importorskip("torch", reason="needs the extra 'local'")
    pytest.importorskip("sentence_transformers", reason="needs the extra 'local'")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    raw = folder / "raw"
    raw.mkdir()
    (raw / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(60))]))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=65, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64
    )
    BertModel(config).save_pretrained(raw)
    BertTokenizerFast(str(raw / "vocab.txt")).save_pretrained(raw)
    word = models.Transformer(str(raw), max_seq_length=32)
    SentenceTransformer(modules=[word, models.Pooling(32, "mean")], device="cpu").save(str(folder / "model"), create_model_card=False)
    return folder / "model"
