from tests.contracts.bundle import BundleContract


class TestSwinUnet(BundleContract):
    name = "swin_unet"
