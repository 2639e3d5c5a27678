"""Training tools that MONAI lacks: exact resumption, one progress bar per run, logs, and mixed precision on the CPU."""

from cellseg_monai.training.autocast import AutocastInferer, bfloat16_is_native
from cellseg_monai.training.average import WeightAverage
from cellseg_monai.training.calibration import Calibration
from cellseg_monai.training.checkpoint import Checkpoint
from cellseg_monai.training.checkpoint_file import fitted_settings, load_into, read_checkpoint, save_checkpoint
from cellseg_monai.training.checkpoint_metadata import TrainedNetwork, read_metadata, trained_network
from cellseg_monai.training.classes import ClassReport, ConfusionPictures
from cellseg_monai.training.dataset import CropSampler, PreparedDataset, share_of_process
from cellseg_monai.training.distributed import (
    distribute,
    is_writer,
    leave_process_group,
    local_device,
    start_process_group,
    wait_for_all,
)
from cellseg_monai.training.early_stop import EarlyStop
from cellseg_monai.training.encoder import FrozenEncoder, parameter_groups
from cellseg_monai.training.evaluation import EvaluationReport
from cellseg_monai.training.guards import CropGuard, DivergenceGuard, FinalValidation, FirstValidation, OneTraining
from cellseg_monai.training.history import History
from cellseg_monai.training.pretraining import (
    CollapseWarning,
    ContrastGuard,
    EncoderFile,
    InpaintingPictures,
    PretrainingLoss,
)
from cellseg_monai.training.progress import EvaluationProgress, TrainingProgress
from cellseg_monai.training.scout_results import ScoutCalibration, ScoutReport, SightingsWriter
from cellseg_monai.training.start import started_from
from cellseg_monai.training.tensorboard import TensorBoardLog, panel
from cellseg_monai.training.views import RandomViews, ScoutLoss, WholeViews

__all__ = [
    "AutocastInferer",
    "Calibration",
    "Checkpoint",
    "ClassReport",
    "CollapseWarning",
    "ConfusionPictures",
    "ContrastGuard",
    "CropGuard",
    "CropSampler",
    "DivergenceGuard",
    "EarlyStop",
    "EncoderFile",
    "EvaluationProgress",
    "EvaluationReport",
    "FinalValidation",
    "FirstValidation",
    "FrozenEncoder",
    "History",
    "InpaintingPictures",
    "OneTraining",
    "PreparedDataset",
    "PretrainingLoss",
    "RandomViews",
    "ScoutCalibration",
    "ScoutLoss",
    "ScoutReport",
    "SightingsWriter",
    "TensorBoardLog",
    "TrainedNetwork",
    "TrainingProgress",
    "WeightAverage",
    "WholeViews",
    "bfloat16_is_native",
    "distribute",
    "fitted_settings",
    "is_writer",
    "leave_process_group",
    "load_into",
    "local_device",
    "panel",
    "parameter_groups",
    "read_checkpoint",
    "read_metadata",
    "save_checkpoint",
    "share_of_process",
    "start_process_group",
    "started_from",
    "trained_network",
    "wait_for_all",
]
