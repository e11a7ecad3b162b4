"""The router's stage passes the suite with a router bound."""

from __future__ import annotations

import numpy as np

from bowerbird.components.router import Router
from bowerbird.learn.trainer import Only
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import RECORDS, World
from bowerbird.testing.stage_suite import StageSuite


def router() -> Router:
    """Made by hand: two records of the world stand for models; the first is better at what shares words with its text."""
    encoder = HashEncoder()
    keys = tuple(sorted({record.key for record in RECORDS})[:2])
    texts = [next(record.text for record in RECORDS if record.key == key) for key in keys]
    weights = np.ascontiguousarray(encoder.encode(texts).T)
    prior, flat = np.array([0.5, 0.4], np.float32), np.zeros(2, np.float32)
    arrays = {"queries": encoder.encode(["a question"]), "weights": weights, "bias": flat}
    return Router("logistic", encoder.id, keys, arrays, prior, flat, keys[0], keys[1], np.zeros(101, np.float32))


class TestRouter(StageSuite):
    def make_stage(self):
        return parse("router")

    def world(self, shuffle=None):
        made = World(shuffle=shuffle)
        made.parts["trained"] = Only("router", router())
        return made
