"""The bundle that classifies cells and images: the contract, and what it says about classes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import ClassVar

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cellseg_monai import io
from cellseg_monai.errors import DatasetError
from tests.contracts.bundle import BundleContract, write_tiny_dataset


class TestMultiheadUnet(BundleContract):
    """The contract on images whose classes nobody knows: only the masks are learnt."""

    name = "multihead_unet"


class TestClasses(BundleContract):
    """The contract on images with classes."""

    name = "multihead_unet"
    small: ClassVar[dict] = {
        **BundleContract.small,
        "network_def#encoder_name": "resnet18",
        "class_names": ["early", "late"],
        "image_classes": ["a", "b"],
        "image_tag": "well",
    }
