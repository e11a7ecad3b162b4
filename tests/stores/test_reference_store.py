from bowerbird.stores.reference import ReferenceStore
from bowerbird.testing.store_suite import StoreSuite


class TestReference(StoreSuite):
    persistent = False

    def open(self, folder, dense, sparse):
        return ReferenceStore(dense, sparse)
