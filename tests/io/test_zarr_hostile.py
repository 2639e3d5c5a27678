"""Zarr folders that name codecs, files or sizes which they should not: refused before anything is decoded."""

import json
import os
import pickle
import time
import tracemalloc
import zlib

import numcodecs
import numpy as np
import pytest
import zarr

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import open_image, read, read_labels
from tests.io.files import write_ome_zarr, write_zarr_array, write_zarr_group

IS_3 = zarr.__version__.startswith("3")
VERSIONS = (2, 3) if IS_3 else (2,)
PLANE = (np.arange(64 * 64) * 7 % 1000).astype("<u2").reshape(64, 64)
ALLOWED = [
    numcodecs.Zlib(), numcodecs.GZip(), numcodecs.BZ2(), numcodecs.LZMA(), numcodecs.Zstd(), numcodecs.LZ4(),
    *(numcodecs.Blosc(name, shuffle=shuffle) for name in ("lz4", "zstd", "zlib", "blosclz") for shuffle in (0, 1, 2)),
]  # fmt: skip
FILTERS = [
    numcodecs.Delta("<u2"), numcodecs.Shuffle(2), numcodecs.FixedScaleOffset(0, 1, "<u2", "<i4"), numcodecs.CRC32(),
    numcodecs.Adler32(), numcodecs.AsType("<u4", "<u2"),
]  # fmt: skip


def write_array(folder, chunk, *, version=2, **changes):
    """Write the metadata of a 64 × 64 array, with changes, and its only chunk."""
    if version == 3:
        metadata = {
            "zarr_format": 3, "node_type": "array", "shape": [64, 64], "data_type": "uint16", "fill_value": 0,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [64, 64]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        }  # fmt: skip
    else:
        metadata = {
            "zarr_format": 2, "shape": [64, 64], "chunks": [64, 64], "dtype": "<u2", "compressor": None,
            "fill_value": 0, "order": "C", "filters": None,
        }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("zarr.json" if version == 3 else ".zarray")).write_text(json.dumps(metadata | changes))
    file = folder / ("c/0/0" if version == 3 else "0.0")
    file.parent.mkdir(parents=True, exist_ok=True)
    if chunk is not None:
        file.write_bytes(chunk)
    return folder


def codecs_3(*names):
    return [
        {"name": "bytes", "configuration": {"endian": "little"}},
        *({"name": n, "configuration": {}} for n in names),
    ]


class TestCodecs:
    def test_no_codec_runs_code(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "sprung"),)

        trap = pickle.dumps(np.array([Trap()], object))
        pickles = {"id": "pickle", "protocol": 5}
        for number, changes in enumerate(
            (
                {"compressor": pickles}, {"filters": [pickles]},
                {"filters": [{"id": "delta", "dtype": "<u2"}, pickles]},
                {"filters": [pickles], "dtype": "|O"}, {"filters": [pickles], "compressor": {"id": "zlib"}},
            )
        ):  # fmt: skip
            folder = write_array(tmp_path / f"{number}.zarr", trap, **changes)
            for function in (read, read_labels, open_image):
                with pytest.raises(UnreadableImageError, match=r"codec 'pickle', which is not allowed|type \|O"):
                    function(folder)
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize(
        "name",
        ["json2", "msgpack2", "vlen-utf8", "vlen-bytes", "vlen-array", "categorize", "zfpy", "Blosc", "my-codec", 5],
    )
    def test_every_other_codec_is_refused_by_name(self, tmp_path, name):
        for changes in ({"compressor": {"id": name}}, {"filters": [{"id": name}]}):
            with pytest.raises(UnreadableImageError, match=f"the codec '{name}', which is not allowed"):
                read(write_array(tmp_path, b"", **changes))

    @pytest.mark.skipif(not IS_3, reason="zarr 2 cannot read version 3")
    @pytest.mark.parametrize(
        "name", ["numcodecs.pickle", "vlen-utf8", "numcodecs.zfpy", "numcodecs.numcodecs.zlib", "x"]
    )
    def test_version_3_has_the_same_list(self, tmp_path, name):
        inner = {"chunk_shape": [8, 8], "codecs": codecs_3(name), "index_codecs": codecs_3()}
        sharding = [{"name": "sharding_indexed", "configuration": inner}]
        for codecs in (codecs_3(name), [name], sharding):
            with pytest.raises(UnreadableImageError, match="which is not allowed"):
                read(write_array(tmp_path, b"", version=3, codecs=codecs))

    @pytest.mark.parametrize("codec", ALLOWED, ids=lambda codec: f"{codec.codec_id}-{getattr(codec, 'cname', '')}")
    def test_codecs_that_only_decode_are_read(self, tmp_path, codec):
        folder = write_array(tmp_path / "a.zarr", codec.encode(PLANE), compressor=codec.get_config())
        np.testing.assert_array_equal(read(folder).pixels[0], PLANE)

    @pytest.mark.parametrize("code", FILTERS, ids=lambda code: code.codec_id)
    def test_filters_that_only_decode_are_read(self, tmp_path, code):
        compressor = numcodecs.Zlib()
        chunk = compressor.encode(code.encode(PLANE))
        changes = {"filters": [code.get_config()], "compressor": compressor.get_config()}
        np.testing.assert_array_equal(read(write_array(tmp_path, chunk, **changes)).pixels[0], PLANE)

    @pytest.mark.parametrize(
        "kind", ["|O", "<M8[ns]", "<U4", "|S2", "|V4", "<c8", "<f16", "u2,u2", [["a", "<u2"]], None, "?!"]
    )
    def test_values_that_are_not_numbers_are_refused(self, tmp_path, kind):
        with pytest.raises(UnreadableImageError, match="are not supported; save real numbers of at most 64 bits"):
            read(write_array(tmp_path, b"", dtype=kind))

    def test_a_filter_that_makes_objects_is_refused(self, tmp_path):
        code = {"id": "astype", "encode_dtype": "<u2", "decode_dtype": "|O"}
        with pytest.raises(UnreadableImageError, match=r"type \|O are not supported"):
            read(write_array(tmp_path, PLANE.tobytes(), filters=[code]))


class TestSizes:
    @pytest.mark.parametrize(
        "codec",
        [numcodecs.Zlib(9), numcodecs.GZip(9), numcodecs.BZ2(), numcodecs.LZMA(preset=0), numcodecs.Zstd(),
         numcodecs.LZ4(), numcodecs.Blosc("zstd")],
        ids=lambda codec: codec.codec_id,
    )  # fmt: skip
    def test_a_chunk_is_not_unpacked_beyond_its_size(self, tmp_path, codec):
        bomb = codec.encode(bytes(100_000_000))
        folder = write_array(tmp_path / "a.zarr", bomb, compressor=codec.get_config())
        tracemalloc.start()
        with pytest.raises(UnreadableImageError, match=r"chunk 0/0 of the array 'a\.zarr' cannot be decoded .* 8192"):
            read(folder)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10_000_000

    def test_a_short_bomb_is_not_unpacked(self, tmp_path):
        folder = write_array(tmp_path, zlib.compress(bytes(60_000_000), 9)[:60_000], compressor={"id": "zlib"})
        with pytest.raises(UnreadableImageError, match=r"unpacks to .* for a chunk of 8192"):
            read(folder)

    @pytest.mark.parametrize("size", [-1, -(2**31), 2**31 - 1, 8193])
    def test_a_blosc_header_with_another_size_is_refused(self, tmp_path, size):
        chunk = bytearray(numcodecs.Blosc("lz4").encode(PLANE))
        chunk[4:8] = size.to_bytes(4, "little", signed=True)
        with pytest.raises(UnreadableImageError, match=f"unpacks to {size} bytes, for a chunk of 8192"):
            read(write_array(tmp_path, bytes(chunk), compressor={"id": "blosc"}))

    def test_every_damaged_byte_of_a_blosc_header_gives_an_image_or_the_permitted_error(self, tmp_path):
        chunk = numcodecs.Blosc("lz4").encode(PLANE)
        folder = write_array(tmp_path, chunk, compressor={"id": "blosc"})
        for place in range(16):
            for value in (0, 1, 127, 128, 255):
                (folder / "0.0").write_bytes(chunk[:place] + bytes([value]) + chunk[place + 1 :])
                try:
                    assert read(folder).pixels.shape == (1, 64, 64)
                except UnreadableImageError as error:
                    assert "chunk 0/0" in error.reason  # noqa: PT017  both outcomes are permitted

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("shape", [[40, 6_999_990], [10**6, 10**6], [2**40, 2**20], [64, 2**31]])
    def test_a_huge_array_without_chunks_is_refused_at_once(self, tmp_path, shape, version):
        start = time.monotonic()
        folder = write_array(tmp_path, PLANE.tobytes(), version=version, shape=shape)
        for function in (read, open_image):
            with pytest.raises(UnreadableImageError, match=r"only 1 of \d+ files of chunks exist; copy .* crop it"):
                function(folder)
        assert time.monotonic() - start < 5

    def test_an_array_of_which_a_small_part_exists_is_read(self, tmp_path):
        write_zarr_array(tmp_path / "a.zarr", np.zeros((200, 300), "u1"), chunks=(1, 1))
        for row in range(60):
            (tmp_path / "a.zarr" / "0").mkdir(exist_ok=True)
            (tmp_path / "a.zarr" / "0" / str(row)).write_bytes(numcodecs.Blosc("lz4").encode(b"\7"))
        assert read(tmp_path / "a.zarr").pixels.sum() == 420

    @pytest.mark.parametrize("version", VERSIONS)
    def test_chunks_far_larger_than_the_array_are_refused(self, tmp_path, version):
        chunks = {
            "chunks": [2**20, 2**20],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**20] * 2}},
        }
        with pytest.raises(UnreadableImageError, match="chunks have the shape 1048576 × 1048576"):
            read(write_array(tmp_path, PLANE.tobytes(), version=version, **chunks))

    def test_a_large_chunk_in_a_small_file_is_refused(self, tmp_path):
        shape = {"shape": [2**16, 2**16], "chunks": [2**16, 2**16]}
        folder = write_array(tmp_path, zlib.compress(bytes(1000)), compressor={"id": "zlib"}, **shape)
        with (
            open_image(folder) as image,
            pytest.raises(UnreadableImageError, match="too few for a chunk of 8589934592"),
        ):
            image.window((), slice(0, 9), slice(0, 9))

    @pytest.mark.parametrize(
        "changes",
        [{"shape": [-64, 64]}, {"shape": [64.0, 64]}, {"shape": "64"}, {"chunks": [0, 64]}, {"chunks": [64]},
         {"chunks": [True, 64]}, {"shape": [2**70, 64]}, {"dimension_separator": "/../"}, {"order": "A"},
         {"filters": 5}, {"compressor": "zlib"}],
        ids=str,
    )  # fmt: skip
    def test_metadata_of_a_wrong_kind_are_refused(self, tmp_path, changes):
        with pytest.raises(UnreadableImageError):
            read(write_array(tmp_path, PLANE.tobytes(), **changes))

    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_missing_chunk_has_the_fill_value(self, tmp_path, version):
        for number, value in enumerate((0, 7, None) if version == 2 else (0, 7)):
            folder = write_array(tmp_path / str(number), None, version=version, fill_value=value)
            assert (read(folder).pixels == (value or 0)).all()


@pytest.mark.skipif(not IS_3, reason="zarr 2 has no shards")
class TestShards:
    @pytest.fixture
    def folder(self, tmp_path):
        stored = zarr.create_array(
            str(tmp_path / "a.zarr"), shape=(64, 64), shards=(32, 32), chunks=(8, 8), dtype="uint16", fill_value=3
        )
        stored[:40, :40] = PLANE[:40, :40]
        return tmp_path / "a.zarr"

    def test_shards_are_read_with_their_missing_chunks(self, folder):
        expected = np.full((64, 64), 3)
        expected[:40, :40] = PLANE[:40, :40]
        np.testing.assert_array_equal(read(folder).pixels[0], expected)
        with open_image(folder) as image:
            np.testing.assert_array_equal(image.window((), slice(5, 50), slice(30, 45))[0], expected[5:50, 30:45])

    def test_an_index_that_points_out_of_its_shard_is_refused(self, folder):
        file = folder / "c/0/0"
        content = bytearray(file.read_bytes())
        content[-4 - 16 * 16 : -4 - 16 * 15] = (10**9).to_bytes(8, "little") * 2
        file.write_bytes(content)
        with pytest.raises(UnreadableImageError, match=r"chunk 0/0 .* places a chunk at bytes 1000000000"):
            read(folder)

    def test_a_truncated_shard_is_refused(self, folder):
        file = folder / "c/0/0"
        file.write_bytes(file.read_bytes()[:100])
        with pytest.raises(UnreadableImageError, match="the shard ends after 100 bytes"):
            read(folder)


@pytest.mark.parametrize("version", VERSIONS)
class TestPlaces:
    @pytest.fixture
    def folder(self, tmp_path, version):
        write_ome_zarr(tmp_path / "a.zarr", PLANE, version=version, chunks=(64, 64))
        write_zarr_array(tmp_path / "secret", PLANE, version=version)
        return tmp_path / "a.zarr"

    def test_only_arrays_inside_the_image_are_read(self, folder, version, tmp_path):
        (folder / "link").symlink_to(tmp_path / "secret")
        for name in (
            "../secret",
            "0/../../secret",
            str(tmp_path / "secret"),
            "link",
            "..\\secret",
            "C:\\secret",
            "//x/y",
        ):
            write_zarr_group(
                folder, {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": name}]}]}, version=version
            )
            for function in (read, read_labels, open_image):
                with pytest.raises(UnreadableImageError, match="is not inside its folder"):
                    function(folder)

    def test_links_inside_the_image_and_to_the_image_are_followed(self, folder, version, tmp_path):
        (folder / "link").symlink_to("0")
        write_zarr_group(
            folder, {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "./link"}]}]}, version=version
        )
        (tmp_path / "other.zarr").symlink_to(folder)
        np.testing.assert_array_equal(read(tmp_path / "other.zarr").pixels[0], PLANE)

    def test_a_chunk_that_is_a_link_out_of_the_image_is_refused(self, folder, version, tmp_path):
        chunk = folder / ("0/0/0" if version == 2 else "0/c/0/0")
        (tmp_path / "elsewhere").write_bytes(chunk.read_bytes())
        for target in (tmp_path / "elsewhere", "/dev/zero", tmp_path / "gone"):
            chunk.unlink()
            chunk.symlink_to(target)
            with pytest.raises(UnreadableImageError, match="is not a regular file of the image's own folder"):
                read(folder)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_refused_without_waiting(self, folder, version):
        pipe = folder / "0" / (".zattrs" if version == 2 else ".zarray")
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        with pytest.raises(UnreadableImageError, match="is not a file"):
            read(folder)


def test_the_only_image_of_a_converted_file_must_be_inside_it(tmp_path):
    write_ome_zarr(tmp_path / "secret", PLANE)
    write_zarr_group(tmp_path / "a.zarr", {"bioformats2raw.layout": 3})
    (tmp_path / "a.zarr" / "0").symlink_to(tmp_path / "secret")
    with pytest.raises(UnreadableImageError, match="is not inside its folder"):
        read(tmp_path / "a.zarr")


def test_a_list_of_countless_resolutions_is_refused(tmp_path):
    write_ome_zarr(tmp_path / "a.zarr", PLANE)
    write_zarr_group(
        tmp_path / "a.zarr", {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}] * 100_000}]}
    )
    with pytest.raises(UnreadableImageError, match="lists 100000 resolutions, expected at most 100"):
        read(tmp_path / "a.zarr")


def test_a_folder_whose_name_looks_like_an_address_is_read_from_disk(tmp_path):
    write_ome_zarr(tmp_path / "a.zarr", PLANE)
    (tmp_path / "a.zarr").rename(tmp_path / "memory::a.zarr")
    np.testing.assert_array_equal(read(tmp_path / "memory::a.zarr").pixels[0], PLANE)
