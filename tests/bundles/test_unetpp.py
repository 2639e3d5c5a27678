from tests.contracts.bundle import BundleContract


class TestUnetpp(BundleContract):
    name = "unetpp"
