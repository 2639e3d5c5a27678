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


def test_the_definition_holds_options_like_arguments_and_no_weights() -> None:
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
def test_an_unknown_network_is_refused_with_a_list_of_known_ones(definition: dict) -> None:
    with pytest.raises(
        BundleError, match=r"expected one of .*smp_model, swin_unet, swin_unetr, unet, unet_plus_plus; fix"
    ):
        build_network(definition)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {"network": "unet", "clases": 1},
            r"unexpected keyword argument 'clases'(\. Did you mean 'classes'\?)?; pass arguments that fit unet\(\*,",
        ),
        ({"network": "unet", "channels": 3}, "cannot build unet from .*len"),
        ({"network": "unet", "skips": "multiply"}, "got skips='multiply', expected one of concat, add; choose one"),
        ({"network": "smp_model", "architecture": "unet"}, "missing .* 'encoder_name'"),
        ({"network": "smp_model", "architecture": "vnet", "encoder_name": "resnet18"}, "Wrong architecture"),
        ({"network": "smp_model", "architecture": "unet", "encoder_name": "resnet18", "depth": 9}, "depth"),
        (
            {"network": "swin_unet", "depths": [2, 2]},
            "got 2 depths, 4 num_heads and 3 decoder_depths, expected as many num_heads",
        ),
        ({"network": "swin_unet", "embed_dim": 32}, "heads in each stage to divide its number of channels"),
        ({"network": "swin_unetr", "feature_size": 20}, "divide its number of channels"),
        ({"network": "swin_unetr", "feature_size": 30}, "feature_size should be divisible by 12"),
        ({"network": "swin_unetr", "depths": [2, 2]}, "got 2 depths and 4 num_heads, expected four of each"),
        ({"network": "unet_plus_plus", "decoder_channels": [8]}, "expected 5 numbers"),
        ({"network": "unet_plus_plus", "prune": 5}, "got pruning level 5, expected 1 to 4"),
    ],
)
def test_wrong_arguments_are_refused(definition: dict, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        build_network(definition)


def test_arguments_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(BundleError, match=r"cannot record.*; pass only numbers, strings, lists and dictionaries"):
        smp_model("unet", encoder_name="resnet18", activation=nn.Sigmoid)
