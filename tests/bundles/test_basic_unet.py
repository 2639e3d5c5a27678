from tests.contracts.bundle import BundleContract


class TestBasicUnet(BundleContract):
    name = "basic_unet"
    small_channels = (4, 8, 16)
