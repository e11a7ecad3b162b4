"""Labelled texts as a task: the training pool as records of kind `example`, the test items as cases with closed choices.

What helps a case is taken to be an example of its own label: that is the gold, so kNN, precision by label and the
gold-context baseline have a meaning. Knows nothing of where the texts come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from bowerbird.evals.task import Case
from bowerbird.types import Record, Scope

__all__ = ["SCOPE", "cases", "examples", "words"]

SCOPE = Scope("eval")


def words(label: str) -> str:
    """A label as a person would write it: `card_arrival` → `card arrival`, `AddToPlaylist` → `add to playlist`."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in label) if not label.isupper() else label
    return " ".join(spaced.replace("_", " ").replace("-", " ").split()).lower()


def examples(pool: Iterable[tuple[str, str]], task: str, prefix: str = "train") -> Iterator[Record]:
    """Records `<prefix>-<row>` of (text, label in words), in the order of the pool."""
    for row, (text, label) in enumerate(pool):
        yield Record(f"{prefix}-{row}", "example", text, {"output": label, "label": label, "task": task}, SCOPE)


def cases(
    items: Iterable[tuple[str, str]], pool: Iterable[tuple[str, str]], choices: Sequence[str], split: str, prefix: str = "train"
) -> Iterator[Case]:
    """Cases `<split>-<row>` of (text, label in words). All cases of a label share one gold mapping, so it costs no memory."""
    keys: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for row, (_, label) in enumerate(pool):
        keys[label][f"{prefix}-{row}"] = 1.0
    gold: Mapping[str, Mapping[str, float]] = {label: MappingProxyType(found) for label, found in keys.items()}
    for row, (text, label) in enumerate(items):
        yield Case(f"{split}-{row}", text, gold.get(label, {}), (label,), tuple(choices), scope=SCOPE, category=label)
