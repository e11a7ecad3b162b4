"""The derived side of a catalog: indexes that follow it, one of which serves."""

from bowerbird.index.follower import Difference, Progress
from bowerbird.index.index import Also, Index
from bowerbird.index.places import Kept

__all__ = ["Also", "Difference", "Index", "Kept", "Progress"]
