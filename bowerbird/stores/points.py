"""What every store agrees on before anything is kept or searched: which points, queries and conditions are well formed.

It knows no store. Non-finite vectors, wrong widths and unknown vector names are refused here, so that no store meets them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.ports import Point, Sparse, Vectors

__all__ = ["COMPARISONS", "Among", "Atom", "Within", "atoms", "checked", "conditions", "dense_queries", "drawn", "number", "weights"]

Atom = str | bool | int | float

COMPARISONS = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Among:
    """The field `name` equals, or as a list contains, one of `values`. No values: nothing matches."""

    name: str
    values: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """One number of the field `name` keeps to all `bounds` (gt, gte, lt, lte)."""

    name: str
    bounds: Mapping[str, float]


def atoms(value: Any) -> tuple[Atom, ...]:
    """The filterable parts of a field: strings, booleans and finite numbers, alone or in a list.

    Everything else (None, NaN, mappings, lists in lists) is kept by the catalog and cannot be filtered by: no condition
    matches it.
    """
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(item for item in value if _is_atom(item))
    return (value,) if _is_atom(value) else ()


def _is_atom(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def number(value: Atom) -> float | None:
    """`value` as a float if it can be compared with one: no string, no boolean, no integer beyond a float."""
    if isinstance(value, (str, bool)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def conditions(where: Mapping[str, Any]) -> list[Among | Within]:
    """`Filter.where` read into conditions. Raises `InvalidInput` for values that no field can have and for empty mappings."""
    read: list[Among | Within] = []
    for name, wanted in where.items():
        if isinstance(wanted, Mapping):
            read.append(Within(name, _bounds(name, wanted)))
            continue
        values = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else [wanted]
        for value in values:
            if not isinstance(value, (str, bool, int, float)):
                raise InvalidInput(
                    f"Condition {name}={wanted!r}: {value!r} cannot be compared. Give a string, a number, a boolean, "
                    "a list of these (any of them), or a mapping such as {'gte': 2020}."
                )
        read.append(Among(name, atoms(list(values))))
    return read


def _bounds(name: str, wanted: Mapping[str, Any]) -> dict[str, float]:
    if not wanted:
        raise InvalidInput(f"Condition {name}={{}} says nothing: give at least one of {', '.join(COMPARISONS)}.")
    bounds = {}
    for comparison, value in wanted.items():
        if comparison not in COMPARISONS:
            raise UnknownName("comparison", comparison, COMPARISONS)
        bound = number(value) if isinstance(value, (int, float)) else None
        if bound is None or not math.isfinite(bound):
            raise InvalidInput(f"Condition {name}: {comparison} needs a finite number, not {value!r}.")
        bounds[comparison] = bound
    return bounds


def checked(points: Sequence[Point], dense: Mapping[str, int], sparse: Sequence[str]) -> list[Point]:
    """`points` fit to be kept: vectors float32 of the declared width, sparse terms ascending without zeros, ids unique (last wins).

    Raises `UnknownName` for a vector name that is not declared, `InvalidInput` for the rest.
    """
    last: dict[int, Point] = {}
    for point in points:
        if not 0 < point.id < 2**63:
            raise InvalidInput(f"Point id {point.id!r} is not between 1 and 2**63 - 1.")
        for name, time in (("created", point.created), ("valid_from", point.valid_from), ("valid_to", point.valid_to)):
            if not math.isfinite(time):
                raise InvalidInput(f"Point {point.id}: {name} is {time!r}; it must be a finite number of seconds since 1970.")
        for text in (str(point.scope), point.kind, point.hash):
            if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
                raise InvalidInput(f"Point {point.id}: {text!r} holds half of a surrogate pair and cannot be written as UTF-8.")
        kept_dense = {name: _row(point.id, name, vector, dense) for name, vector in point.dense.items()}
        kept_sparse = {}
        for name, terms in point.sparse.items():
            if name not in sparse:
                raise UnknownName("sparse vector", name, sparse)
            kept = weights(terms)
            if kept.indices.size:
                kept_sparse[name] = kept
        last.pop(point.id, None)
        last[point.id] = replace(point, dense=kept_dense, sparse=kept_sparse)
    return list(last.values())


def _row(id: int, name: str, vector: Vectors, dense: Mapping[str, int]) -> Vectors:
    if name not in dense:
        raise UnknownName("dense vector", name, dense)
    row = np.asarray(vector, dtype=np.float32)
    if row.shape != (dense[name],):
        raise InvalidInput(f"Point {id}: vector {name!r} has shape {row.shape}; the store keeps ({dense[name]},).")
    if not np.isfinite(row).all():
        raise InvalidInput(f"Point {id}: vector {name!r} holds NaN or infinity.")
    return row


def weights(terms: Sparse) -> Sparse:
    """`terms` ascending, float32, without zero weights: a term of weight 0 is no term."""
    indices, values = np.asarray(terms.indices), np.asarray(terms.values, dtype=np.float32)
    if indices.ndim != 1 or indices.shape != values.shape:
        raise InvalidInput(f"Sparse vector with {indices.shape} terms and {values.shape} weights: both must be one row of equal length.")
    if not np.isfinite(values).all():
        raise InvalidInput("Sparse vector with NaN or infinite weights.")
    if indices.dtype == np.uint32 and values.all() and (indices[1:] > indices[:-1]).all():
        return terms if values is terms.values else Sparse(indices, values)
    order = np.argsort(indices, kind="stable")
    indices, values = indices[order].astype(np.uint32), values[order]
    if indices.size and (np.diff(indices.astype(np.int64)) == 0).any():
        raise InvalidInput("Sparse vector with the same term twice: add their weights up first.")
    kept = values != 0
    return Sparse(indices[kept], values[kept])


def dense_queries(name: str, vectors: Vectors, dim: int) -> Vectors:
    """`vectors` as (n, dim) float32. Raises `InvalidInput` when the width is another or a value is not finite."""
    rows = np.asarray(vectors, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise InvalidInput(f"Queries for vector {name!r} have shape {rows.shape}; the store keeps (n, {dim}).")
    if not np.isfinite(rows).all():
        raise InvalidInput(f"Queries for vector {name!r} hold NaN or infinity.")
    return rows


def drawn(ids: Sequence[int], k: int, seed: int) -> list[int]:
    """`k` of `ids`, evenly: the first by a hash of (seed, id), so the draw depends neither on order nor on the store.

    The hash is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """
    if k <= 0 or not ids:
        return []
    pool = np.unique(np.asarray(ids, dtype=np.uint64))
    mixed = pool + _splitmix(np.asarray([seed % 2**64], dtype=np.uint64))
    return [int(id) for id in pool[np.argsort(_splitmix(mixed), kind="stable")[:k]]]


def _splitmix(values: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    mixed = values + np.uint64(0x9E3779B97F4A7C15)  # wraps at 2**64, as it should
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
