"""The digest of items only depends on the content of files."""

import hashlib
import shutil

from cellseg_monai.data import items_digest, section_items


def test_the_digest_of_items_is_the_sha_256_of_the_hashes_of_their_files(tmp_path):
    for name in ("image", "label", "other"):
        (tmp_path / name).write_bytes(name.encode())
    image, label, other = (hashlib.sha256(name).hexdigest() for name in (b"image", b"label", b"other"))
    items = [
        {"image": str(tmp_path / "image"), "label": str(tmp_path / "label"), "group": "g"},
        {"image": str(tmp_path / "other")},
    ]
    expected = hashlib.sha256("\n".join(sorted([image + label, other])).encode()).hexdigest()
    assert items_digest(items) == items_digest(reversed(items)) == expected
    assert items_digest([]) == hashlib.sha256(b"").hexdigest()


def test_names_and_folders_do_not_matter_but_every_byte_does(make_dataset, tmp_path):
    folder = make_dataset("abcdefgh")
    before = items_digest(section_items(folder, "training"))
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert items_digest(section_items(moved, "training")) == before
    (changed,) = section_items(moved, "training")[:1]
    with open(changed["label"], "ab") as file:
        file.write(b"x")
    assert items_digest(section_items(moved, "training")) != before


def test_swapped_labels_change_the_digest(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_text(name)
    path = {name: str(tmp_path / name) for name in "abcd"}
    straight = [{"image": path["a"], "label": path["b"]}, {"image": path["c"], "label": path["d"]}]
    crossed = [{"image": path["a"], "label": path["d"]}, {"image": path["c"], "label": path["b"]}]
    assert items_digest(straight) != items_digest(crossed)
