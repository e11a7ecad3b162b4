"""Outputs of a causal model scored together: what prompts have in common at their beginning goes through the model once.

Token paths (prompt and output) are laid out as trees, one tree behind another in a single row; a mask lets each token see its own
path alone ("tree attention": SpecInfer, arXiv 2305.09781, section 4, where it checks drafts). So a passage in front of many
questions, a prompt behind which many answers are weighed, and the words that all prompts begin with are each computed once;
nothing is padded; and logits exist only where an output's token is predicted. It is exact: a token sees what it would see alone, at
the same position. It knows tokens and a transformers model, and no texts.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.need import need

__all__ = ["Pack", "branches", "packs", "scored"]

_TOKENS = 512  # tokens of a pack: enough to keep the matrices busy; attention's share of the time grows with it (12 % at 512)
_LONG = 4096  # what a pack may grow to, so that two long paths that share their beginning still meet
_LOGITS = 512  # positions whose logits exist at a time: 0.5 GB in fp32 for a vocabulary of 262,144
_ROWS = 8  # rows of logits that a log-sum-exp takes at a time: its temporaries stay in the processor's cache
_SEES = frozenset(("full_attention", "sliding_attention"))


@dataclass(slots=True)
class Pack:
    """Trees of tokens in one row: `tokens[i]` stands behind `tokens[before[i]]` (-1: it begins a path), `depths[i]` tokens deep.

    `rows`: (number of the pair, places that predict its output, the output's tokens).
    """

    tokens: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    rows: list[tuple[int, list[int], list[int]]] = field(default_factory=list)

    @property
    def chain(self) -> bool:
        """Whether it is one path without a branch."""
        return all(place == i - 1 for i, place in enumerate(self.before))


def packs(pairs: Sequence[tuple[list[int], list[int]]], together: bool = True) -> Iterator[Pack]:
    """The (prompt, output) pairs of tokens in packs, those that begin alike side by side; pairs without output are left away.

    A pack holds 512 tokens, or two of its longest paths where these are longer (4,096 at most; a single path may be longer still).
    A tree that is larger is cut, and its common beginning goes in front of each part. Without `together` each pair has its own.
    """
    order = sorted((i for i, (_, output) in enumerate(pairs) if output), key=lambda i: (pairs[i][0] + pairs[i][1], len(pairs[i][0])))
    pack, path, places, logits = Pack(), list[int](), list[int](), 0
    for i in order:
        prompt, output = pairs[i]
        fresh = prompt + output[:-1]  # the last token predicts nothing
        shared = _common(path, fresh)
        room = max(_TOKENS, min(_LONG, 2 * len(fresh)))
        if pack.rows and (not together or len(pack.tokens) + len(fresh) - shared > room or logits + len(output) > _LOGITS):
            yield pack
            pack, places, logits, shared = Pack(), [], 0, 0
        places = [*places[:shared], *range(len(pack.tokens), len(pack.tokens) + len(fresh) - shared)]
        pack.tokens += fresh[shared:]
        pack.before += [places[depth - 1] if depth else -1 for depth in range(shared, len(fresh))]
        pack.depths += range(shared, len(fresh))
        pack.rows.append((i, places[len(prompt) - 1 :], output))
        path, logits = fresh, logits + len(output)
    if pack.rows:
        yield pack


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two paths have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def branches(model: Any) -> bool:
    """Whether tokens of this model can be told what they see: all its layers are attention, full or sliding, that takes a mask
    and positions of ours. Others (recurrent layers, chunks, ALiBi) get one path at a time."""
    config = model.config.get_text_config()
    takes = inspect.signature(model.forward).parameters
    attends = config._attn_implementation == "sdpa" and not getattr(config, "alibi", False) and _layers(config) <= _SEES
    return attends and {"attention_mask", "position_ids"} <= set(takes)


def _layers(config: Any) -> set[str]:
    """The sorts of its layers; configurations that do not list them have one sort."""
    listed = getattr(config, "layer_types", None)
    return set(listed) if listed else {"sliding_attention" if getattr(config, "sliding_window", None) else "full_attention"}


def scored(model: Any, pack: Pack) -> list[tuple[int, float]]:
    """(number of the pair, sum of ln p of its output's tokens) for each of the pack's rows; log-softmax in fp32, the sum in fp64."""
    torch = need("torch", "local")
    wanted = sorted({place for _, places, _ in pack.rows for place in places})
    device = model.device
    kept = torch.tensor(wanted, device=device)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([pack.tokens], device=device),
            position_ids=torch.tensor([pack.depths], device=device),
            attention_mask=None if pack.chain else _mask(model, pack),
            use_cache=False,
            logits_to_keep=kept,
        ).logits[0]
        whole = torch.cat([torch.logsumexp(logits[at : at + _ROWS].float(), dim=1) for at in range(0, len(wanted), _ROWS)])
        row_of = {place: row for row, place in enumerate(wanted)}
        rows = torch.tensor([row_of[place] for _, places, _ in pack.rows for place in places], device=device)
        targets = torch.tensor([token for _, _, output in pack.rows for token in output], device=device)
        each = (logits[rows, targets].float() - whole[rows]).double().cpu().numpy()
    ends = np.cumsum([len(output) for _, _, output in pack.rows])
    return [(pair, float(part.sum())) for (pair, _, _), part in zip(pack.rows, np.split(each, ends[:-1]), strict=True)]


def _mask(model: Any, pack: Pack) -> Any:
    """(1, 1, n, n) booleans: who sees whom; by sort of layer where a model has both sorts."""
    torch = need("torch", "local")
    size = len(pack.tokens)
    sees: NDArray[np.bool_] = np.zeros((size, size), dtype=np.bool_)
    for i, place in enumerate(pack.before):
        if place >= 0:
            sees[i] = sees[place]
        sees[i, i] = True
    config = model.config.get_text_config()
    found = {}
    for layer in sorted(_layers(config)):
        near = sees
        if layer == "sliding_attention":
            depths = np.array(pack.depths)
            near = sees & (depths[:, None] - depths[None, :] < config.sliding_window)
        found[layer] = torch.from_numpy(near)[None, None].to(model.device)
    return found if len(found) > 1 else next(iter(found.values()))
