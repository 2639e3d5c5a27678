import pytest
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import build_network, smp_model, unet


def test_all_arguments_are_written_out() -> None:
    assert unet(channels=(4, 8), attention=True).definition == {
        "network": "unet",
        "in_channels": 1,
        "classes": 1,
        "channels": [4, 8],
        "norm": True,
        "skips": "concat",
        "upsampling": "interpolate",
        "activation": "leaky_relu",
        "dropout": 0.0,
        "residual": False,
        "attention": True,
    }


def test_options_stand_beside_the_arguments_and_weights_do_not() -> None:
    network = smp_model("unet", encoder_name="resnet18", encoder_depth=3, decoder_channels=(32, 16, 8))
    assert network.definition == {
        "network": "smp_model",
        "architecture": "unet",
        "encoder_name": "resnet18",
        "in_channels": 1,
        "classes": 1,
        "encoder_depth": 3,
        "decoder_channels": [32, 16, 8],
    }


@pytest.mark.parametrize("definition", [{}, {"network": None}, {"network": "unett", "classes": 1}])
def test_an_unknown_network_is_refused_with_those_known(definition: dict) -> None:
    with pytest.raises(BundleError, match=r"known are .*smp_model, swin_unet, swin_unetr, unet, unet_plus_plus: corre"):
        build_network(definition)


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        (
            {"network": "unet", "clases": 1},
            r"unexpected keyword argument 'clases'(\. Did you mean 'classes'\?)?; it takes unet\(\*, in_channels",
        ),
        ({"network": "unet", "channels": 3}, "unet cannot be built of .*len"),
        ({"network": "unet", "skips": "multiply"}, "skips is 'multiply'; give one of concat, add"),
        ({"network": "smp_model", "architecture": "unet"}, "missing .* 'encoder_name'"),
        ({"network": "smp_model", "architecture": "vnet", "encoder_name": "resnet18"}, "Wrong architecture"),
        ({"network": "smp_model", "architecture": "unet", "encoder_name": "resnet18", "depth": 9}, "depth"),
        ({"network": "swin_unet", "depths": [2, 2]}, "have 2, 4 and 3 stages; give as many heads as depths"),
        ({"network": "swin_unet", "embed_dim": 32}, "the heads of each stage must divide its channels"),
        ({"network": "swin_unetr", "feature_size": 20}, "must divide its channels"),
        ({"network": "swin_unetr", "feature_size": 30}, "feature_size should be divisible by 12"),
        ({"network": "swin_unetr", "depths": [2, 2]}, "have 2 and 4 stages; give four of each"),
        ({"network": "unet_plus_plus", "decoder_channels": [8]}, "give 5 numbers"),
        ({"network": "unet_plus_plus", "prune": 5}, "pruned to level 5; give 1 to 4"),
    ],
)
def test_wrong_arguments_are_refused(definition: dict, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        build_network(definition)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(BundleError, match=r"cannot record.*; give numbers, strings, lists and dictionaries only"):
        smp_model("unet", encoder_name="resnet18", activation=nn.Sigmoid)
