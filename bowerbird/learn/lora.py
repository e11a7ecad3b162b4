"""Low-rank fine-tuning: small matrices beside frozen weights, added into them when training is over. It knows torch modules alone."""

from __future__ import annotations

from typing import Any

from bowerbird.need import need

__all__ = ["added", "merge"]

_SCALE = 2.0  # alpha / rank


def added(model: Any, rank: int, seed: int = 0) -> None:
    """Freeze `model`, and let every linear map W be W + 2 B A, of which A (rank, in) and B (out, rank, zeros) are trained (LoRA, Hu et
    al., arXiv 2106.09685, section 4.1). Differs: the sum is formed before the product, so that nothing of the model changes but weights.
    """
    torch = need("torch", "local")
    draw = torch.Generator().manual_seed(seed)

    class LowRank(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, weight: Any) -> None:
            super().__init__()
            first = torch.randn(rank, weight.shape[1], generator=draw) / weight.shape[1] ** 0.5
            self.a = torch.nn.Parameter(first.to(weight))
            self.b = torch.nn.Parameter(weight.new_zeros(weight.shape[0], rank))

        def forward(self, weight: Any) -> Any:
            return weight + _SCALE * self.b @ self.a

    model.requires_grad_(False)
    for module in [m for m in model.modules() if isinstance(m, torch.nn.Linear)]:
        torch.nn.utils.parametrize.register_parametrization(module, "weight", LowRank(module.weight.detach()))


def merge(model: Any) -> None:
    """Add what was trained into the weights: the model is then one like any other."""
    parametrize = need("torch.nn.utils.parametrize", "local")
    for module in [m for m in model.modules() if parametrize.is_parametrized(m, "weight")]:
        parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    model.requires_grad_(True)
