"""The catalog: records, their history and their sources. It is the truth; every index is derived from it."""

from bowerbird.catalog.catalog import Catalog, Change, Settled, Version

__all__ = ["Catalog", "Change", "Settled", "Version"]
