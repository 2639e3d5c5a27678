"""The examples in the guide to adding a network work as written."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from cellseg_monai.bundle import build_bundle, bundle_faults
from cellseg_monai.networks import build_network
from cellseg_monai.networks.definition import _BUILDERS

ROOT = Path(__file__).parents[2]


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language in the guide."""
    guide = (ROOT / "docs" / "add-a-network.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "bundles" / "recipes", tmp_path / "bundles" / "recipes")
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path / "bundles"


def test_a_bundle_of_thirty_lines_has_no_faults(bundles: Path) -> None:
    text = blocks("json")[0]
    assert len(text.splitlines()) <= 30
    (bundles / "fpn" / "configs" / "variants").mkdir(parents=True)
    (bundles / "fpn" / "bundle.json").write_text(text)
    files = build_bundle(bundles / "fpn")
    assert len(files) == 14
    for name, content in files.items():
        (bundles / "fpn" / name).write_text(content)
    assert bundle_faults(bundles / "fpn") == []


def test_a_network_of_monai_can_be_used() -> None:
    config = json.loads(f"{{{blocks('json')[1]}}}")
    config["network_def"] |= {"classes": 1, "channels": [4, 8, 8, 8, 8]}
    network = ConfigParser(config).get_parsed_content("network_def").eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 33, 5)).shape == (1, 1, 33, 5)


def test_a_network_of_your_own_can_be_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellseg_monai.networks.definition._BUILDERS", dict(_BUILDERS))
    names: dict = {}
    exec(blocks("python")[0], names)
    network = names["two_layers"](classes=2)
    again = build_network(network.definition)
    again.load_state_dict(network.state_dict())
    assert again(torch.zeros(1, 1, 7, 5)).shape == (1, 2, 7, 5)
