"""How well an encoder ranks candidates without a bower."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.pooled import pooled_scores
from bowerbird.ports import Vectors

PLACES = {"q0": 0.0, "q1": 1.0, "a": 0.1, "b": 0.2, "c": 0.9, "d": 0.05}


def encode(texts: Sequence[str]) -> Vectors:
    angles = np.array([PLACES[text] for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_what_helps_another_query_of_the_same_output_counts() -> None:
    def groups(*answers: str) -> list[Group]:
        first = Group("q0", "example", "s", (Candidate("a", "a", 1.0),), answers)
        return [first, Group("q1", "example", "s", (Candidate("c", "c", 1.0), Candidate("b", "b", 1.0), Candidate("d", "d")), answers)]

    apart, same = pooled_scores(groups(), encode, ())["example"], pooled_scores(groups("yes"), encode, ())["example"]
    first = groups()[0].id
    assert apart[first] == pytest.approx(1 / np.log2(3)), "d is nearer than a"
    assert same[first] == pytest.approx((1 / np.log2(3) + 1 / 2 + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / 2))
