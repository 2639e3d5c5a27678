from tests.contracts.bundle import BundleContract


class TestAttentionUnet(BundleContract):
    name = "attention_unet"
    small_channels = (4, 8, 16)
