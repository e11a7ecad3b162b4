"""The pipeline that a published component serves in, where it does not serve by itself. It knows roles and specs, no component's method."""

from __future__ import annotations

from bowerbird.flow import Chain
from bowerbird.learn.trainer import trainer_of
from bowerbird.roles import Compose, Gate, Rerank
from bowerbird.spec import parse

__all__ = ["named", "sentence"]


def named(component: str, spec: str) -> str:
    """`spec` with the stage through which the component serves, "" where it serves in any pipeline as it is.

    A gate comes after the pipeline's own gates, so that what they stop stays stopped; a reranker right after the first stage that is no
    gate, which finds the hits; a retriever in place of all that stands before the composer.
    """
    name = trainer_of(component).stage
    if not name:
        return ""
    whole, stage = parse(spec), parse(name)
    stages = list(whole.stages if isinstance(whole, Chain) else (whole,))
    finds = next((place for place, one in enumerate(stages) if not isinstance(one, Gate)), len(stages))
    if isinstance(stage, Gate):
        stages.insert(finds, stage)
    elif isinstance(stage, Rerank):
        stages.insert(finds + 1, stage)
    else:
        composes = next((place for place, one in enumerate(stages) if isinstance(one, Compose)), len(stages))
        stages[:composes] = [stage]
    return str(Chain(tuple(stages)))


def sentence(component: str, spec: str) -> str:
    """What to do so that the component is used, in a sentence with a spec that works; "" where nothing has to be done."""
    made = named(component, spec)
    stage = trainer_of(component).stage
    return f"It is used by pipelines that name the stage {stage}, for example: --spec '{made}'" if made else ""
