"""Behind an instruction, other kinds' texts stay as alike as they were."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.keep import Keep
from bowerbird.ports import Vectors


def group(query: str, name: str, *texts: str) -> Group:
    return Group(query, name, "made", tuple(Candidate(text, text, float(not place)) for place, text in enumerate(texts)))


GROUPS = [group("a question", "passage", "one", "two"), group("a request", "tool", "three"), group("an input", "example", "four", "five")]


def angles(texts: Sequence[str]) -> Vectors:
    turns = np.array([len(text) for text in texts], dtype=np.float32)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


def test_texts_are_of_all_other_kinds_and_stand_behind_the_instruction() -> None:
    keep = Keep(GROUPS, {"example"}, angles)
    kept = keep.drawn("example", 32, random.Random(0))
    assert kept is not None
    bare = [text.removeprefix("example: ") for text in kept.texts]
    assert sorted(bare) == ["a question", "a request", "one", "three", "two"]
    assert all(text.startswith("example: ") for text in kept.texts), "both sides of an example read the same"
    assert kept.asked == kept.keyed == list(range(5))
    vectors = angles(bare)
    wanted = vectors @ vectors.T
    assert np.allclose(np.array(kept.likeness)[~np.eye(5, dtype=bool)], wanted[~np.eye(5, dtype=bool)])
    assert [row[i] for i, row in enumerate(kept.likeness)] == [-math.inf] * 5, "a text is no news of itself"
    assert keep.drawn("example", 32, random.Random(0)) == kept
    few = keep.drawn("example", 3, random.Random(1))
    assert few is not None
    assert len(few.texts) == 3


def test_two_sides_of_an_instruction_are_two_texts() -> None:
    kept = Keep(GROUPS, {"tool"}, angles).drawn("tool", 32, random.Random(0))
    assert kept is not None
    asked, keyed = ([kept.texts[place] for place in places] for places in (kept.asked, kept.keyed))
    row = kind("tool")
    assert [text.removeprefix(row.query_instruction) for text in asked] == [text.removeprefix(row.key_instruction) for text in keyed]
    assert len(kept.texts) == 2 * len(kept.asked)


@pytest.mark.parametrize("name", ["passage", "memory"])
def test_nothing_is_kept_without_an_instruction(name: str) -> None:
    assert Keep(GROUPS, {"example"}, angles).drawn(name, 32, random.Random(0)) is None


def test_a_training_of_one_kind_has_nothing_to_keep() -> None:
    assert Keep(GROUPS[2:], {"example"}, angles).drawn("example", 32, random.Random(0)) is None
    assert Keep(GROUPS[1:], {"example"}, angles).drawn("example", 32, random.Random(0)) is None, "two texts have one other each"
