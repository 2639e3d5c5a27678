"""Label images of any program scored under named, published protocols. No torch in here.

>>> import numpy as np
>>> protocol = find_protocol("stardist")
>>> images = [protocol.count(np.array([[4, 4, 0, 8]]), np.array([[2, 2, 2, 0]]))]  # prediction, truth
>>> round(protocol.results(images)["f1"].value, 4)
0.6667
"""

from cellseg_monai.evaluation.folders import EvaluatedImage, Evaluation, evaluate_folders
from cellseg_monai.evaluation.pairs import FilePair, pair_files
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol, Score, ScoreResult
from cellseg_monai.evaluation.protocols import PROTOCOLS, find_protocol
from cellseg_monai.evaluation.results import format_results, summary, write_results

__all__ = [
    "PROTOCOLS",
    "EvaluatedImage",
    "Evaluation",
    "FilePair",
    "ImageCounts",
    "Protocol",
    "Score",
    "ScoreResult",
    "evaluate_folders",
    "find_protocol",
    "format_results",
    "pair_files",
    "summary",
    "write_results",
]
