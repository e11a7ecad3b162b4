"""Objectives: against a slow reference written from the formulas, and cases worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'local'")

from bowerbird import table  # noqa: E402
from bowerbird.learn.losses.graded import graded  # noqa: E402
from bowerbird.learn.losses.infonce import infonce  # noqa: E402
from bowerbird.learn.losses.kl import kl  # noqa: E402

QUERIES, KEYS, OWN = 5, 12, 4


@pytest.fixture
def batch() -> tuple[Any, Any, Any, Any]:
    draw = np.random.default_rng(0)
    scores = draw.normal(size=(QUERIES, KEYS)) * 3
    own = np.stack([draw.permutation(KEYS)[:OWN] for _ in range(QUERIES)])
    rewards = -np.sort(-draw.normal(size=(QUERIES, OWN)), axis=1)
    allowed = draw.random((QUERIES, KEYS)) > 0.2
    for row, mine in zip(allowed, own, strict=True):
        row[mine] = True
    return torch.tensor(scores), torch.tensor(own), torch.tensor(rewards), torch.tensor(allowed)


def reference_graded(scores: Any, own: Any, rewards: Any, allowed: Any, temperature: float) -> float:
    total = 0.0
    for q in range(len(scores)):
        powers = np.exp(rewards[q].numpy() / temperature)
        weights = powers / powers.sum()
        for i, mine in enumerate(own[q]):
            better = {int(key) for key in own[q][:i]}
            left = [float(scores[q][k]) for k in range(KEYS) if k not in better and (bool(allowed[q][k]) or k in own[q])]
            total += weights[i] * (-float(scores[q][mine]) + math.log(sum(map(math.exp, left))))
    return total / len(scores)


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_graded_is_its_formula(batch: tuple[Any, Any, Any, Any], temperature: float) -> None:
    assert float(graded(*batch, temperature)) == pytest.approx(reference_graded(*batch, temperature), rel=1e-9)


def test_polarised_rewards_are_infonce_and_flat_ones_rank_evenly(batch: tuple[Any, Any, Any, Any]) -> None:
    scores, own, _, allowed = batch
    polar = torch.tensor([[100.0, 0.0, 0.0, 0.0]] * QUERIES, dtype=scores.dtype)
    assert float(graded(scores, own, polar, allowed)) == pytest.approx(float(infonce(scores, own, polar, allowed)), rel=1e-9)
    flat = torch.zeros_like(polar)
    assert float(graded(scores, own, flat, allowed)) == pytest.approx(reference_graded(scores, own, flat, allowed, 1.0), rel=1e-9)


def test_infonce_by_hand() -> None:
    scores = torch.tensor([[math.log(3.0), 0.0, 5.0], [0.0, 0.0, 0.0]])
    own, allowed = torch.tensor([[0], [1]]), torch.tensor([[True, True, False], [True, False, True]])
    wanted = (math.log(4 / 3) + math.log(3)) / 2  # the third key helps the first query too; a positive is always allowed
    assert float(infonce(scores, own, torch.zeros(2, 1), allowed)) == pytest.approx(wanted, rel=1e-6)


def test_kl_by_hand_and_nothing_where_both_agree(batch: tuple[Any, Any, Any, Any]) -> None:
    scores, own, _, allowed = batch
    agreed = scores.gather(1, own) * 0.1
    assert float(kl(scores, own, agreed, allowed, 0.1)) == pytest.approx(0.0, abs=1e-9)
    one = kl(torch.tensor([[0.0, 0.0]]), torch.tensor([[0, 1]]), torch.tensor([[math.log(3.0), 0.0]]), torch.ones(1, 2, dtype=bool), 1.0)
    assert float(one) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-6)


@pytest.mark.parametrize("name", ["graded", "kl", "infonce"])
def test_padding_changes_nothing_and_gradients_are_numbers(batch: tuple[Any, Any, Any, Any], name: str) -> None:
    loss = table.load("losses", name)
    scores, own, rewards, allowed = batch
    spare = torch.tensor([[row[0]] for row in own.tolist()])
    padded = torch.cat([own, spare], dim=1), torch.cat([rewards, torch.full((QUERIES, 1), -math.inf, dtype=rewards.dtype)], dim=1)
    leaf = scores.clone().requires_grad_()
    value = loss(leaf, *padded, allowed, 0.5)
    assert float(value.detach()) == pytest.approx(float(loss(scores, own, rewards, allowed, 0.5)), rel=1e-9)
    value.backward()
    assert torch.isfinite(leaf.grad).all()
    assert leaf.grad.abs().sum() > 0
