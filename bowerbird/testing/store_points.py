"""Points for testing stores: scopes that are easily confused, fields of every sort, and conditions over them.

It knows no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bowerbird.ports import Point, Sparse, Vectors
from bowerbird.types import FOREVER, Scope

__all__ = ["DENSE", "SCOPES", "SPARSE", "WHERES", "one_point", "sample_points", "unit", "weighted"]

DENSE: Mapping[str, int] = {"text": 8, "picture": 5}
SPARSE: tuple[str, ...] = ("bm25", "tags")
# Names that a careless comparison takes for one another.
SCOPES: tuple[str, ...] = (
    "acme",
    "acme/ann",
    "acme/ann/s1",
    "acme/ann/s2",
    "acme/bob",
    "acme/bob/s1",
    "acme/an",
    "acme/Ann",
    "acm",
    "ACME",
    "beta/ann/s1",
    "ann",
    "äcme/ann 🐦",
)
WHERES: tuple[Mapping[str, Any], ...] = (
    {"lang": "en"},
    {"lang": ["de", "園丁鳥"]},
    {"lang": []},
    {"tags": "red"},
    {"tags": ["blue", "none"]},
    {"tags": ["blue", 7]},
    {"year": 2003},
    {"year": 2003.0},
    {"year": "2003"},
    {"year": {"gte": 2003}},
    {"year": {"gt": 2003, "lte": 2005}},
    {"price": {"lt": 0.5}},
    {"sizes": {"gt": 4, "lt": 6}},
    {"sizes": 3},
    {"flag": True},
    {"flag": 1},
    {"one": True},
    {"one": 1},
    {"lang": "en", "year": {"lt": 2004}, "flag": False},
    {"absent": "x"},
    {"absent": {"gt": 0}},
    {"lang": {"gt": 0}},
    {"flag": {"gte": 0}},
    {'odd. "name"[0] ü🐦': 'va"l.ue\n'},
    {"": ""},
    {"long": "x" * 5_000},
    {"nested": "a"},
    {"nested": {"gte": 0}},
    {"nan": {"gte": 0}},
    {"big": 2**80},
    {"mixed": 1},
    {"mixed": True},
)


def sample_points(n: int, seed: int = 0) -> list[Point]:
    """`n` points over all `SCOPES`, with vectors, terms, times and fields of every sort; some lack some of them."""
    rng = np.random.default_rng(seed)
    points = []
    for i in range(n):
        year = int(rng.integers(2000, 2008))
        fields: dict[str, Any] = {
            "lang": ["en", "de", "園丁鳥"][i % 3],
            "tags": [["red", "blue"], ["red"], [], ["blue", 7, None]][i % 4],
            "year": year if i % 5 else str(year),
            "price": float(rng.random()),
            "sizes": [int(size) for size in rng.integers(0, 9, size=i % 4)],
            "flag": bool(i % 2),
            "one": 1,
            'odd. "name"[0] ü🐦': 'va"l.ue\n' if i % 2 else "other",
            "": "" if i % 3 else "full",
            "long": "x" * (5_000 if i % 2 else 4_999),
            "nested": {"a": 1} if i % 2 else [["a"], {"b": 2}],
            "nan": float("nan") if i % 2 else 1.0,
            "big": 2**80 if i % 2 else 2**70,
            "mixed": [True, "1", 2] if i % 2 else [1.0],
            "half": "\ud83d",
        }
        terms = np.sort(rng.choice(40, size=int(rng.integers(1, 9)), replace=False)).astype(np.uint32)
        dense = {name: unit(rng, dim) for name, dim in DENSE.items() if name == "text" or i % 3 == 0}
        points.append(
            Point(
                id=2**63 - 1 - i if i % 2 else i + 1,
                scope=Scope.parse(SCOPES[int(rng.integers(len(SCOPES)))]),
                kind=["passage", "memory", "tool"][int(rng.integers(3))],
                hash=f"{i:032x}",
                created=1e9 + float(rng.integers(0, n // 4 + 1)),
                valid_from=0.0 if i % 3 else 100.0,
                valid_to=FOREVER if i % 4 else 200.0,
                dense={} if i % 11 == 0 else dense,
                sparse={} if i % 7 == 0 else {"bm25": Sparse(terms, rng.random(terms.size, dtype=np.float32) + 0.1)},
                fields=fields if i % 10 else {},
            )
        )
    return points


def unit(rng: np.random.Generator, dim: int) -> Vectors:
    """A random row of length 1."""
    row = rng.standard_normal(dim, dtype=np.float32)
    return row / np.float32(np.linalg.norm(row))


def weighted(terms: Mapping[int, float]) -> Sparse:
    """A sparse vector from term -> weight."""
    return Sparse(np.array(sorted(terms), dtype=np.uint32), np.array([terms[term] for term in sorted(terms)], dtype=np.float32))


def one_point(id: int, scope: str = "acme", vector: Sequence[float] = (1, 0, 0, 0, 0, 0, 0, 0), created: float = 1.0) -> Point:
    """A small point with the vector `text` and one term."""
    text = np.array(vector, dtype=np.float32)
    return Point(id, Scope.parse(scope), "passage", f"h{id}", created, dense={"text": text}, sparse={"bm25": weighted({1: 1.0})})
