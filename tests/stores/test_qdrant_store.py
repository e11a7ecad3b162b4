import gc

import pytest

pytest.importorskip("qdrant_client", reason="the extra 'qdrant' is not installed")

from bowerbird.errors import StoreBusy, StoreError
from bowerbird.stores.qdrant import QdrantStore
from bowerbird.testing.store_suite import StoreSuite


class TestInMemory(StoreSuite):
    persistent = False

    def open(self, folder, dense, sparse):
        return QdrantStore(":memory:", "c", dense, sparse)


class OnDisk(StoreSuite):
    def open(self, folder, dense, sparse):
        return QdrantStore(str(folder / "q"), "c", dense, sparse)


def test_a_folder_keeps_what_was_put(tmp_path):
    OnDisk().test_what_was_put_is_there_after_reopening(tmp_path)


# The client leaks its lock file when it finds the folder held; collected here, the warning meets no other test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_held_folder_says_so(tmp_path):
    first = QdrantStore(str(tmp_path), "c", {"d": 2})
    with pytest.raises(StoreBusy, match="Close that one"):
        QdrantStore(str(tmp_path), "c", {"d": 2})
    first.close()
    gc.collect()


def test_another_width_asks_for_a_rebuild(tmp_path):
    QdrantStore(str(tmp_path), "c", {"d": 2}).close()
    with pytest.raises(StoreError, match="rebuild"):
        QdrantStore(str(tmp_path), "c", {"d": 3})


def test_a_given_client_stays_open():
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    QdrantStore(client, "c", {"d": 2}, ["s"]).close()
    again = QdrantStore(client, "c", {"d": 2}, ["s"])
    assert list(again.scan()) == []
    again.close()
    client.close()


def test_no_server_is_one_sentence():
    with pytest.raises(StoreError, match="Is it running"):
        QdrantStore("http://127.0.0.1:9", "c", {"d": 2})
