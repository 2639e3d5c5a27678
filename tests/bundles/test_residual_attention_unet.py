from tests.contracts.bundle import BundleContract


class TestResidualAttentionUnet(BundleContract):
    name = "residual_attention_unet"
    small_channels = (4, 8, 16)
