"""Objectives on a matrix of scores, (queries, keys): one file each, pure functions of torch tensors. They know no encoder and no text.

Scores are inner products divided by a temperature. `own` (queries, candidates) holds the columns of each query's own candidates, best
reward first; padding names any column, and has the reward -inf. `allowed` (queries, keys) is False where a key must not count against
a query: a key that helps it too.
"""

TABLE: dict[str, str] = {
    "graded": "bowerbird.learn.losses.graded:graded",
    "kl": "bowerbird.learn.losses.kl:kl",
    "infonce": "bowerbird.learn.losses.infonce:infonce",
}
