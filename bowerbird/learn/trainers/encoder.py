"""Trains one dense encoder on all kinds: every weight of it, from groups of every kind, source by source.

It knows groups and one sentence-transformers model; no store and no bower. Needs torch; a GPU is used where there is one.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, ClassVar

from bowerbird import table
from bowerbird.components.shelf import Artifact
from bowerbird.encoders import weights
from bowerbird.encoders.choose import HERE, movable
from bowerbird.encoders.sentence_transformers import load
from bowerbird.encoders.trained import TrainedEncoder
from bowerbird.errors import InvalidInput
from bowerbird.kinds import instructed_kinds
from bowerbird.learn import lora
from bowerbird.learn.batches import Batch, planned
from bowerbird.learn.checkpoint import Checkpoint
from bowerbird.learn.gradcache import Net
from bowerbird.learn.groups import Group, alike
from bowerbird.learn.keep import Keep, Kept
from bowerbird.learn.pooled import pooled_scores
from bowerbird.learn.publish import data_hash
from bowerbird.learn.trainer import Bower, Fit, Progress, Scores, Setting, Trainer, chosen
from bowerbird.need import need
from bowerbird.types import Scope

__all__ = ["LOSSES", "EncoderTrainer", "Options"]

LOSSES: Mapping[str, tuple[str, float]] = {"memory": ("kl", 0.1), "user": ("kl", 0.1)}
"""Kind -> the loss of its rewarded groups and the temperature of their rewards; the others `graded` at 1 (LLM-Embedder, section 3.2).
Groups without rewards take `infonce`."""
_GRADED = ("graded", 1.0)
_BEFORE = "encoder_before_training"  # the catalog's note of the encoder to go back to
_TIMED = 4  # steps whose time first says how many there is time for
_KEPT = 32  # texts whose likeness a step keeps
_DEV = 150  # dev queries
_EVERY = 60.0  # seconds between checkpoints


@dataclass(frozen=True)
class Options:
    """`model`: a hub name or folder; "" = the default weights. `batch` queries a step with up to `candidates` keys each; as many steps as
    `passes` over the groups have, or `steps` where they are given, unless the time is over before. `rate` of AdamW after `warmup` of the
    steps, falling to 0; `temperature` of the inner products; `tokens` of a text that training reads; `chunk` tokens whose activations are
    held at once (0 = all of a batch). `instructed`: the kinds whose texts stand behind their instructions, with commas between them
    ("all", or "" = none). Behind one a kind can have a likeness of its own, examples the same label, which costs the other kinds less.
    `keep`: the weight of the likeness that other kinds' texts had before, held behind an instruction (`learn/keep.py`), 0 = not.
    `homogeneous`, `graded`, `rewards`: False trains without, for ablations. `looks` at dev. `paced`: a kind's rate is scaled by its loss
    against that before the last look. `rank`: train matrices of that rank beside frozen weights (LoRA; it wants a higher `rate`), 0 =
    every weight. `precision` of matrix products: "f32", "bf16", or "auto" = bf16 where the device has it."""

    model: str = ""
    batch: int = 32
    candidates: int = 2
    passes: int = 2
    steps: int = 0
    rate: float = 1e-4
    warmup: float = 0.1
    decay: float = 0.01
    temperature: float = 0.05
    tokens: int = 96
    chunk: int = 16384
    looks: int = 5
    instructed: str = "example"
    keep: float = 1.0
    homogeneous: bool = True
    graded: bool = True
    rewards: bool = True
    paced: bool = False
    rank: int = 0
    precision: str = "f32"

    def __post_init__(self) -> None:
        least = {"batch": 2, "candidates": 1, "tokens": 4, "rate": 1e-12, "keep": 0, "temperature": 1e-3, "looks": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise InvalidInput(f"Option {name}={getattr(self, name)!r} is too small: at least {value}.")
        if self.warmup > 1:
            raise InvalidInput(f"Option warmup={self.warmup!r} is a share of the steps, 0 to 1.")
        _ = self.kinds

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of `instructed`. Raises `UnknownName`."""
        named = [name.strip() for name in self.instructed.split(",") if name.strip()]
        return instructed_kinds(True if named == ["all"] else named)


@dataclass(slots=True)
class _State:
    """Where training stands; what a checkpoint keeps beside weights."""

    step: int = 0
    steps: int = 0
    best: float = -1.0
    best_step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)  # by kind: since the last look, and the mean before it
    before: dict[str, float] = field(default_factory=dict)
    stopped: str = ""  # why it ended before all steps were done


class EncoderTrainer(Trainer):
    """Full or low-rank fine-tuning with homogeneous batches and a loss for each kind (LLM-Embedder, arXiv 2310.07554, section 3).

    Differs: keys that a batch shares are encoded once; false negatives that are known (another query's key that helps this one too, or a
    key that helps any training query with the same gold output) do not count; no dropout, so that gradients made chunk by chunk
    (`gradcache.py`) are those of the whole batch, and a run that was killed and goes on gives the same weights on the same machine. The
    best look at dev is kept, the untrained model included. A loss or gradient that is no number stops training with the best weights so
    far.

    A loop of its own rather than `SentenceTransformerTrainer`: that one encodes columns, so a key that ten queries share costs ten times,
    and its checkpoints are pickles. One device; memory of `chunk` tokens of activations.
    """

    component: ClassVar[str] = "encoder"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups with a candidate that helps or with rewards."""
        return [group for group in groups if group.positives or group.rewarded]

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        began = time.monotonic()
        groups = sorted(self.usable(train), key=lambda g: (g.kind, g.source, g.id, g.query))
        held = _evenly(self.usable(dev), _DEV)
        run = _Run(options, setting, groups, held, None if setting.seconds is None else began + setting.seconds)
        run.train()
        about = {
            "options": {name: getattr(options, name) for name in Options.__dataclass_fields__},
            "groups": len(groups),
            "steps": run.state.step,
            "best_step": run.state.best_step,
            "seconds": round(time.monotonic() - began, 1),
            **({"stopped": run.state.stopped} if run.state.stopped else {}),
        }
        return Fit(TrainedEncoder(run.model, options.kinds), tuple(run.state.curve), about)

    def serve(self, bower: Bower, chosen: Artifact | None, scope: Scope, progress: Progress | None = None) -> None:
        """Re-embed the bower, the old encoder serving meanwhile; None goes back to the encoder from before the first trained one. One
        transaction lets the new vectors serve and says so on the shelf.

        An encoder serves every scope, so it may be learnt only where all records are of one tenant. Raises `InvalidInput` elsewhere.
        """
        others = sorted(set(bower.catalog.tenants()) - {scope.tenant})
        if others:
            raise InvalidInput(
                f"An encoder serves the whole bower, and this one keeps records of other tenants than {scope.tenant!r} "
                f"({', '.join(others[:3])}): what was learnt from one must not serve the others. "
                "An adapter serves its own scope alone: bowerbird learn fit adapter"
            )
        now = movable(bower.catalog.fact("encoder") or "auto", bower.shelf.folder.parent)
        if f"{HERE}/{bower.shelf.folder.name}/" not in now:
            bower.catalog.set_fact(_BEFORE, now)
        note = bower.shelf.publishing(self.component, chosen.version if chosen else 0, scope)
        bower.reembed(f"auto:{chosen.path}" if chosen else bower.catalog.fact(_BEFORE) or "auto", progress, note)

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        """nDCG@10 among all candidates of the groups given: a new encoder's vectors are in no bower before it is published."""
        encoder = setting.encoder if component is None else component
        if encoder is None:
            raise InvalidInput("An encoder is judged against the one at hand, and none is set up.")
        return pooled_scores(groups, encoder.encode, encoder.instructed)


class _Run:
    """One training run: the model, its optimiser, and where it stands."""

    def __init__(self, options: Options, setting: Setting, groups: Sequence[Group], dev: Sequence[Group], until: float | None) -> None:
        torch = need("torch", "local")
        self.torch, self.options, self.setting, self.groups, self.dev, self.until = torch, options, setting, groups, dev, until
        found = weights.find(options.model or weights.DEFAULT)
        self.model = load(found)
        if options.rank:
            lora.added(self.model, options.rank, setting.seed)
        self.known = alike(groups)
        self.kept: Keep | None = None
        if options.keep and options.kinds:
            self.kept = Keep(groups, options.kinds, Net(copy.deepcopy(self.model), options.tokens, options.chunk, options.precision).encode)
        self.net = Net(self.model, options.tokens, options.chunk, options.precision)  # the kept model goes on reading all that it did
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        matrices, vectors = [p for p in self.trained if p.dim() > 1], [p for p in self.trained if p.dim() <= 1]
        groups_of = [{"params": matrices, "weight_decay": options.decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups_of, lr=options.rate, fused=True)
        self.losses = {name: table.load("losses", name) for name in ("graded", "kl", "infonce")}
        self.state = _State()
        self.best: dict[str, Any] = {}
        self.checkpoint = Checkpoint(setting.folder) if setting.folder else None
        self.of = f"{data_hash(groups)} {data_hash(dev)} {found.digest} {setting.seed} {options}" if setting.folder else ""

    # --- the loop -----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Train to the end; the model then holds the best weights. What is kept says that it ended, until whoever keeps the component
        clears it: a kill while it is judged costs no training."""
        options, state = self.options, self.state
        steps = options.steps or math.ceil(len(self.groups) / options.batch) * options.passes
        self._resume()
        if not state.curve:
            self._look()
        batches = planned(self.groups, options.batch, steps, self.setting.seed, options.homogeneous)
        state.steps = state.steps or len(batches)
        kept, since, at = time.monotonic(), time.monotonic(), state.step
        while state.step < state.steps and not state.stopped:
            loss = self._step([self.groups[place] for place in batches[state.step]])
            if not math.isfinite(loss):
                state.stopped = (
                    f"The loss of step {state.step}, or its gradient, is no number: the weights of step {state.best_step} are kept."
                )
                break
            state.step += 1
            look = state.step * options.looks >= state.steps * len(state.curve) or state.step == state.steps
            if state.step < state.steps and (look or state.step == _TIMED):
                self._fit_to_time((time.monotonic() - since) / (state.step - at), len(batches))
            if self.setting.progress:
                self.setting.progress(f"training encoder, loss {loss:.3f}", state.step, state.steps)
            if look:
                self._look()
                since, at = time.monotonic(), state.step
            if self.checkpoint and time.monotonic() - kept > _EVERY:
                self._keep()
                kept = time.monotonic()
            if self.until is not None and time.monotonic() > self.until and state.step < state.steps:
                self._look()
                state.stopped = f"The time was over after {state.step} of {state.steps} steps."
                break
        if self.checkpoint:
            self._keep()
        self.model.load_state_dict(self.best, strict=True)
        self.optimizer.zero_grad(set_to_none=True)
        lora.merge(self.model)

    def _fit_to_time(self, seconds: float, most: int) -> None:
        """As many steps as there is time for, at most `most`, so that the rate falls to 0 at the end and not before. Done again at every
        look: a machine is busier at one time than at another."""
        if self.until is not None:
            left = max(0.0, self.until - time.monotonic()) * 0.85  # the rest is for looks
            self.state.steps = max(self.state.step + 1, min(most, self.state.step + int(left / max(seconds, 1e-3))))

    def _rate(self) -> float:
        done, warm = self.state.step / max(1, self.state.steps), self.options.warmup
        return self.options.rate * (min(1.0, (done + 1e-9) / warm) if done < warm else (1 - done) / max(1e-9, 1 - warm))

    def _step(self, groups: Sequence[Group]) -> float:
        options, name = self.options, groups[0].kind
        draw = random.Random(f"{self.setting.seed}/{self.state.step}")
        batch = Batch(groups, options.candidates, draw, options.rewards, options.kinds, self.known)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate() * self._pace(name)
        self.optimizer.zero_grad(set_to_none=True)
        kept = self.kept.drawn(name, _KEPT, draw) if self.kept else None
        of = len(batch.texts)

        def whole(vectors: Any) -> Any:
            learnt = self._loss(vectors[:of], batch, groups)
            return learnt + options.keep * self._likeness(vectors[of:], kept) if kept else learnt

        loss = self.net.backward([*batch.texts, *kept.texts] if kept else batch.texts, whole)
        norm = float(self.torch.nn.utils.clip_grad_norm_(self.trained, 1.0))
        if not math.isfinite(loss + norm):
            return math.nan
        self.optimizer.step()
        self.state.losses.setdefault(name, []).append(loss)
        return loss

    def _pace(self, name: str) -> float:
        """Self-paced: a kind whose loss is high against its last mean steps further (the later LLM-Embedder), between 0.5 and 2."""
        now = self.state.losses.get(name, [])
        if not self.options.paced or name not in self.state.before or not now:
            return 1.0
        return min(2.0, max(0.5, math.fsum(now[-8:]) / len(now[-8:]) / max(1e-9, self.state.before[name])))

    def _loss(self, vectors: Any, batch: Batch, groups: Sequence[Group]) -> Any:
        torch = self.torch
        scores = vectors[: batch.queries] @ vectors[batch.queries :].T / self.options.temperature
        own, rewards, allowed = (torch.tensor(of, device=scores.device) for of in (batch.own, batch.rewards, batch.allowed))
        total = scores.new_zeros(())
        for (name, temperature), places in _objectives(groups, batch.rewarded, self.options.graded).items():
            at = torch.tensor(places, device=scores.device)
            total = total + len(places) * self.losses[name](scores[at], own[at], rewards[at], allowed[at], temperature)
        return total / batch.queries

    def _likeness(self, vectors: Any, kept: Kept) -> Any:
        """KL of how alike the texts were to how alike they are, each beside all others."""
        torch, temperature = self.torch, self.options.temperature
        was = torch.tensor(kept.likeness, device=vectors.device)
        scores = vectors[kept.asked] @ vectors[kept.keyed].T / temperature
        every = torch.arange(len(was), device=vectors.device).expand_as(was)
        return self.losses["kl"](scores, every, was, torch.ones_like(was, dtype=torch.bool), temperature)

    # --- looking at dev -----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """How good it is on dev, and whether it is the best so far."""
        state = self.state
        found = pooled_scores(self.dev, self.net.encode, self.options.kinds)
        means = [math.fsum(of.values()) / len(of) for of in found.values()]
        dev = math.fsum(means) / len(means) if means else float(state.step)  # without dev groups the last one is taken for the best
        every = [value for of in state.losses.values() for value in of]
        row = {"step": float(state.step), "dev": dev, **({"loss": math.fsum(every) / len(every)} if every else {})}
        state.curve.append(row)
        state.before.update({name: math.fsum(of) / len(of) for name, of in state.losses.items() if of})
        state.losses.clear()
        if dev > state.best:
            state.best, state.best_step = dev, state.step
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    # --- going on after a kill ----------------------------------------------------------------------------------------

    def _keep(self) -> None:
        assert self.checkpoint is not None
        state = self.state
        told = {name: getattr(state, name) for name in _State.__slots__}
        self.checkpoint.keep(self.model, self.optimizer, self.best, told, self.of)

    def _resume(self) -> None:
        told = self.checkpoint.restore(self.model, self.optimizer, self.of) if self.checkpoint else None
        if told is not None:
            self.best, values = told
            for name, value in values.items():
                setattr(self.state, name, value)


def _evenly(groups: Sequence[Group], most: int) -> list[Group]:
    """Up to `most` of them, as many of each kind as there are: what a look at dev sees is a mean over kinds, each as sure as the others."""
    by_kind: dict[str, list[Group]] = {}
    for group in sorted(groups, key=lambda g: (g.id, g.kind, g.source)):
        by_kind.setdefault(group.kind, []).append(group)
    return [group for row in zip_longest(*by_kind.values()) for group in row if group is not None][:most]


def _objectives(groups: Sequence[Group], rewarded: Sequence[bool], graded: bool) -> dict[tuple[str, float], list[int]]:
    """(loss, temperature of rewards) -> the places of its groups."""
    found: dict[tuple[str, float], list[int]] = {}
    for place, (group, scored) in enumerate(zip(groups, rewarded, strict=True)):
        told = LOSSES.get(group.kind, _GRADED) if graded else ("kl", 1.0)
        found.setdefault(told if scored else ("infonce", 1.0), []).append(place)
    return found
