import json
from importlib.resources import files
from pathlib import Path

import pytest

from cellseg_monai.bundle import metadata_faults

METADATA = Path(__file__).parents[2] / "bundles" / "unet" / "configs" / "metadata.json"
SCHEMA = json.loads(files("cellseg_monai.bundle").joinpath("metadata.schema.json").read_text())
TENSOR = SCHEMA["$defs"]["tensor"]["required"]


def changed(tmp_path: Path, change: object) -> list[str]:
    metadata = json.loads(METADATA.read_text())
    change(metadata)
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(metadata))
    return metadata_faults(path)


def test_the_shipped_metadata_is_valid() -> None:
    assert metadata_faults(METADATA) == []


@pytest.mark.parametrize("name", SCHEMA["required"])
def test_a_missing_mandatory_field_is_reported(name: str, tmp_path: Path) -> None:
    assert any(f"'{name}' is a required property" in fault for fault in changed(tmp_path, lambda data: data.pop(name)))


@pytest.mark.parametrize("name", TENSOR)
def test_a_missing_mandatory_field_of_a_tensor_is_reported(name: str, tmp_path: Path) -> None:
    faults = changed(tmp_path, lambda data: data["network_data_format"]["inputs"]["image"].pop(name))
    assert faults == [f"$.network_data_format.inputs.image: '{name}' is a required property"]


def test_unknown_keys_are_refused(tmp_path: Path) -> None:
    (fault,) = changed(tmp_path, lambda data: data.update(autor="me"))
    assert "'autor' was unexpected" in fault


def test_a_version_without_a_changelog_entry_is_refused(tmp_path: Path) -> None:
    faults = changed(tmp_path, lambda data: data.update(version="9.9.9"))
    assert faults == ["$.changelog: does not mention version 9.9.9"]
