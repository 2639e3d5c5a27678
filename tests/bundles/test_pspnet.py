from tests.contracts.bundle import BundleContract


class TestPspnet(BundleContract):
    name = "pspnet"
