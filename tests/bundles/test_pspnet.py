from tests.contracts.bundle import BundleContract


class TestPspnet(BundleContract):
    name = "pspnet"
    repeatable_on_cuda = False
