"""Distils rewards and labels into a cross-encoder: a model that reads query and candidate together.

It knows groups and one model; no store. Needs torch; a GPU is used where there is one.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.encoders import weights
from bowerbird.encoders.cross_encoder import CrossEncoderScorer
from bowerbird.encoders.sentence_transformers import quiet
from bowerbird.errors import InvalidInput
from bowerbird.learn.batches import drawn, planned
from bowerbird.learn.groups import Group
from bowerbird.learn.losses.kl import kl
from bowerbird.learn.trainer import Fit, Setting, Trainer, chosen, gain_at
from bowerbird.need import need

__all__ = ["CrossEncoderTrainer", "Options"]

_FOUND = "dbsf(bm25(k=20), dense(k=20), top=10)"
_DEV = 30  # groups of dev that are looked at


@dataclass(frozen=True)
class Options:
    """`model`: a hub name or folder, "" = the default encoder's weights with a fresh head. `batch` queries a step with `candidates` texts
    each; as many steps as `passes` over the groups have unless the time is over before; `rate` of AdamW after `warmup` of the steps,
    falling to 0; `tokens` of a pair that training reads; `looks` at dev."""

    model: str = ""
    batch: int = 8
    candidates: int = 6
    passes: int = 2
    rate: float = 5e-5
    warmup: float = 0.1
    decay: float = 0.01
    tokens: int = 128
    looks: int = 4


class CrossEncoderTrainer(Trainer):
    """KL from the rewards of a query's candidates to the model's scores of the pairs (the reranker that stands between the language
    model and the retriever in LLM-Embedder's question data); without rewards the one that helps is to have all of the mass.

    Candidates that a group lacks are filled up with those of other queries of the batch that do not help it: hard negatives
    (`learn mine`) or a search's other hits are worth more. The best look at dev is kept. No checkpoint: a run that was killed begins
    anew. Judged by nDCG@10 of a search whose first ten it puts in order. Cost: `batch` x `candidates` pairs a
    step, and some ten times that at each look at dev.
    """

    component: ClassVar[str] = "cross_encoder"
    stages: ClassVar[tuple[str, str]] = (_FOUND, f"{_FOUND} >> cross_encoder")
    stage: ClassVar[str] = "cross_encoder"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups with a candidate that helps or with rewards."""
        return [group for group in groups if group.positives or group.rewarded]

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        began = time.monotonic()
        groups = sorted(self.usable(train), key=lambda g: (g.kind, g.source, g.id, g.query))
        held = sorted(self.usable(dev), key=lambda g: (g.id, g.kind, g.source))[:_DEV]
        run = _Run(options, setting, groups, held)
        run.train(None if setting.seconds is None else began + setting.seconds)
        about = {"groups": len(groups), "steps": run.steps, "seconds": round(time.monotonic() - began, 1)}
        return Fit(CrossEncoderScorer(run.model), tuple(run.curve), about)


class _Run:
    """One training run: the model, its optimiser and the curve."""

    def __init__(self, options: Options, setting: Setting, groups: Sequence[Group], dev: Sequence[Group]) -> None:
        torch = need("torch", "local")
        self.torch, self.options, self.setting, self.groups, self.dev = torch, options, setting, groups, dev
        found = weights.find(options.model or weights.DEFAULT)
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(setting.seed)  # of a fresh head
            module = need("sentence_transformers", "local")
            self.model = module.CrossEncoder(str(found.folder), num_labels=1, local_files_only=True)
        if self.model.num_labels != 1:
            raise InvalidInput(f"{options.model} gives {self.model.num_labels} numbers a pair; a model with one output is needed.")
        self.net = self.model.model
        self.net.eval()  # no dropout: same groups and seed, same weights
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=options.rate, weight_decay=options.decay)
        self.curve: list[Mapping[str, float]] = []
        self.steps = 0

    def train(self, until: float | None) -> None:
        """Train to the end, or to the time that is given; the model then holds the best weights."""
        options = self.options
        passes = math.ceil(len(self.groups) / options.batch) * options.passes
        batches = planned(self.groups, options.batch, passes, self.setting.seed)
        every = max(1, len(batches) // max(1, options.looks))
        best, kept, began, total = self._look(0.0), self._weights(), time.monotonic(), 0.0
        for step, places in enumerate(batches):
            loss = self._loss([self.groups[i] for i in places], random.Random(f"{self.setting.seed}/{step}"))
            # A share of the steps or of the time, whichever is further: the rate is down when either ends.
            spent = 0.0 if until is None else (time.monotonic() - began) / max(1e-9, until - began)
            self._step(loss, max(step / len(batches), min(1.0, spent)))
            self.steps, total = step + 1, total + float(loss.detach())
            over = until is not None and time.monotonic() > until
            if (step + 1) % every == 0 or step + 1 == len(batches) or over:
                dev = self._look(total / (step % every + 1))
                total = 0.0
                if dev >= best:
                    best, kept = dev, self._weights()
            if self.setting.progress:
                self.setting.progress("training", step + 1, len(batches))
            if over:
                break
        self.net.load_state_dict(kept)
        self.optimizer.zero_grad(set_to_none=True)

    def _step(self, loss: Any, done: float) -> None:
        warm = self.options.warmup
        share = done / warm if warm and done < warm else (1 - done) / max(1e-9, 1 - warm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate * max(0.01, share)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()

    def _loss(self, groups: Sequence[Group], draw: random.Random) -> Any:
        torch, width = self.torch, self.options.candidates
        pairs: list[tuple[str, str]] = []
        wanted: list[list[float]] = []
        for group in groups:
            mine, rewards = drawn(group, width, draw)
            texts = {c.text: value for c, value in zip(mine, rewards or [0.0, *[math.log(1e-6)] * (len(mine) - 1)], strict=True)}
            helps = _helping(group, groups)
            others = {c.text: None for other in groups for c in other.candidates if c.text not in helps and c.text not in texts}
            if len(others) > width - len(texts):
                others = dict.fromkeys(draw.sample(list(others), width - len(texts)))
            texts |= dict.fromkeys(others, math.log(1e-6))
            padding = width - len(texts)
            pairs += [(group.query, text) for text in [*texts, *[""] * padding]]
            wanted.append([*texts.values(), *[-math.inf] * padding])
        scores = self._scores(pairs).reshape(len(groups), width)
        rows = torch.tensor(wanted, device=scores.device)
        own = torch.arange(width, device=scores.device).expand(len(groups), -1)
        return kl(scores, own, rows, torch.ones_like(rows, dtype=torch.bool), temperature=1.0)

    def _scores(self, pairs: Sequence[tuple[str, str]]) -> Any:
        read = min(self.options.tokens, int(self.model.max_seq_length or 512))
        rows = self.model.tokenizer(list(pairs), padding=True, truncation=True, max_length=read, return_tensors="pt")
        return self.net(**{name: value.to(self.net.device) for name, value in rows.items()}).logits[:, 0]

    def _look(self, loss: float) -> float:
        """Mean nDCG@10 of dev groups' candidates, each group's filled up to ten with the first of others; with no dev the steps taken."""
        texts = list(dict.fromkeys(c.text for group in self.dev for c in group.candidates))
        gains = []
        for group in self.dev:
            labels = {c.text: max(c.label, c.reward or 0.0, 0.0) for c in group.candidates}
            helps = _helping(group, self.dev)
            pool = [*labels, *[text for text in texts if text not in labels and text not in helps][: max(0, 10 - len(labels))]]
            with self.torch.no_grad():
                scores = self._scores([(group.query, text) for text in pool]).tolist()
            order = sorted(range(len(pool)), key=lambda i: (-scores[i], pool[i]))
            gains.append(gain_at(10, [labels.get(pool[i], 0.0) for i in order], list(labels.values())))
        dev = math.fsum(gains) / len(gains) if gains else float(self.steps)
        self.curve.append({"step": float(self.steps), "loss": loss, "dev": dev})
        return dev

    def _weights(self) -> dict[str, Any]:
        return {name: value.detach().clone() for name, value in self.net.state_dict().items()}


def _helping(group: Group, groups: Sequence[Group]) -> set[str]:
    """Texts that help a group, or another one with the same gold output: none of them is a negative."""
    alike = [other for other in groups if other is group or (other.answers and other.answers == group.answers)]
    return {candidate.text for other in alike for candidate in other.positives}
