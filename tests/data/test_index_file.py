"""An index of splits in any dialect of CSV, which is never silently ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellseg_monai.data import check_dataset, load_datalist
from cellseg_monai.errors import DatasetError


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("image_id,split\na,train\nb,val\nc,test\n", id="plain"),
        pytest.param("image_id;split\na;train\nb;val\nc;test\n", id="semicolons"),
        pytest.param("image_id\tsplit\r\na\ttrain\r\nb\tval\r\nc\ttest\r\n", id="tabs, and lines as on Windows"),
        pytest.param("Image_ID,Split\na,Train\nb,VAL\nc,test\n", id="capitals"),
        pytest.param(" image_id , split \n a , train \n b , val \n c , test \n", id="stray spaces"),
        pytest.param("\ufeffimage_id,split\na,train\nb,val\nc,test\n", id="a BOM"),
        pytest.param('\ufeff"Image ID";"Split"\n"a";"train"\n"b";"val"\n"c";"test"\n', id="quotes and a BOM"),
        pytest.param("image,split\na.tif,train\nb.tif,val\nc.tif,test\n", id="file names"),
        pytest.param("image,split,image_id\nx,train,a\ny,val,b\nz,test,c\n", id="both columns"),
        pytest.param("\nimage_id,n,split\na,1,train\n,,\n\nb,2,val\nc.tif,3,test\n", id="empty lines"),
    ],
)
def test_every_dialect_gives_the_same_sections(make_dataset, text):
    folder = make_dataset("abc")
    (folder / "index.csv").write_bytes(text.encode())
    sections = {name: [Path(item["image"]).stem for item in items] for name, items in load_datalist(folder).items()}
    assert sections == {"training": ["a"], "validation": ["b"], "test": ["c"]}
    assert check_dataset(folder) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"stem,split\na,train\n", "expected one column image_id", id="no image ids"),
        pytest.param(b"Image-ID,count\na,1\n", "expected one column image_id", id="no splits"),
        pytest.param(b"image_id:split\na:train\n", "expected one column image_id", id="colons"),
        pytest.param(b"image_id,split,Split\na,train,val\n", "expected one column image_id", id="two columns split"),
        pytest.param("image_id,split,préparation\n".encode("latin-1"), "not UTF-8 text", id="Latin-1"),
        pytest.param("image_id,split\n".encode("utf-16"), "not UTF-8 text", id="UTF-16"),
    ],
)
def test_an_index_that_cannot_be_used_is_an_error_everywhere(make_dataset, content, message):
    folder = make_dataset("abc")
    (folder / "index.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"index\.csv: .*{message}"):
        load_datalist(folder)
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("index.csv", "datalist", "error")
    assert message in fault.message


def test_faults_have_the_line_of_the_file(make_dataset):
    folder = make_dataset("abc")
    (folder / "index.csv").write_text("\nimage_id;split\na;train\n\ngone;train\n")
    with pytest.raises(DatasetError, match="line 5: image 'gone' not found"):
        load_datalist(folder)
