"""From images to objects: cutting images into tiles, running the network, and writing the results."""

from cellseg_monai.inference.choices import choice_text
from cellseg_monai.inference.dry_run import misfits, seconds_a_px, settings_text, understood
from cellseg_monai.inference.fingerprint import about_job, differences
from cellseg_monai.inference.inputs import ImageFile, find_images
from cellseg_monai.inference.job import Job, Reading
from cellseg_monai.inference.memory import within_memory
from cellseg_monai.inference.outcomes import Done, Failed
from cellseg_monai.inference.output_files import check_output_files
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.plane import Plane, objects_of, prepared_plane, segment_plane
from cellseg_monai.inference.results import ImageResults
from cellseg_monai.inference.run_folder import RunFolder
from cellseg_monai.inference.run_record import RunRecord, has_run, images_of, read_run
from cellseg_monai.inference.scouted import Chooser, ScoutedPipelines, choose_for_planes
from cellseg_monai.inference.stages import Stages
from cellseg_monai.inference.symmetries import over_symmetries
from cellseg_monai.inference.tiled import Network, Read, Tiles, predict, predict_windows

__all__ = [
    "Chooser",
    "Done",
    "Failed",
    "ImageFile",
    "ImageResults",
    "Job",
    "Network",
    "Pipeline",
    "Plane",
    "Read",
    "Reading",
    "RunFolder",
    "RunRecord",
    "ScoutedPipelines",
    "Stages",
    "TiledInferer",
    "Tiles",
    "about_job",
    "check_output_files",
    "choice_text",
    "choose_for_planes",
    "differences",
    "find_images",
    "has_run",
    "images_of",
    "misfits",
    "objects_of",
    "over_symmetries",
    "predict",
    "predict_windows",
    "prepared_plane",
    "read_run",
    "seconds_a_px",
    "segment_plane",
    "settings_text",
    "understood",
    "within_memory",
]


def __getattr__(name: str) -> object:
    # Imported on demand because it needs torch. Everything else also works for other networks without torch installed.
    if name == "TiledInferer":
        from cellseg_monai.inference.inferer import TiledInferer

        return TiledInferer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
