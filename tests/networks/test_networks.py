"""The network contract, tested with a small network of each kind."""

from torch import nn

from cellseg_monai.networks import smp_model, swin_unet, swin_unetr, unet, unet_plus_plus
from tests.contracts.network import NetworkContract


class TestSmpUnet(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return smp_model("unet", encoder_name="resnet18", **channels)


class TestSmpPspnet(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return smp_model("pspnet", encoder_name="resnet18", **channels)


class TestUnet(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return unet(channels=(4, 8, 16), **channels)


class TestUnetWithAddedSkips(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return unet(channels=(4, 8), skips="add", norm=False, activation="relu", **channels)


class TestUnetWithTransposedConvolutions(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return unet(channels=(4, 8), skips="add", upsampling="transposed", **channels)


class TestResidualAttentionUnet(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return unet(channels=(4, 8, 16), residual=True, attention=True, dropout=0.05, **channels)


class TestUnetPlusPlus(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return unet_plus_plus(encoder_name="resnet18", decoder_channels=(32, 16, 8, 8, 8), **channels)


class TestSwinUnetr(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return swin_unetr(feature_size=12, **channels)


class TestSwinUnet(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return swin_unet(embed_dim=12, **channels)
