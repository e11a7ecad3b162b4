"""Trains one dense encoder on all kinds: every weight of it, from groups of every kind, source by source.

It knows groups and one sentence-transformers model; no store and no bower. Needs torch; a GPU is used where there is one.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bowerbird import table
from bowerbird.components.shelf import Artifact
from bowerbird.encoders import weights
from bowerbird.encoders.sentence_transformers import load
from bowerbird.encoders.trained import TrainedEncoder
from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.learn.batches import drawn, planned
from bowerbird.learn.checkpoint import Checkpoint
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Bower, Fit, Progress, Setting, Trainer, chosen, gain_at
from bowerbird.need import need
from bowerbird.types import Scope

__all__ = ["LOSSES", "EncoderTrainer", "Options"]

LOSSES: Mapping[str, tuple[str, float]] = {"memory": ("kl", 0.1), "user": ("kl", 0.1)}
"""Kind -> the loss of its rewarded groups and the temperature of their rewards; the others `graded` at 1 (LLM-Embedder, section 3.2).
Groups without rewards take `infonce`."""
_GRADED = ("graded", 1.0)
_BEFORE = "encoder_before_training"  # the catalog's note of the encoder to go back to
_TIMED = 4  # steps whose time says how many there is time for
_POOL = 600  # texts that dev queries are ranked against
_DEV = 150  # dev queries
_EVERY = 60.0  # seconds between checkpoints
_EVALUATE = 64  # texts that go through the model at once where no gradient is wanted


@dataclass(frozen=True)
class Options:
    """`model`: a hub name or folder; "" = the default weights. `batch` queries a step with up to `candidates` keys each; `passes` over
    the groups, unless the time is over before. `rate` of AdamW after `warmup` of the steps, falling to 0; `temperature` of the inner
    products; `tokens` of a text that training reads; `chunk` tokens whose activations are held at once (0 = all of a batch). `instructed`:
    texts stand behind their kind's instructions. `homogeneous`, `graded`, `rewards`: False trains without, for ablations. `looks` at
    dev. `paced`: a kind's rate is scaled by its loss against that before the last look."""

    model: str = ""
    batch: int = 32
    candidates: int = 2
    passes: int = 2
    rate: float = 5e-5
    warmup: float = 0.1
    decay: float = 0.01
    temperature: float = 0.05
    tokens: int = 96
    chunk: int = 16384
    looks: int = 5
    instructed: bool = False
    homogeneous: bool = True
    graded: bool = True
    rewards: bool = True
    paced: bool = False


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


class EncoderTrainer(Trainer):
    """Full fine-tuning with homogeneous batches and a loss for each kind (LLM-Embedder, arXiv 2310.07554, section 3).

    Differs: keys that a batch shares are encoded once; false negatives that are known (another query's key that helps this one too, or a
    key of a query with the same gold output) do not count; no dropout, so that gradients made chunk by chunk (GradCache, arXiv
    2101.06983) are those of the whole batch, and a run that was killed and goes on gives the same weights. The best look at dev is
    kept, the untrained model included. A loss that is no number stops training with the best weights so far.
    Cost on two cores with all-MiniLM-L6-v2: see LOG.md; memory of `chunk` tokens of activations.
    """

    component: ClassVar[str] = "encoder"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups with a candidate that helps or with rewards."""
        return [group for group in groups if group.positives or group.rewarded]

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        began = time.monotonic()
        groups = sorted(self.usable(train), key=lambda g: (g.kind, g.source, g.id, g.query))
        held = sorted(self.usable(dev), key=lambda g: (g.id, g.kind, g.source))[:_DEV]
        run = _Run(options, setting, groups, held, None if setting.seconds is None else began + setting.seconds)
        stopped = run.train()
        about = {
            "options": {name: getattr(options, name) for name in Options.__dataclass_fields__},
            "groups": len(groups),
            "steps": run.state.step,
            "best_step": run.state.best_step,
            "seconds": round(time.monotonic() - began, 1),
            **({"stopped": stopped} if stopped else {}),
        }
        return Fit(TrainedEncoder(run.model, options.instructed), tuple(run.state.curve), about)

    def serve(self, bower: Bower, chosen: Artifact | None, scope: Scope, progress: Progress | None = None) -> None:
        """Re-embed the bower, the old encoder serving meanwhile; None goes back to the encoder from before the first trained one.

        An encoder serves every scope, so it may be learnt only where all records are of one tenant. Raises `InvalidInput` elsewhere.
        """
        others = sorted(set(bower.catalog.tenants()) - {scope.tenant})
        if others:
            raise InvalidInput(
                f"An encoder serves the whole bower, and this one keeps records of other tenants than {scope.tenant!r} "
                f"({', '.join(others[:3])}): what was learnt from one must not serve the others. "
                "An adapter serves its own scope alone: bowerbird learn fit adapter"
            )
        now = bower.catalog.fact("encoder") or "auto"
        if str(bower.shelf.folder) not in now:
            bower.catalog.set_fact(_BEFORE, now)
        bower.reembed(f"auto:{chosen.path}" if chosen else bower.catalog.fact(_BEFORE) or "auto", progress)

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Mapping[str, Mapping[str, float]]:
        """nDCG@10 among all candidates of the groups given: a new encoder's vectors are in no bower before it is published."""
        encoder = setting.encoder if component is None else component
        if encoder is None:
            raise InvalidInput("An encoder is judged against the one at hand, and none is set up.")
        return _pooled(groups, encoder.encode, encoder.instructed)


class _Run:
    """One training run: the model, its optimiser, and where it stands."""

    def __init__(self, options: Options, setting: Setting, groups: Sequence[Group], dev: Sequence[Group], until: float | None) -> None:
        torch = need("torch", "local")
        self.torch, self.options, self.setting, self.groups, self.dev, self.until = torch, options, setting, groups, dev, until
        torch.manual_seed(setting.seed)
        self.model = load(weights.find(options.model or weights.DEFAULT))
        self.read = min(options.tokens, int(self.model.max_seq_length))  # in training; the model goes on reading what it did
        self.device = self.model.device
        matrices = [p for p in self.model.parameters() if p.dim() > 1]
        vectors = [p for p in self.model.parameters() if p.dim() <= 1]
        groups_of = [{"params": matrices, "weight_decay": options.decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups_of, lr=options.rate)
        self.losses = {name: table.load("losses", name) for name in ("graded", "kl", "infonce")}
        self.state = _State()
        self.best: dict[str, Any] = {}
        self.known: dict[str, list[int]] = {}
        self.checkpoint = Checkpoint(setting.folder) if setting.folder else None

    # --- the loop -----------------------------------------------------------------------------------------------------

    def train(self) -> str:
        """Train to the end; why it stopped before, or "". The model then holds the best weights."""
        options, state = self.options, self.state
        passes = math.ceil(len(self.groups) / options.batch) * options.passes
        self._resume()
        if not state.curve:
            self._look()
        batches = planned(self.groups, options.batch, passes, self.setting.seed, options.homogeneous)
        state.steps = state.steps or len(batches)
        kept, began, first = time.monotonic(), time.monotonic(), state.step
        stopped = ""
        while state.step < state.steps:
            loss = self._step([self.groups[place] for place in batches[state.step]])
            if not math.isfinite(loss):
                stopped = f"The loss of step {state.step} is {loss}: the weights of step {state.best_step} are kept."
                break
            state.step += 1
            if state.step == first + _TIMED and first == 0:
                self._fit_to_time((time.monotonic() - began) / _TIMED)
            if self.setting.progress:
                self.setting.progress(f"training encoder, loss {loss:.3f}", state.step, state.steps)
            if state.step % max(1, state.steps // max(1, options.looks)) == 0 or state.step == state.steps:
                self._look()
            if self.checkpoint and time.monotonic() - kept > _EVERY:
                self._keep()
                kept = time.monotonic()
            if self.until is not None and time.monotonic() > self.until and state.step < state.steps:
                self._look()
                stopped = f"The time was over after {state.step} of {state.steps} steps."
                break
        self.model.load_state_dict(self.best, strict=True)
        if self.checkpoint:
            self.checkpoint.clear()
        return stopped

    def _fit_to_time(self, seconds: float) -> None:
        """As many steps as there is time for, so that the rate falls to 0 at the end and not before."""
        if self.until is not None:
            left = max(0.0, self.until - time.monotonic()) * 0.85  # the rest is for looks
            self.state.steps = max(self.state.step + 1, min(self.state.steps, self.state.step + int(left / max(seconds, 1e-3))))

    def _rate(self) -> float:
        done, warm = self.state.step / max(1, self.state.steps), self.options.warmup
        return self.options.rate * (min(1.0, (done + 1e-9) / warm) if done < warm else (1 - done) / max(1e-9, 1 - warm))

    def _step(self, groups: Sequence[Group]) -> float:
        batch = _Batch(groups, self.options, random.Random(f"{self.setting.seed}/{self.state.step}"))
        name = groups[0].kind
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate() * self._pace(name)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(batch)
        if math.isfinite(loss):
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.state.losses.setdefault(name, []).append(loss)
        return loss

    def _pace(self, name: str) -> float:
        """Self-paced: a kind whose loss is high against its last mean steps further (the later LLM-Embedder), between 0.5 and 2."""
        now = self.state.losses.get(name, [])
        if not self.options.paced or name not in self.state.before or not now:
            return 1.0
        return min(2.0, max(0.5, math.fsum(now[-8:]) / len(now[-8:]) / max(1e-9, self.state.before[name])))

    def _backward(self, batch: _Batch) -> float:
        """Gradients of the batch's loss. A batch of more than `chunk` tokens goes through twice, so that only a chunk is held at once."""
        torch, limit = self.torch, self.options.chunk
        rows = [self._tokens(text) for text in batch.texts]
        chunks = _chunks([len(row) for row in rows], limit)
        if len(chunks) == 1 or not limit:
            loss = self._loss(self._vectors(rows, range(len(rows)), limit), batch)
            loss.backward()
            return float(loss.detach())
        with torch.no_grad():
            whole = self._vectors(rows, range(len(rows)), limit)
        whole.requires_grad_()
        loss = self._loss(whole, batch)
        loss.backward()
        for chunk in chunks:
            vectors = self._forward([rows[i] for i in chunk])
            (vectors * whole.grad[list(chunk)]).sum().backward()
        return float(loss.detach())

    def _loss(self, vectors: Any, batch: _Batch) -> Any:
        torch = self.torch
        scores = vectors[: batch.queries] @ vectors[batch.queries :].T / self.options.temperature
        own, rewards, allowed = (torch.tensor(of, device=self.device) for of in (batch.own, batch.rewards, batch.allowed))
        total = scores.new_zeros(())
        for places, name, temperature in batch.parts:
            at = torch.tensor(places, device=self.device)
            total = total + len(places) * self.losses[name](scores[at], own[at], rewards[at], allowed[at], temperature)
        return total / batch.queries

    # --- the model ----------------------------------------------------------------------------------------------------

    def _tokens(self, text: str) -> list[int]:
        if text not in self.known:
            self.known[text] = self.model.tokenizer(text, truncation=True, max_length=self.read)["input_ids"]
        return self.known[text]

    def _vectors(self, rows: Sequence[Sequence[int]], places: Sequence[int], limit: int) -> Any:
        """(n, dim) rows of length 1, in order; texts of like length go through together, which spares padding."""
        torch = self.torch
        order = sorted(places, key=lambda i: len(rows[i]))
        parts = [self._forward([rows[i] for i in order[at : at + _EVALUATE]]) for at in range(0, len(order), _EVALUATE)]
        back = torch.empty(len(order), dtype=torch.long, device=self.device)
        back[torch.tensor(order, device=self.device)] = torch.arange(len(order), device=self.device)
        return torch.cat(parts)[back]

    def _forward(self, rows: Sequence[Sequence[int]]) -> Any:
        torch = self.torch
        longest = max(map(len, rows))
        padding = self.model.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
        out = self.model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
        return torch.nn.functional.normalize(out, dim=1)

    def _look(self) -> None:
        """How good it is on dev, and whether it is the best so far."""
        state, torch = self.state, self.torch
        with torch.no_grad():

            def encode(texts: Sequence[str]) -> Any:
                return self._vectors([self._tokens(text) for text in texts], range(len(texts)), 0).cpu().numpy()

            found = _pooled(self.dev, encode, self.options.instructed)
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
        self.checkpoint.keep(self.model, self.optimizer, self.best, told)

    def _resume(self) -> None:
        told = self.checkpoint.restore(self.model, self.optimizer) if self.checkpoint else None
        if told is not None:
            self.best, values = told
            for name, value in values.items():
                setattr(self.state, name, value)


class _Batch:
    """A step's texts and who is whose: distinct query texts first, then distinct key texts. `own`, `rewards` (queries, candidates), best
    first, padded at -inf; `allowed` (queries, keys); `parts`: places of queries, their loss and its temperature."""

    def __init__(self, groups: Sequence[Group], options: Options, draw: random.Random) -> None:
        chosen_of = [drawn(group, options.candidates, draw, options.rewards) for group in groups]
        keys: dict[str, int] = {}
        for group, (candidates, _) in zip(groups, chosen_of, strict=True):
            for candidate in candidates:
                keys.setdefault(_key_text(group, candidate, options.instructed), len(keys))
        most = max(len(candidates) for candidates, _ in chosen_of)
        self.queries = len(groups)
        self.texts = [*(_query_text(group, options.instructed) for group in groups), *keys]
        self.own: list[list[int]] = []
        self.rewards: list[list[float]] = []
        self.allowed: list[list[bool]] = []
        helping = [{_key_text(g, c, options.instructed) for c in g.positives} for g in groups]
        named: dict[str, list[int]] = {}
        for place, (group, (candidates, rewards)) in enumerate(zip(groups, chosen_of, strict=True)):
            mine = [keys[_key_text(group, candidate, options.instructed)] for candidate in candidates]
            distinct = list(dict.fromkeys(mine))  # two records that say the same are one key
            values = [0.0] * len(mine) if rewards is None else rewards
            padding = most - len(distinct)
            self.own.append([*distinct, *[distinct[0]] * padding])
            self.rewards.append([*(values[mine.index(column)] for column in distinct), *[-math.inf] * padding])
            same = [h for g, h in zip(groups, helping, strict=True) if g is group or (g.answers and g.answers == group.answers)]
            helps = set().union(*same)
            self.allowed.append([text not in helps for text in keys])
            for column in distinct:
                self.allowed[-1][column] = True if rewards is not None or column == distinct[0] else self.allowed[-1][column]
            named.setdefault("infonce" if rewards is None else group.kind, []).append(place)
        told = LOSSES if options.graded else dict.fromkeys(named, ("kl", 1.0))
        self.parts = [(places, *(("infonce", 1.0) if name == "infonce" else told.get(name, _GRADED))) for name, places in named.items()]


def _query_text(group: Group, instructed: bool) -> str:
    return (kind(group.kind).query_instruction if instructed else "") + group.query


def _key_text(group: Group, candidate: Candidate, instructed: bool) -> str:
    return (kind(group.kind).key_instruction if instructed else "") + candidate.text


def _chunks(lengths: Sequence[int], limit: int) -> list[tuple[int, ...]]:
    """Places in chunks of like length, each at most `limit` tokens with its padding (0 = one chunk)."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    chunks: list[list[int]] = [[]]
    for i in order:
        if limit and chunks[-1] and (len(chunks[-1]) + 1) * lengths[i] > limit:
            chunks.append([])
        chunks[-1].append(i)
    return [tuple(chunk) for chunk in chunks if chunk]


def _pooled(groups: Sequence[Group], encode: Any, instructed: bool) -> dict[str, dict[str, float]]:
    """kind -> query id -> nDCG@10 of each query's labels among the candidates of all groups of its kind, up to some hundred."""
    found: dict[str, dict[str, float]] = {}
    for name in sorted({group.kind for group in groups}):
        mine = [group for group in groups if group.kind == name]
        texts: dict[str, int] = {}
        for group in mine:
            for candidate in group.candidates:
                texts.setdefault(_key_text(group, candidate, instructed), len(texts))
        wanted = {_key_text(group, candidate, instructed) for group in mine for candidate in group.positives}
        pool = [text for text in texts if text in wanted] + [text for text in texts if text not in wanted][:_POOL]
        vectors = encode([*(_query_text(group, instructed) for group in mine), *pool])
        scores = vectors[: len(mine)] @ vectors[len(mine) :].T
        for group, row in zip(mine, scores, strict=True):
            labels = {_key_text(group, c, instructed): max(c.label, c.reward or 0.0) for c in group.candidates}
            order = sorted(range(len(pool)), key=lambda i: (-float(row[i]), i))[:10]
            found.setdefault(name, {})[group.id] = gain_at(10, [labels.get(pool[i], 0.0) for i in order], list(labels.values()))
    return found
