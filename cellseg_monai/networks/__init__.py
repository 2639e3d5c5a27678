"""Networks for images of any size: the package's own, and wrappers for the networks in other libraries."""

from cellseg_monai.networks.attention_gate import attention_maps
from cellseg_monai.networks.convolutional_unet import unet
from cellseg_monai.networks.definition import build_network
from cellseg_monai.networks.encoder_part import encoder_parameters, unwrapped
from cellseg_monai.networks.folding import fold_normalisation
from cellseg_monai.networks.heads_of_unet import multihead_unet
from cellseg_monai.networks.hybrid_swin import swin_unetr
from cellseg_monai.networks.lite_encoder import LITE_ENCODERS, lite_encoder_weights
from cellseg_monai.networks.monai_networks import monai_network
from cellseg_monai.networks.nested_unet import set_pruning, unet_plus_plus
from cellseg_monai.networks.pretraining import pretraining_network
from cellseg_monai.networks.pure_swin import swin_unet
from cellseg_monai.networks.smp_networks import smp_model
from cellseg_monai.networks.view_network import scout_network

__all__ = [
    "LITE_ENCODERS",
    "attention_maps",
    "build_network",
    "encoder_parameters",
    "fold_normalisation",
    "lite_encoder_weights",
    "monai_network",
    "multihead_unet",
    "pretraining_network",
    "scout_network",
    "set_pruning",
    "smp_model",
    "swin_unet",
    "swin_unetr",
    "unet",
    "unet_plus_plus",
    "unwrapped",
]
