"""Text that MONAI's parser must not take for an expression."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.bundle import ConfigParser

from cellseg_monai.bundle.literal import literal

NAMES = [
    "plain",
    "$x",
    "$__import__('os').abort()",
    "$import os",
    "@plate1",
    "@a",
    "%plate1",
    "%a",
    "a$b",
    "a@#b",
    "%#a",
    "a::b",
    "plate#1",
    "@a::b",
    "it's",
    '"quoted"',
    "$'x'",
    "\\x24",
    "$\\x24",
    "tab\tand\nline",
    "Zellkerne_µm",
    "\udc80",
    "_target_",
    "",
]


def parsed(value: object) -> object:
    """Return what a workflow makes of a value in its config."""
    parser = ConfigParser({"a": 1})
    parser.update({"value": value, "other": "$@value"})
    assert parser.get_parsed_content("other") == parser.get_parsed_content("value")
    return parser.get_parsed_content("value")


@pytest.mark.parametrize("text", NAMES)
def test_a_path_reaches_the_workflow_as_it_is(text: str) -> None:
    assert parsed(literal(text)) == text
    assert parsed(literal(Path("folder", text))) == str(Path("folder", text))


@given(st.text(alphabet=st.sampled_from("$@%#:'\"\\x4{}[]ab \n\0"), max_size=8))
def test_any_text_reaches_the_workflow_as_it_is(text: str) -> None:
    assert parsed(literal(text)) == text


def test_text_within_lists_and_mappings_is_literal_too() -> None:
    assert parsed(literal({"b": ["$1 + 1", 2, None]})) == {"b": ["$1 + 1", 2, None]}
    assert parsed(literal(("@a", True))) == ("@a", True)


def test_what_needs_no_escape_stays_readable() -> None:
    assert literal("/data/plate 1") == "/data/plate 1"
    assert literal(3) == 3
