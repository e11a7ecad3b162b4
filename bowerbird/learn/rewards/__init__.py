"""Rewards: how much each candidate of a training group helps. Name -> "module:Class", one file a way of measuring it (`reward.py`).

What people said is turned into labels by `feedback.py`, which needs no model and no table. `smooth.py` makes of raw rewards those that
training uses.
"""

_HERE = "bowerbird.learn.rewards"

TABLE: dict[str, str] = {
    "likelihood": f"{_HERE}.likelihood:Likelihood",
    "rank_aware": f"{_HERE}.rank_aware:RankAware",
    "metric": f"{_HERE}.metric:Metric",
}
