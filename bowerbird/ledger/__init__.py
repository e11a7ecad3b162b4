"""The ledger: what was served, what became of it, what was published. Append-only; the training data of everything."""

from bowerbird.ledger.ledger import Event, Ledger

__all__ = ["Event", "Ledger"]
