from tests.contracts.bundle import BundleContract


class TestUnet(BundleContract):
    name = "unet"
