"""What is compared: bundles with their variants, as `unet+two_classes` names them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from cellseg_monai.bundle import check_overrides, check_variants, find_bundles
from cellseg_monai.errors import BundleError

__all__ = ["Run", "find_runs"]

# What `compare` itself says to each training: `--output` leads to output_dir, and so on.
_SET_HERE = ("bundle_root", "dataset_dir", "name", "output_dir", "resume", "variants")


@dataclass(frozen=True)
class Run:
    """A bundle, perhaps with variants laid over its `train.json`.

    Args:
        folder: the bundle's.
        variants: their names, the later over the earlier.

    >>> Run(Path("bundles/unet"), ("two_classes", "no_augmentation")).name
    'unet+two_classes+no_augmentation'
    """

    folder: Path
    variants: tuple[str, ...] = ()

    @property
    def bundle(self) -> str:
        """The bundle's name."""
        return self.folder.name

    @property
    def name(self) -> str:
        """As it is named on the command line, and as its folder is called."""
        return "+".join((self.bundle, *self.variants))

    @property
    def config_files(self) -> list[Path]:
        """What its training is configured by: `train.json`, then the variants."""
        configs = self.folder / "configs"
        return [configs / "train.json", *(configs / "variants" / f"{name}.json" for name in self.variants)]


def find_runs(
    names: str | Iterable[str], knobs: Mapping[str, Any], *, bundles_dir: str | Path = "bundles"
) -> list[Run]:
    """The runs of these names, when all of them are there and know all knobs.

    Args:
        names: such as "unet,unet+two_classes", or a list of such names.
        knobs: what is overridden in every training, by name.
        bundles_dir: the folder of the bundles.

    Raises:
        BundleError: lists every unknown bundle, variant and knob, every name that comes twice, and variants that undo
            one another.
    """
    listed = [names] if isinstance(names, str) else list(names)
    wanted = [name.strip() for text in listed for name in str(text).split(",") if name.strip()]
    if not wanted:
        raise BundleError('no runs came; name some, such as --bundles "unet,unet+two_classes"')
    bundles = {folder.name: folder.absolute() for folder in find_bundles(bundles_dir)}
    runs, faults = [], [f"{name!r} is named twice; once is enough" for name in wanted if wanted.count(name) > 1]
    for name in dict.fromkeys(wanted):
        bundle, *variants = name.split("+")
        if bundle not in bundles:
            faults.append(_unknown(f"no bundle {bundle!r}", bundle, sorted(bundles)))
            continue
        run = Run(bundles[bundle], tuple(variants))
        known = sorted(path.stem for path in (run.folder / "configs" / "variants").glob("*.json"))
        unknown = [_unknown(f"{bundle} has no variant {each!r}", each, known) for each in variants if each not in known]
        faults += unknown
        if not unknown:
            runs.append(run)
            faults += _variant_faults(run)
    faults += _knob_faults(runs, knobs)
    if faults:
        raise BundleError("\n".join(dict.fromkeys(faults)))
    return runs


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{what}; {meant}known: {', '.join(known) or 'none'}"


def _variant_faults(run: Run) -> list[str]:
    try:
        check_variants(run.config_files)
    except BundleError as error:
        return [f"{run.name}: {line}" for line in str(error).splitlines()]
    return []


def _knob_faults(runs: Sequence[Run], knobs: Mapping[str, Any]) -> list[str]:
    """Each fault once, with the runs that have it."""
    faults = [f"--{name} is set by the comparison itself; leave it away" for name in knobs if name in _SET_HERE]
    unknown: dict[str, list[str]] = {}
    for run in runs:
        config = ConfigParser.load_config_files([str(path) for path in run.config_files])
        try:
            check_overrides((name for name in knobs if name not in _SET_HERE), config)
        except BundleError as error:
            for line in str(error).splitlines():
                unknown.setdefault(line, []).append(run.name)
    return faults + [f"{line} ({', '.join(names)})" for line, names in unknown.items()]
