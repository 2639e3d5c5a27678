"""Exports read back: the same pixels with the same ids, and the same numbers."""

import csv
import json
import os
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import roifile
import tifffile
from hypothesis import given, settings
from PIL import Image as Pillow

from cellseg_monai import exports, io
from cellseg_monai.datasets.preparing.coco_file import index_coco, read_annotations
from cellseg_monai.datasets.preparing.coco_masks import annotation_mask
from cellseg_monai.exports import Segmentation, chosen_exports
from cellseg_monai.exports.roi_zip import write as write_rois
from cellseg_monai.exports.table_csv import read as read_table
from cellseg_monai.labels import class_colours, draw_polygons, inner_outlines, join_tables, measure_objects
from tests.label_images import SHAPES, Stored, label_images, many_discs

SIZE_UM = (0.5, 0.5)


def write_exports(folder: Path, objects: Segmentation, names: str) -> dict[str, Path]:
    """Write exports and return the single file of each that was written."""
    written = exports.write_exports(folder, objects, names)
    return {name: path for name, paths in written.items() if paths for (path,) in [paths]}


def segmentation(labels: np.ndarray, **how: object) -> Segmentation:
    ramp = np.arange(labels.size, dtype=np.uint16).reshape(1, *labels.shape)
    image = np.concatenate([ramp, ramp[::-1] // 2])
    names = ("DAPI", "µ, 2")
    table = measure_objects(
        labels, image, channel_names=names, pixel_size_um=SIZE_UM, maps={"foreground": (labels > 0) * np.float32(0.7)}
    )
    return Segmentation(
        labels, table, "well A1.ome.tif", image=image, channel_names=names, pixel_size_um=SIZE_UM, **how
    )


def rings_of_rois(path: Path) -> dict[int, list[np.ndarray]]:
    rings = {}
    for region in roifile.roiread(path):
        assert region.name not in rings
        rings[int(region.name)] = region.coordinates(multi=True)
    return rings


def rings_of_geojson(path: Path) -> dict[int, list]:
    rings = {}
    for feature in json.loads(path.read_text("utf-8"))["features"]:
        geometry = feature["geometry"]
        polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        rings[int(feature["properties"]["name"])] = [ring for polygon in polygons for ring in polygon]
    return rings


def labels_of_coco(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read labels with the reader of COCO data sets."""
    [image] = index_coco(path).images
    labels: np.ndarray = np.zeros(shape, np.int64)
    for annotation in read_annotations(path, image.places):
        row, column, pixels = annotation_mask(annotation["segmentation"], shape)
        window = labels[row : row + pixels.shape[0], column : column + pixels.shape[1]]
        assert not window[pixels].any()
        window[pixels] = annotation["id"]
        assert annotation["area"] == np.count_nonzero(pixels)
        assert annotation["bbox"] == [column, row, pixels.shape[1], pixels.shape[0]]
    return labels


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@settings(max_examples=150)
@given(label_images())
def test_every_format_holds_the_same_pixels_with_the_same_ids(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("exports")
    files = write_exports(folder, segmentation(labels), "labels,ome,rois,geojson,coco,csv")
    expected = labels.astype(np.int64)
    shape = labels.shape
    for name in ("labels", "ome"):
        assert np.array_equal(io.read_labels(files[name]), expected)
    rings = rings_of_rois(files["rois"]) if labels.any() else {}
    assert np.array_equal(draw_polygons(rings, shape), expected)
    assert np.array_equal(draw_polygons(rings_of_geojson(files["geojson"]), shape), expected)
    assert np.array_equal(labels_of_coco(files["coco"], shape), expected)
    assert [int(row["id"]) for row in rows_of_csv(files["csv"])] == np.unique(labels[labels > 0]).tolist()


@pytest.mark.slow
def test_seventy_thousand_objects_keep_their_ids_in_every_format(tmp_path):
    labels = many_discs(pitch=5)
    files = write_exports(tmp_path, segmentation(labels), "labels,ome,rois,geojson,coco,csv")
    for name in ("labels", "ome"):
        assert tifffile.imread(files[name]).dtype == np.uint32
        assert np.array_equal(io.read_labels(files[name]), labels)
    ids = list(range(1, 70_001))
    with ZipFile(files["rois"]) as regions:
        assert sorted(int(Path(name).stem) for name in regions.namelist()) == ids
        last = roifile.ImagejRoi.frombytes(regions.read("70000.roi"))
    outlines = rings_of_geojson(files["geojson"])
    assert sorted(outlines) == ids
    assert last.coordinates().tolist() == outlines[70_000][0][:-1]
    assert np.array_equal(draw_polygons(outlines, labels.shape), labels)
    assert np.array_equal(labels_of_coco(files["coco"], labels.shape), labels)
    assert [int(row["id"]) for row in rows_of_csv(files["csv"])] == ids


def test_without_objects_there_is_no_roi_zip_at_which_imagej_stops(tmp_path):
    assert "rois" in write_exports(tmp_path, segmentation(SHAPES), "rois,csv")
    written = exports.write_exports(tmp_path, segmentation(np.zeros_like(SHAPES)), "rois,csv")
    assert written["rois"] == ()
    assert [path.name for path in tmp_path.iterdir()] == ["well A1.csv"]


def test_an_image_without_objects_gives_complete_files(tmp_path):
    files = write_exports(
        tmp_path, segmentation(np.zeros((5, 6), np.int32)), "labels,ome,zarr,geojson,coco,csv,overlay"
    )
    assert not io.read_labels(files["labels"]).any()
    assert not io.read_labels(files["ome"]).any()
    assert not io.read_labels(files["zarr"]).any()
    assert rings_of_geojson(files["geojson"]) == {}
    assert not labels_of_coco(files["coco"], (5, 6)).any()
    assert rows_of_csv(files["csv"]) == []


class TestStacks:
    LABELS = np.stack([SHAPES, SHAPES[:, ::-1], np.zeros_like(SHAPES), SHAPES[::-1] * 11_000]).reshape(2, 2, 9, 10)

    @pytest.fixture
    def stack(self):
        """Two channels over time and depth; ids start again in each plane."""
        image = np.arange(self.LABELS.size * 2, dtype=np.uint16).reshape(2, 2, 2, 9, 10)
        tables = {
            place: measure_objects(self.LABELS[place], image[place], maps={"foreground": self.LABELS[place] > 0})
            for place in np.ndindex(2, 2)
        }
        return Segmentation(self.LABELS, join_tables("TZ", tables), "s.tif", image, pixel_size_um=SIZE_UM, axes="TZYX")

    @pytest.mark.parametrize("name", ["labels", "ome", "zarr"])
    def test_one_label_file_holds_all_planes_with_their_axes(self, tmp_path, stack, name):
        path = write_exports(tmp_path, stack, name)[name]
        image = io.read(path)
        assert (image.axes, image.pixels.dtype, image.pixel_size_um) == ("TZCYX", np.uint32, SIZE_UM)
        assert np.array_equal(image.pixels[:, :, 0], self.LABELS)

    def test_one_table_holds_the_place_before_the_id(self, tmp_path, stack):
        rows = rows_of_csv(write_exports(tmp_path, stack, "csv")["csv"])
        assert list(rows[0])[:4] == ["t", "z", "id", "area_px"]
        areas = {(int(row["t"]), int(row["z"]), int(row["id"])): int(row["area_px"]) for row in rows}
        assert areas == {
            (*place, int(number)): int(np.count_nonzero(self.LABELS[place] == number))
            for place in np.ndindex(2, 2)
            for number in np.unique(self.LABELS[place])
            if number
        }

    def test_outlines_for_imagej_lie_on_their_slice_and_frame(self, tmp_path, stack):
        regions = roifile.roiread(write_exports(tmp_path, stack, "rois")["rois"])
        outlines: dict[tuple[int, int], dict[int, list]] = {place: {} for place in np.ndindex(2, 2)}
        for region in regions:
            time, depth, number = region.name.split("_")
            assert (region.t_position, region.z_position, region.position) == (int(time[1:]) + 1, int(depth[1:]) + 1, 0)
            outlines[int(time[1:]), int(depth[1:])][int(number)] = region.coordinates(multi=True)
        for place, rings in outlines.items():
            assert np.array_equal(draw_polygons(rings, (9, 10)), self.LABELS[place])

    def test_a_stack_along_one_axis_counts_slices_as_imagej_does(self, tmp_path):
        table = join_tables("Z", {(z,): measure_objects(SHAPES) for z in range(2)})
        objects = Segmentation(np.stack([SHAPES, SHAPES]), table, "s.tif", axes="ZYX")
        regions = roifile.roiread(write_exports(tmp_path, objects, "rois")["rois"])
        assert {(region.name[:5], region.position, region.z_position) for region in regions} == {
            ("Z000_", 1, 0),
            ("Z001_", 2, 0),
        }

    def test_outlines_for_qupath_lie_in_their_plane(self, tmp_path, stack):
        features = json.loads(write_exports(tmp_path, stack, "geojson")["geojson"].read_text())["features"]
        planes = {tuple(feature["geometry"]["plane"].values()) for feature in features}
        assert planes == {(-1, z, t) for t, z in np.ndindex(2, 2) if self.LABELS[t, z].any()}

    def test_single_plane_formats_write_one_file_per_plane(self, tmp_path, stack):
        for name in ("coco", "overlay"):
            files = exports.write_exports(tmp_path, stack, name)[name]
            suffix = exports.EXPORTS[name].suffix
            assert [file.name for file in files] == [f"s_T00{t}_Z00{z}{suffix}" for t, z in np.ndindex(2, 2)]
        assert np.array_equal(labels_of_coco(tmp_path / "s_T001_Z001_coco.json", (9, 10)), self.LABELS[1, 1])

    def test_rois_of_each_position_are_a_file_of_their_own(self, tmp_path, stack):
        table = {(p, z): stack.table.at({"t": p, "z": z}) for p, z in np.ndindex(2, 2)}
        objects = Segmentation(self.LABELS, join_tables("PZ", table), "s.tif", axes="PZYX")
        files = exports.write_exports(tmp_path, objects, "rois,labels")
        assert [file.name for file in files["rois"]] == ["s_P000_rois.zip", "s_P001_rois.zip"]
        assert [file.name for file in files["labels"]] == ["s.tif"]

    def test_stacks_on_disk_give_the_same_files(self, tmp_path, stack):
        names = "labels,ome,zarr,rois,geojson,coco,csv,overlay"
        on_disk = Segmentation(
            Stored(stack.labels), stack.table, stack.image_name, Stored(stack.image), pixel_size_um=SIZE_UM, axes="TZYX"
        )
        exports.write_exports(tmp_path / "a", stack, names)
        exports.write_exports(tmp_path / "b", on_disk, names)
        files = {file.relative_to(tmp_path / "a") for file in (tmp_path / "a").rglob("*") if file.is_file()}
        assert len(files) > 10
        for file in files:
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file

    def test_anndata_names_are_unique(self, tmp_path, stack):
        anndata = pytest.importorskip("anndata", reason="anndata from the extra `tables` is not installed")
        names = anndata.read_h5ad(write_exports(tmp_path, stack, "h5ad")["h5ad"]).obs_names
        assert names.is_unique
        assert "T1_Z1_33000" in names


def test_labels_on_disk_give_the_same_files(tmp_path):
    names = "labels,ome,rois,geojson,coco,csv,overlay"
    in_memory = segmentation(SHAPES)
    expected_files = write_exports(tmp_path / "a", in_memory, names)
    on_disk = Segmentation(
        Stored(SHAPES),
        in_memory.table,
        in_memory.image_name,
        Stored(in_memory.image),
        in_memory.channel_names,
        in_memory.pixel_size_um,
    )
    for name, path in write_exports(tmp_path / "b", on_disk, names).items():
        assert path.read_bytes() == expected_files[name].read_bytes(), name


def test_labels_and_images_in_zarr_give_the_same_files(tmp_path):
    zarr = pytest.importorskip("zarr", reason="zarr, which stores large images, is not installed")
    names = "labels,ome,rois,geojson,coco,csv,overlay"
    in_memory = segmentation(many_discs(400))
    expected_files = write_exports(tmp_path / "a", in_memory, names)
    labels = zarr.array(in_memory.labels, store=str(tmp_path / "l.zarr"), chunks=(64, 100))
    image = zarr.array(in_memory.image, store=str(tmp_path / "i.zarr"), chunks=(1, 64, 100))
    table = measure_objects(
        labels,
        image,
        channel_names=in_memory.channel_names,
        pixel_size_um=SIZE_UM,
        maps={"foreground": labels},
        block_px=5_000,
    ).with_columns(score=in_memory.table["score"])
    on_disk = Segmentation(labels, table, in_memory.image_name, image, in_memory.channel_names, SIZE_UM)
    for name, path in write_exports(tmp_path / "b", on_disk, names).items():
        assert path.read_bytes() == expected_files[name].read_bytes(), name


class TestRois:
    def test_a_connected_object_is_a_traced_outline(self, tmp_path):
        path = tmp_path / "rois.zip"
        write_rois(path, segmentation(SHAPES))
        regions = {region.name: region for region in roifile.roiread(path)}
        assert {name for name, region in regions.items() if region.roitype == roifile.ROI_TYPE.TRACED} == {"6", "9"}
        assert (regions["9"].left, regions["9"].top, regions["9"].right, regions["9"].bottom) == (2, 2, 3, 3)
        assert regions["9"].coordinates().tolist() == [[2, 2], [3, 2], [3, 3], [2, 3]]
        assert regions["3"].composite

    @pytest.mark.parametrize("column", [60_000, 60_534, 60_535, 65_000])
    def test_coordinates_beyond_sixteen_bits_are_exact(self, tmp_path, column):
        labels = np.zeros((2, 65_010), np.uint8)
        labels[:, column : column + 3] = 7
        labels[0, 100:40_000] = 9
        write_rois(tmp_path / "rois.zip", segmentation(labels))
        assert np.array_equal(draw_polygons(rings_of_rois(tmp_path / "rois.zip"), labels.shape), labels)

    def test_an_outline_with_very_many_corners_is_complete(self, tmp_path):
        labels = np.zeros((4, 70_000), np.uint8)
        labels[1] = 1
        labels[0, ::2] = 1
        write_rois(tmp_path / "rois.zip", segmentation(labels))
        assert np.array_equal(draw_polygons(rings_of_rois(tmp_path / "rois.zip"), labels.shape), labels)


class TestGeojson:
    def test_features_have_the_form_that_qupath_imports(self, tmp_path):
        objects = segmentation(SHAPES)
        path = write_exports(tmp_path, objects, "geojson")["geojson"]
        assert path.name == "well A1.geojson"
        collection = json.loads(path.read_text("utf-8"))
        assert collection["type"] == "FeatureCollection"
        by_name = {feature["properties"]["name"]: feature for feature in collection["features"]}
        five = by_name["5"]
        assert five["type"] == "Feature"
        assert five["properties"]["objectType"] == "detection"
        assert five["geometry"]["type"] == "Polygon"
        assert by_name["8"]["geometry"]["type"] == "MultiPolygon"
        for ring in five["geometry"]["coordinates"]:
            assert ring[0] == ring[-1]
        row = objects.table["id"].tolist().index(5)
        expected = {name: column[row] for name, column in objects.table.columns.items()}
        assert five["properties"]["measurements"] == expected
        assert expected["score"] == pytest.approx(0.7)

    def test_unknown_values_are_omitted(self, tmp_path):
        table = measure_objects(SHAPES, pixel_size_um=(1, 2))
        path = write_exports(tmp_path, Segmentation(SHAPES, table, "a.tif"), "geojson")["geojson"]
        measured = json.loads(path.read_text())["features"][0]["properties"]["measurements"]
        assert "perimeter_um" not in measured
        assert "perimeter_px" in measured


class TestCoco:
    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
    def test_pycocotools_reads_the_same_masks(self, tmp_path):
        coco = pytest.importorskip(
            "pycocotools.coco", reason="pycocotools, the reference for this format, is not installed"
        )
        labels = many_discs(200)
        labels[:, 20] = 300  # over the full height, so that its runs continue across columns
        labels[:, 21] = 300
        read = coco.COCO(write_exports(tmp_path, segmentation(labels), "coco")["coco"])
        for annotation in read.loadAnns(read.getAnnIds()):
            assert np.array_equal(read.annToMask(annotation) > 0, labels == annotation["id"])

    def test_image_category_and_score(self, tmp_path):
        content = json.loads(write_exports(tmp_path, segmentation(SHAPES), "coco")["coco"].read_text())
        assert content["images"] == [{"id": 1, "file_name": "well A1.ome.tif", "height": 9, "width": 10}]
        first = content["annotations"][0]
        assert (first["image_id"], first["category_id"], first["iscrowd"]) == (1, content["categories"][0]["id"], 0)
        assert first["score"] == pytest.approx(0.7)


class TestTables:
    def test_csv_keeps_every_digit(self, tmp_path):
        objects = segmentation(SHAPES)
        rows = rows_of_csv(write_exports(tmp_path, objects, "csv")["csv"])
        assert list(rows[0]) == list(objects.table.columns)
        for name, column in objects.table.columns.items():
            assert [row[name] for row in rows] == [str(value) for value in column.tolist()]

    def test_csv_leaves_cells_of_unknown_values_empty(self, tmp_path):
        table = measure_objects(SHAPES, pixel_size_um=(1, 2))
        rows = rows_of_csv(write_exports(tmp_path, Segmentation(SHAPES, table, "a.tif"), "csv")["csv"])
        assert {row["perimeter_um"] for row in rows} == {""}

    def test_parquet_keeps_numbers_and_types(self, tmp_path):
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow from the extra `tables` is not installed")
        objects = segmentation(SHAPES)
        read = parquet.read_table(write_exports(tmp_path, objects, "parquet")["parquet"])
        assert read.column_names == list(objects.table.columns)
        for name, column in objects.table.columns.items():
            assert np.array_equal(read[name].to_numpy(), column)

    def test_anndata_has_intensities_and_centroids_where_scanpy_expects_them(self, tmp_path):
        anndata = pytest.importorskip("anndata", reason="anndata from the extra `tables` is not installed")
        objects = segmentation(SHAPES)
        read = anndata.read_h5ad(write_exports(tmp_path, objects, "h5ad")["h5ad"])
        assert read.obs_names.tolist() == [str(number) for number in objects.table["id"]]
        assert read.var_names.tolist() == ["DAPI", "µ, 2"]
        assert np.array_equal(read.X[:, 0], objects.table["mean_DAPI"])
        assert np.array_equal(read.layers["max"][:, 1], objects.table["max_µ, 2"])
        assert np.array_equal(read.obsm["spatial"][:, 0], objects.table["centroid_x_px"])
        assert np.array_equal(read.obs["score"], objects.table["score"])
        assert "mean_DAPI" not in read.obs
        assert read.uns["pixel_size_um"].tolist() == [0.5, 0.5]

    def test_anndata_without_an_image_has_no_channels(self, tmp_path):
        anndata = pytest.importorskip("anndata", reason="anndata from the extra `tables` is not installed")
        objects = Segmentation(SHAPES, measure_objects(SHAPES), "a.tif")
        assert anndata.read_h5ad(write_exports(tmp_path, objects, "h5ad")["h5ad"]).shape == (6, 0)


class TestClasses:
    """The class of each object in every format."""

    NAMES = ("=round", "long, thin", "Ø")
    # By increasing id: 3, 5, 6, 7, 8, 9.
    CLASSES = ("Ø", "=round", "=round", "long, thin", "Ø", "=round")

    @pytest.fixture
    def objects(self):
        number = np.zeros(SHAPES.max() + 1, np.intp)
        number[[3, 5, 6, 7, 8, 9]] = [self.NAMES.index(name) for name in self.CLASSES]
        maps = {f"class/{name}": np.where(number[SHAPES] == n, 0.6, 0.2) for n, name in enumerate(self.NAMES)}
        image = np.zeros((1, *SHAPES.shape), np.uint8)
        table = measure_objects(SHAPES, image, channel_names=["class_DAPI"], maps=maps)
        return Segmentation(SHAPES, table, "a.tif", image=image, channel_names=["class_DAPI"])

    def test_the_table_has_the_likeliest_class_and_its_probability(self, tmp_path, objects):
        assert tuple(objects.table["class"]) == self.CLASSES
        assert objects.table["class_probability"] == pytest.approx(np.full(6, 0.6))
        read = read_table(write_exports(tmp_path, objects, "csv")["csv"])
        assert (read.classes, read.channels) == (self.NAMES, ("class_DAPI",))
        assert tuple(read["class"]) == self.CLASSES
        assert np.array_equal(read["class_probability"], objects.table["class_probability"])

    def test_qupath_gets_a_classification_with_a_colour(self, tmp_path, objects):
        features = json.loads(write_exports(tmp_path, objects, "geojson")["geojson"].read_text("utf-8"))["features"]
        read = {int(feature["properties"]["name"]): feature["properties"] for feature in features}
        assert tuple(read[number]["classification"]["name"] for number in sorted(read)) == self.CLASSES
        colours = {
            properties["classification"]["name"]: properties["classification"]["color"] for properties in read.values()
        }
        assert colours == dict(zip(self.NAMES, map(list, class_colours(3)), strict=True))
        assert all(
            properties["measurements"]["class_probability"] == pytest.approx(0.6) for properties in read.values()
        )

    def test_coco_gets_a_category_for_each_class(self, tmp_path, objects):
        content = json.loads(write_exports(tmp_path, objects, "coco")["coco"].read_text("utf-8"))
        assert content["categories"] == [
            {"id": number, "name": name} for number, name in enumerate(self.NAMES, start=1)
        ]
        names = {category["id"]: category["name"] for category in content["categories"]}
        read = {annotation["id"]: names[annotation["category_id"]] for annotation in content["annotations"]}
        assert tuple(read[number] for number in sorted(read)) == self.CLASSES
        assert all(annotation["class_probability"] == pytest.approx(0.6) for annotation in content["annotations"])

    def test_imagej_gets_a_group_and_a_colour_for_each_class(self, tmp_path, objects):
        regions = {
            int(region.name): region for region in roifile.roiread(write_exports(tmp_path, objects, "rois")["rois"])
        }
        assert tuple(self.NAMES[regions[number].group - 1] for number in sorted(regions)) == self.CLASSES
        colours = class_colours(3)
        for region in regions.values():
            assert tuple(region.stroke_color) == (255, *colours[region.group - 1])

    def test_overlay_has_outlines_in_the_colours_of_the_classes(self, tmp_path, objects):
        picture = np.asarray(Pillow.open(write_exports(tmp_path, objects, "overlay")["overlay"]))
        for name, colour in zip(self.NAMES, class_colours(3), strict=True):
            ids = [number for number, of in zip([3, 5, 6, 7, 8, 9], self.CLASSES, strict=True) if of == name]
            expected = inner_outlines(SHAPES) & np.isin(SHAPES, ids)
            assert np.array_equal((picture == colour).all(axis=2), expected), name

    def test_anndata_has_categories_with_the_colours_that_scanpy_uses(self, tmp_path, objects):
        anndata = pytest.importorskip("anndata", reason="anndata from the extra `tables` is not installed")
        read = anndata.read_h5ad(write_exports(tmp_path, objects, "h5ad")["h5ad"])
        assert tuple(read.obs["class"]) == self.CLASSES
        assert tuple(read.obs["class"].cat.categories) == self.NAMES
        assert list(read.uns["class_colors"]) == ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(3)]
        assert read.var_names.tolist() == ["class_DAPI"]

    def test_parquet_has_the_names(self, tmp_path, objects):
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow from the extra `tables` is not installed")
        read = parquet.read_table(write_exports(tmp_path, objects, "parquet")["parquet"])
        assert tuple(read["class"].to_pylist()) == self.CLASSES

    @pytest.mark.parametrize("name", ["csv", "geojson", "coco", "rois", "overlay", "h5ad", "parquet"])
    def test_an_image_without_objects_has_the_same_classes(self, tmp_path, name):
        if name in ("h5ad", "parquet"):
            pytest.importorskip("anndata", reason="anndata from the extra `tables` is not installed")
        empty = np.zeros_like(SHAPES)
        maps = {f"class/{name}": np.zeros(SHAPES.shape) for name in self.NAMES}
        table = measure_objects(empty, maps=maps)
        assert table.classes == self.NAMES
        image = np.zeros((1, *SHAPES.shape), np.uint8)
        exports.write_exports(tmp_path, Segmentation(empty, table, "a.tif", image=image), name)

    def test_stacks_keep_the_classes(self, tmp_path, objects):
        table = join_tables("Z", {(z,): objects.table for z in range(2)})
        stack = Segmentation(np.stack([SHAPES, SHAPES]), table, "s.tif", axes="ZYX")
        features = json.loads(write_exports(tmp_path, stack, "geojson")["geojson"].read_text("utf-8"))["features"]
        assert len({feature["properties"]["classification"]["name"] for feature in features}) == 3

    def test_a_class_that_is_not_declared_is_refused(self, objects):
        with pytest.raises(ValueError, match="got the class 'square', expected one of =round, long, thin, Ø"):
            objects.table.with_columns(**{"class": np.full(6, "square")})


class TestChoosing:
    def test_names_can_be_text_or_a_list_and_are_used_once(self):
        assert chosen_exports(" rois,csv ,rois,") == ("rois", "csv")
        assert chosen_exports(["labels"]) == ("labels",)
        assert chosen_exports("") == ()

    def test_a_wrong_name_is_refused_with_a_list_of_the_right_ones(self, tmp_path):
        with pytest.raises(
            ValueError, match=r"got export 'roi', expected one or more of labels, ome, zarr, .*, separated by commas"
        ):
            write_exports(tmp_path, segmentation(SHAPES), "labels,roi")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["parquet", "h5ad"])
    def test_a_missing_package_is_reported_with_its_extra(self, monkeypatch, name):
        monkeypatch.setattr("cellseg_monai.exports.registry.find_spec", lambda package: None)
        with pytest.raises(ValueError, match=r"is not installed; run pip install 'cellseg_monai\[tables\]'"):
            chosen_exports(name)

    def test_an_overlay_needs_an_image(self, tmp_path):
        with pytest.raises(ValueError, match=r"a_overlay\.png: an overlay needs an image"):
            write_exports(tmp_path, Segmentation(SHAPES, measure_objects(SHAPES), "a.tif"), "overlay")

    def test_every_export_has_a_writer(self):
        for export in exports.EXPORTS.values():
            assert callable(export.writer())


def content(path: Path) -> dict[str, bytes]:
    """Return the content of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.mark.parametrize("name", ["labels", "ome", "zarr", "rois", "geojson", "coco", "csv", "overlay"])
class TestFailing:
    def test_a_failure_names_the_file_and_keeps_the_old_one(self, tmp_path, monkeypatch, name):
        objects = segmentation(SHAPES)
        path = write_exports(tmp_path, objects, name)[name]
        before = content(path)

        def fill_the_disk(*paths: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", fill_the_disk)
        with pytest.raises(OSError, match="No space left") as caught:
            write_exports(tmp_path, objects, name)
        assert caught.value.filename == str(path)
        assert list(tmp_path.iterdir()) == [path]
        assert content(path) == before

    def test_the_same_objects_give_the_same_bytes(self, tmp_path, name):
        objects = segmentation(SHAPES)
        first, second = (write_exports(tmp_path / folder, objects, name)[name] for folder in "ab")
        assert content(first) == content(second)


class TestPage:
    """The user documentation, docs/exports.md, is complete."""

    PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text("utf-8")

    def test_every_export_has_a_row_with_its_file(self):
        for name, export in exports.EXPORTS.items():
            assert f"| `{name}` | `{export.suffix}` |" in self.PAGE

    def test_every_column_has_a_row(self):
        columns = [name for name in segmentation(SHAPES).table.columns if "_DAPI" not in name and "_µ" not in name]
        columns += ["class", "class_probability", "mean_class_NAME"]
        assert [name for name in columns if f"`{name}`" not in self.PAGE] == []


@pytest.mark.parametrize("labels", [SHAPES, np.zeros((5, 6), np.int32)], ids=["objects", "none"])
def test_a_table_is_read_back_with_the_same_numbers(labels: np.ndarray, tmp_path: Path) -> None:
    written = segmentation(labels)
    table = read_table(write_exports(tmp_path, written, "csv")["csv"])
    assert list(table.columns) == list(written.table.columns)
    assert table.channels == written.table.channels
    for name, column in written.table.columns.items():
        np.testing.assert_array_equal(table[name], column)
        if len(column):
            assert table[name].dtype.kind == column.dtype.kind.replace("u", "i")


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "id,score\n1\n", "id,score\n1,high\n"], ids=["empty", "no id", "cut", "words"]
)
def test_anything_but_a_table_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=r"a\.csv is not an object table"):
        read_table(tmp_path / "a.csv")
