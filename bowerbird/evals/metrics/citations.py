"""Citation recall and precision of an answer, as ALCE defines them (Gao et al., EMNLP 2023, section 3.3), for any support function.

`judged` asks the support function once and keeps what it said, so the measures can be computed again without it.
Recall: share of the statements that their cited texts, taken together, bear out; one without citations is not borne out.
Precision: share of the citations that are needed: the statement is borne out by all of its citations, and this one bears
it out alone or the others do not without it. An answer without statements counts 0 in both (ALCE leaves it out); one
without citations has precision 0, as in ALCE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bowerbird.evals.measure import Measure, Pool, Result, Statement, bare
from bowerbird.evals.task import Case

__all__ = ["judged", "precision", "recall"]

Support = Callable[[str, str], bool]


def judged(statement: str, cited: Sequence[str], support: Support) -> Statement:
    """What `support(premise, statement)` says of the cited texts together, and, where these hold and are several, of each.

    Costs one call without or with one citation, else up to 1 + 2n: a citation that holds alone is not asked for again.
    """
    if not cited:
        return Statement(statement)
    together = support("\n".join(cited), statement)
    if not together or len(cited) == 1:
        return Statement(statement, together, (together,) * len(cited), (False,) * len(cited))
    alone = tuple(support(text, statement) for text in cited)
    without = tuple(not holds and support("\n".join((*cited[:place], *cited[place + 1 :])), statement) for place, holds in enumerate(alone))
    return Statement(statement, together, alone, without)


def recall(argument: str) -> Measure:
    """Share of the statements that their citations bear out."""
    bare("citation-recall", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        return sum(statement.together for statement in result.statements) / len(result.statements) if result.statements else 0.0

    return Measure("citation-recall", "share of the statements that their citations bear out", item)


def precision(argument: str) -> Measure:
    """Share of the citations that are needed."""
    bare("citation-precision", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        marks = [
            statement.together and (alone or not without)
            for statement in result.statements
            for alone, without in zip(statement.alone, statement.without, strict=True)
        ]
        return sum(marks) / len(marks) if marks else 0.0

    return Measure("citation-precision", "share of the citations that are needed", item)
