"""A cluster writes the files of a single process, even if workers die, or names the place of a failure."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import http.client
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellseg_monai import cli
from cellseg_monai.decoding import BoundaryWatershed, Postprocessing
from cellseg_monai.inference import Failed, ImageFile, Job, Pipeline, RunRecord, Tiles
from cellseg_monai.pixels import Preprocessing

dask = pytest.importorskip("dask", reason="Dask is in the extra `cluster`")
distributed = pytest.importorskip("distributed", reason="Dask is in the extra `cluster`")

from cellseg_monai.inference.cluster.cluster_job import ClusterJob, on_cluster  # noqa: E402
from cellseg_monai.inference.cluster.workers import _connected, open_cluster  # noqa: E402
from tests.raw_head import RawHead  # noqa: E402

MARGIN_PX = 33
SETTINGS = Postprocessing(BoundaryWatershed(boundary_threshold=0.5), threshold=0.5, min_area_px=4)


def blurred(batch):
    """Predict foreground where the surroundings are bright, and a boundary where they are of medium brightness."""
    padded = np.pad(batch[:, 0], [(0, 0), (2, 2), (2, 2)], mode="edge")
    mean = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2)).mean((-2, -1))
    return np.stack([mean, 1 - np.abs(2 * mean - 1)], axis=1).astype(np.float32)


def slow(batch):
    """Leave time to kill a worker."""
    time.sleep(0.05)
    return blurred(batch)


def failing(batch):
    """Fail on the brightest tile by a fault of the program."""
    if (batch == 1).any():
        raise ZeroDivisionError("a slip of ours")
    return blurred(batch)


def refusing(batch):
    """Refuse the brightest tile."""
    if (batch == 1).any():
        raise ValueError("too bright")
    return blurred(batch)


def deadly(batch):
    """Kill the process that sees the brightest tile."""
    if (batch == 1).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return blurred(batch)


@dataclass(frozen=True)
class Load:
    """Loads a pipeline that needs no torch, in any process."""

    sha256: str = "0" * 64
    network: Callable[[np.ndarray], np.ndarray] = blurred

    def __call__(self):
        return Pipeline(
            bundle="blurred",
            version="1",
            weights_sha256=self.sha256,
            network=self.network,
            head=RawHead(("foreground", "boundary")),
            preprocess=Preprocessing(noise_floor=0),
            postprocess=SETTINGS,
            tiles=Tiles((64, 64), overlap=16, multiple=8, batch=3),
        )


@pytest.fixture(scope="module")
def processes():
    # On a busy machine a worker takes longer to come back than Dask waits.
    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with (
        patient,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50, memory_limit=0
        ) as started,
    ):
        yield started


@pytest.fixture
def cluster(processes):
    processes.wait_for_workers(2, timeout=60)
    with open_cluster(processes.scheduler_address) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A plane of touching blobs in tiles of 64 px, with a pixel size of 0.5 µm and a margin without data."""
    from scipy.ndimage import gaussian_filter

    pixels = gaussian_filter(np.random.default_rng(0).random((300, 420)), 5)
    path = tmp_path_factory.mktemp("plane") / "blobs.ome.tif"
    scaled = (4_000 + (pixels - pixels.min()) * 60_000 / np.ptp(pixels)).astype(np.uint16)
    scaled[:, :MARGIN_PX] = 0
    tifffile.imwrite(
        path,
        scaled,
        tile=(64, 64),
        compression="zlib",
        metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )
    return path


def job_of(pipeline, output, **settings):
    return Job(pipeline, output, ("labels", "csv", "geojson"), large_px=1000, **settings)


def mapped(cluster, pipeline, output, load=None, **settings) -> ClusterJob:
    """Return a job on a cluster with blocks so small that many objects cross seams."""
    job = on_cluster(job_of(pipeline, output, **settings), cluster, load or Load())
    return replace(job, large=replace(job.large, chunk_px=64, block_px=128))


def results(folder: Path) -> dict[str, str]:
    """Return the digest of each file in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(job, path):
    (outcome,) = job.run([ImageFile(path)])
    assert not isinstance(outcome, Failed), outcome.reason
    return outcome


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"tta": True}, id="over symmetric views"),
        pytest.param({"preprocess": Preprocessing(noise_floor=0, pixel_size_um=0.7)}, id="at another scale"),
    ],
)
def test_files_equal_those_of_a_single_process(cluster, image, tmp_path, changes):
    pipeline = replace(Load()(), **changes)
    seen, seen_alone = [], []
    job = replace(job_of(pipeline, tmp_path / "alone"), progress=lambda px, of: seen_alone.append(px / of))
    alone = run(job, image)
    shared = run(mapped(cluster, pipeline, tmp_path / "shared", progress=lambda px, of: seen.append(px / of)), image)
    assert shared.objects == alone.objects > 50
    assert results(tmp_path / "shared") == results(tmp_path / "alone")
    (labels,) = (tmp_path / "shared").glob("*.tif")
    assert not tifffile.imread(labels)[:, :MARGIN_PX].any()
    assert len(seen) >= 10
    assert [sum(seen), sum(seen_alone)] == pytest.approx([1, 1])


def test_a_plane_without_objects_has_an_empty_table(cluster, tmp_path):
    path = tmp_path / "dark.tif"
    tifffile.imwrite(path, np.zeros((300, 420), np.uint8))
    pipeline = replace(Load()(), preprocess=Preprocessing(noise_floor=0, zoom=0.5))
    alone = run(job_of(pipeline, tmp_path / "alone"), path)
    shared = run(mapped(cluster, pipeline, tmp_path / "shared"), path)
    assert shared.objects == alone.objects == 0
    assert results(tmp_path / "shared") == results(tmp_path / "alone")


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "step", ["tiles", pytest.param("map_0", marks=SLOW), "parts", pytest.param("labels", marks=SLOW)]
)
def test_a_killed_worker_costs_only_time(processes, cluster, image, tmp_path, step):
    pipeline, load = Load()(), Load(network=slow)
    run(job_of(pipeline, tmp_path / "alone"), image)
    victim = processes.workers[0].pid
    ended = threading.Event()

    def kill():
        while not ended.is_set():
            if list((tmp_path / "shared").glob(f".unfinished/*/{step}/*")):
                os.kill(victim, signal.SIGKILL)
                return
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run(mapped(cluster, pipeline, tmp_path / "shared", load), image)
    finally:
        ended.set()
        killer.join()
    assert processes.workers[0].pid != victim
    assert results(tmp_path / "shared") == results(tmp_path / "alone")


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        pytest.param(Load(network=refusing), "too bright", id="an image that is refused"),
        pytest.param(
            Load(network=deadly), "4 workers died on this task", id="a block that kills each worker", marks=SLOW
        ),
    ],
)
def test_a_block_that_fails_is_named_and_leaves_no_files(processes, cluster, image, tmp_path, load, reason):
    pipeline = Load()()
    (outcome,) = mapped(cluster, pipeline, tmp_path, load).run([ImageFile(image)])
    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    check_names_the_brightest(outcome.reason, image)
    assert list(tmp_path.iterdir()) == []


def check_names_the_brightest(text, image):
    found = re.search(r"(.*), rows (\d+) to (\d+), columns (\d+) to (\d+): ", text)
    assert found[1] == str(image)
    top, bottom, left, right = map(int, found.groups()[1:])
    pixels = tifffile.imread(image)
    assert pixels[top : bottom + 1, left : right + 1].max() >= np.percentile(pixels, 99.9)


@pytest.mark.parametrize("large_px", [1000, 10**6], ids=["a large image", "small ones"])
def test_a_fault_of_the_program_ends_the_run_and_is_shown(cluster, image, tmp_path, large_px):
    job = replace(mapped(cluster, Load()(), tmp_path, Load(network=failing)), large_px=large_px)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a slip of ours") as raised:
        list(job.run([ImageFile(image)]))
    if large_px == 1000:
        check_names_the_brightest(str(raised.value), image)
    assert str(raised.value).startswith(str(image))
    assert list(tmp_path.iterdir()) == []


def test_stopping_early_leaves_no_call_waiting(cluster):
    ended = cluster.finished(pid_after, [(number,) for number in range(20)])
    next(ended)
    ended.close()
    assert "pending" not in {future.status for future in cluster._client.futures.values()}


def test_weights_that_differ_from_those_of_this_process_are_refused(cluster, image, tmp_path):
    (outcome,) = mapped(cluster, Load()(), tmp_path, Load(sha256="1" * 64)).run([ImageFile(image)])
    assert "111111111111" in outcome.reason
    assert "expected 000000000000" in outcome.reason


def test_each_small_image_is_segmented_by_one_worker_and_a_run_can_be_resumed(cluster, image, tmp_path):
    images = []
    for number in range(5):
        images.append(ImageFile(tmp_path / f"{number}.tif"))
        tifffile.imwrite(images[-1].path, tifffile.imread(image)[:, 20 * number : 20 * number + 200])
    images[2].path.write_bytes(images[2].path.read_bytes()[:5000])
    pipeline = Load()()
    alone = replace(job_of(pipeline, tmp_path / "alone"), large_px=10**6)
    expected = list(alone.run(images))
    shared = on_cluster(replace(alone, output=tmp_path / "shared"), cluster, Load())
    record = RunRecord(shared.output, {}, {"arguments": {}})
    record.begin(images)
    outcomes = list(shared.run(images))
    for outcome in outcomes:
        record.add(outcome)
    record.finish()
    failures = [each.reason for each in expected if isinstance(each, Failed)]
    assert len(failures) == 1
    assert [each.reason for each in outcomes if isinstance(each, Failed)] == failures
    assert {name: sha for name, sha in results(shared.output).items() if name != "run.json"} == results(alone.output)
    again = RunRecord(shared.output, {}, resume=True)
    assert [image.path.stem for image in images if not again.has(image)] == ["2"]


def test_local_processes_end_with_the_work():
    pytest.importorskip("cryptography", reason="cryptography is in the extra `cluster`")
    with open_cluster("local") as opened:
        pids = set(opened.run(pid_after, range(8), named=str))
    assert pids.isdisjoint({os.getpid()})
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux lists the ports of a process there")
def test_local_processes_listen_on_this_machine_only_and_refuse_strangers():
    pytest.importorskip("cryptography", reason="cryptography is in the extra `cluster`")
    earlier = set(listening_places(os.getpid()))  # of the clusters of other tests
    with open_cluster("local", workers=2) as opened:
        pids = {os.getpid(), *opened.run(pid_after, range(8), named=str)}
        address = opened._client.scheduler.address
        listening = sorted({place for pid in parents(pids) for place in listening_places(pid)} - earlier)
        assert address.startswith("tls://127.0.0.1:")
        assert {host for host, _ in listening} == {"127.0.0.1"}
        for stranger in (address, address.replace("tls://", "tcp://")):
            with pytest.raises(OSError, match="cannot reach a Dask scheduler"), open_cluster(stranger, within_s=2):
                pass
        with pytest.raises(OSError, match=r"certificate|CERTIFICATE|Timed out"):
            _connected(address, 2, security=distributed.Security.temporary())
        assert [answer for _, port in listening if (answer := page_at(port)) not in (None, 404)] == []


def parents(pids):
    """Return the processes and their parents, which are the nannies that restart them."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return pids | {int(re.search(r"PPid:\s+(\d+)", text)[1]) for text in status} - {os.getppid()}


def listening_places(pid):
    """Return address and port of every socket on which a process listens."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(link))
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                host, port = local.split(":")
                words = bytes.fromhex(host)
                raw = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                yield socket.inet_ntop(family, raw), int(port, 16)


def page_at(port):
    """Return the status of the page that a web server shows at a port; None if no web server answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return None


def test_local_processes_without_the_means_to_encrypt_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with (
        pytest.raises(ValueError, match=r"cryptography.*pip install 'cellseg_monai\[cluster\]'"),
        open_cluster("local"),
    ):
        pass


def pid_after(_):
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nothing like an address"])
def test_an_address_that_does_not_answer_is_one_line(address):
    with (
        pytest.raises(OSError, match="cannot reach a Dask scheduler") as raised,
        open_cluster(address, within_s=0.5),
    ):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tls://127.0.0.1:1", "nothing like an address"])
def test_a_client_that_cannot_connect_is_closed_at_once(address):
    with pytest.raises((OSError, TypeError, ValueError)) as raised:
        _connected(address, 0.5)
    assert raised.traceback  # which keeps the client alive
    clients = [found for found in gc.get_objects() if type(found) is distributed.Client]
    assert {getattr(found, "status", "closed") for found in clients} <= {"closed"}


def test_a_scheduler_without_workers_is_refused():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty,
        pytest.raises(OSError, match="has no workers"),
        open_cluster(empty.scheduler_address, within_s=0.5),
    ):
        pass


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"pip install 'cellseg_monai\[cluster\]'"), open_cluster("local"):
        pass


def cellseg(monkeypatch, *words):
    """Run the command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["cellseg", *map(str, words)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.slow
def test_the_command_with_the_bundle_nuclei(processes, image, tmp_path, monkeypatch, capsys):
    """Segment two mosaics that are too large to be held, one of them with a truncated tile."""
    mosaic = np.tile(tifffile.imread(image), (10, 7))
    for name in ("mosaic.tif", "lost.tif"):
        tifffile.imwrite(tmp_path / name, mosaic, tile=(256, 256), compression="zlib")
    with tifffile.TiffFile(tmp_path / "lost.tif") as file:
        at, length = file.pages[0].dataoffsets[9], file.pages[0].databytecounts[9]
    with open(tmp_path / "lost.tif", "r+b") as file:
        file.seek(at + length // 2)
        file.write(bytes(length - length // 2))
    images = (tmp_path / "mosaic.tif", tmp_path / "lost.tif")
    settings = ("--tile", 512, "--export", "labels,csv", "--device", "cpu")
    assert cellseg(monkeypatch, "segment", *images, "--output", tmp_path / "alone", *settings) == 1
    told = capsys.readouterr().err
    shared = ("--output", tmp_path / "shared", *settings, "--dask", processes.scheduler_address)
    assert cellseg(monkeypatch, "segment", *images, *shared) == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert re.search(r"lost\.tif: tile .*row", error)
    assert error in told
    written = [results(tmp_path / name) for name in ("alone", "shared")]
    for each in written:
        each.pop("run.json")
    assert written[0] == written[1]
    assert list(written[0]) == ["mosaic.csv", "mosaic.tif"]
