"""Training an encoder: steps of Bowerbird's loop beside those of sentence-transformers' own trainer, on the same batches in one process.

    python benchmarks/encoder_training.py [--steps 8] [--batch 32] [--threads 1] [--only metatool] [--out FILE]

`theirs`: `SentenceTransformerTrainer` with `MultipleNegativesRankingLoss`, one negative a query, AdamW; its dropout is set to 0, which
Bowerbird trains without. `f32`, `bf16`: Bowerbird's step, products in float32 and bfloat16; `chunked`: float32, the activations of 2,048
tokens held at once. Texts are cut at 96 tokens everywhere. The ways take turns at each batch, inside their loop; a step is all
of it: making the batch, tokens, gradients, optimiser. Times are processor time (medians without the first step), which a busy
machine disturbs less than the clock's; `x` is the median over steps of theirs / ours. `off`: largest difference between both
losses before the first step is taken, where no key of the batch helps two queries.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from report import Report, data
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.utils.data import BatchSampler, SequentialSampler
from transformers import PrinterCallback, TrainerCallback

from bowerbird.encoders import weights
from bowerbird.encoders.sentence_transformers import load
from bowerbird.evals.task import get
from bowerbird.learn.batches import Batch, drawn, planned
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.teach import taught
from bowerbird.learn.trainer import Setting
from bowerbird.learn.trainers.encoder import Options, _Run
from bowerbird.types import replace

WAYS = {"f32": {}, "bf16": {"precision": "bf16"}, "chunked": {"chunk": 2048}}
TOKENS = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1, help="of torch; more than there are idle cores make everything slower")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    columns = ["task", "texts, theirs", "texts, ours", "theirs s", *(f"{way} s" for way in WAYS), *(f"x {way}" for way in WAYS), "off"]
    title = f"Encoder training, {asked.batch} queries a step, {asked.threads} threads"
    report = Report(title, columns, asked.out, ("torch", "transformers", "sentence-transformers", "accelerate"))
    for name in ("metatool", "nq", "banking77"):
        if asked.only in name:
            groups = taught(get(name), data(), 2 * asked.batch * asked.steps)
            measure(report, name, contrasted(groups[::2], groups[1::2]), asked.batch, asked.steps)
    report.close()


def contrasted(groups: Sequence[Group], others: Sequence[Group]) -> list[Group]:
    """Groups of one candidate that helps and one that helps another query."""
    made = []
    for group, other in zip(groups, others, strict=True):
        helps = {c.text for c in group.positives}
        negative = next(c for c in (*other.positives, *others[0].positives, *others[1].positives) if c.text not in helps)
        made.append(replace(group, candidates=(group.positives[0], Candidate(f"other {negative.key}", negative.text)), answers=()))
    return made


def measure(report: Report, name: str, groups: Sequence[Group], size: int, steps: int) -> None:
    batches = [[groups[place] for place in places] for places in planned(groups, size, steps)]
    model = load(weights.find(), "cpu")
    model.max_seq_length = TOKENS
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    watch = Watch(batches)
    rows = [row for step, batch in enumerate(batches) for row in triples(batch, step)]
    with tempfile.TemporaryDirectory() as folder:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                folder,
                per_device_train_batch_size=size,
                max_steps=steps,
                learning_rate=Options.rate,
                report_to="none",
                save_strategy="no",
                logging_strategy="steps",
                logging_steps=1,
                disable_tqdm=True,
                use_cpu=True,
                batch_sampler=in_order,
            ),
            train_dataset=Dataset.from_list([dict(zip(("anchor", "positive", "negative"), row, strict=True)) for row in rows]),
            loss=MultipleNegativesRankingLoss(model, scale=1 / Options.temperature),
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    theirs = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    took = watch.took
    middle = {way: statistics.median(times[1:]) for way, times in took.items()}
    ratios = {way: statistics.median(a / b for a, b in zip(took["theirs"][1:], took[way][1:], strict=True)) for way in WAYS}
    off = f"{abs(theirs[0] - watch.losses[0]):.1e}" if watch.alone else "shared keys"
    report.add(name, 3 * size, watch.texts / steps, middle["theirs"], *(middle[w] for w in WAYS), *ratios.values(), off, all=took)


def triples(batch: Sequence[Group], step: int) -> list[tuple[str, str, str]]:
    """(query, key that helps, key that does not), as Bowerbird draws them at this step."""
    draw = random.Random(f"0/{step}")
    found = [(group, drawn(group, 2, draw)[0]) for group in batch]
    return [(group.query, keys[0].text, keys[1].text) for group, keys in found]


def in_order(dataset: Any, batch_size: int, drop_last: bool, **_: Any) -> BatchSampler:
    return BatchSampler(SequentialSampler(dataset), batch_size, drop_last)


class Watch(TrainerCallback):
    """Takes Bowerbird's step before each of theirs, and the time of both."""

    def __init__(self, batches: Sequence[Sequence[Group]]) -> None:
        self._batches = batches
        every = [group for batch in batches for group in batch]
        options = {way: Options(tokens=TOKENS, **given) for way, given in WAYS.items()}
        self._runs = {way: _Run(given, Setting(None, None), every, [], None) for way, given in options.items()}
        self.took: dict[str, list[float]] = {way: [] for way in ("theirs", *WAYS)}
        self.losses: list[float] = []
        first = Batch(batches[0], 2, random.Random("0/0"))
        self.alone = all(all(row) for row in first.allowed) and len(first.texts) == 3 * len(batches[0])
        self.texts = sum(len(Batch(batch, 2, random.Random(f"0/{step}")).texts) for step, batch in enumerate(batches))
        self._fetching, self._mark = 0.0, time.process_time()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._fetching = time.process_time() - self._mark
        for way, run in self._runs.items():
            began = time.process_time()
            run.state.step, run.state.steps = state.global_step, len(self._batches)
            loss = run._step(self._batches[state.global_step])
            self.took[way].append(time.process_time() - began)
            if way == "f32":
                self.losses.append(loss)
        self._mark = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        now = time.process_time()
        self.took["theirs"].append(self._fetching + now - self._mark)
        self._mark = now


if __name__ == "__main__":
    main()
