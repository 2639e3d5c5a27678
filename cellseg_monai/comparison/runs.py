"""Runs of a comparison: bundles with variants, known by names such as `unet+two_classes`."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from cellseg_monai.bundle import check_overrides, check_variants, find_bundles
from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.errors import BundleError
from cellseg_monai.one_line import lines

__all__ = ["Run", "find_runs"]

# Training settings that `compare` passes itself.
_SET_HERE = ("bundle_root", "dataset_dir", "name", "output_dir", "resume", "variants")


@dataclass(frozen=True)
class Run:
    """A bundle to train, optionally with variants that override its `train.json`.

    Args:
        folder: bundle folder.
        variants: names of the variants, each overriding the ones before it.

    >>> Run(Path("bundles/unet"), ("two_classes", "no_augmentation")).name
    'unet+two_classes+no_augmentation'
    """

    folder: Path
    variants: tuple[str, ...] = ()

    @property
    def bundle(self) -> str:
        """Name of the bundle."""
        return self.folder.name

    @property
    def name(self) -> str:
        """Name of the run, on the command line and as its folder."""
        return "+".join((self.bundle, *self.variants))

    @property
    def config_files(self) -> list[Path]:
        """Config files for training: `train.json`, then those of the variants."""
        configs = self.folder / "configs"
        return [configs / "train.json", *(configs / "variants" / f"{name}.json" for name in self.variants)]


def find_runs(
    names: str | Iterable[str], knobs: Mapping[str, Any], *, bundles_dir: str | Path | None = None
) -> list[Run]:
    """Find runs by name, and check that their bundles and variants exist and accept every knob.

    Args:
        names: names of the runs, such as "unet,unet+two_classes", or a list of names. The bundle can also be the path
            of a folder, such as "./mine+two_classes".
        knobs: training settings to override in every run, by name.
        bundles_dir: folder that contains the named bundles; None for the bundles that ship with this package.

    Raises:
        BundleError: a bundle, variant or knob is unknown, a name occurs twice, or variants undo each other. The
            message lists every problem.
    """
    texts = [names] if isinstance(names, str) else list(names)
    wanted = [name.strip() for text in texts for name in str(text).split(",") if name.strip()]
    if not wanted:
        raise BundleError('got no runs, expected at least one, for example --bundles "unet,unet+two_classes"')
    bundles = {folder.name: folder.absolute() for folder in find_bundles(bundles_dir)}
    runs, faults = (
        [],
        [f"{name!r} occurs more than once; list it once" for name in wanted if wanted.count(name) > 1],
    )
    for name in dict.fromkeys(wanted):
        bundle, *variants = _parts(name)
        folder = Path(bundle).absolute() if is_bundle_path(bundle) else bundles.get(bundle)
        if folder is None or not (folder / "configs" / "train.json").is_file():
            faults.append(_no_bundle(bundle, sorted(bundles)))
            continue
        run = Run(folder, tuple(variants))
        known = sorted(path.stem for path in (run.folder / "configs" / "variants").glob("*.json"))
        unknown = [
            _unknown(f"{bundle} has no variant {variant!r}", variant, known)
            for variant in variants
            if variant not in known
        ]
        faults += unknown
        if not unknown:
            runs.append(run)
            faults += _variant_faults(run)
    faults += [
        f"{one.folder} and {other.folder} would both write to {one.name}; rename one of the folders"
        for one, other in itertools.combinations(runs, 2)
        if one.name == other.name
    ]
    faults += _knob_faults(runs, knobs)
    if faults:
        raise BundleError(lines(*dict.fromkeys(faults)))
    return runs


def _parts(name: str) -> list[str]:
    """Return the bundle of a run and its variants. Folders above that of the bundle can contain "+"."""
    end = max(name.rfind(separator) for separator in (os.sep, os.altsep or os.sep)) + 1
    bundle, *variants = name[end:].split("+")
    return [name[:end] + bundle, *variants]


def _no_bundle(bundle: str, known: Sequence[str]) -> str:
    if is_bundle_path(bundle):
        return f"no bundle at {Path(bundle).absolute()}, which has no configs/train.json; pass the folder of a bundle"
    if (Path(bundle) / "configs" / "train.json").is_file():
        return f"no bundle named {bundle!r} ships with this package; to use the one in this folder, write ./{bundle}"
    return _unknown(f"no bundle named {bundle!r}", bundle, known)


def _unknown(message: str, name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    suggestion = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{message}; {suggestion}known: {', '.join(known) or 'none'}"


def _variant_faults(run: Run) -> list[str]:
    try:
        check_variants(run.config_files)
    except BundleError as error:
        return [f"{run.name}: {line}" for line in str(error).splitlines()]
    return []


def _knob_faults(runs: Sequence[Run], knobs: Mapping[str, Any]) -> list[str]:
    """Return one message per faulty knob, with the names of the runs concerned."""
    faults = [f"--{name} is set by `cellseg compare` itself; remove this flag" for name in knobs if name in _SET_HERE]
    unknown: dict[str, list[str]] = {}
    for run in runs:
        config = ConfigParser.load_config_files([str(path) for path in run.config_files])
        try:
            check_overrides((name for name in knobs if name not in _SET_HERE), config)
        except BundleError as error:
            for line in str(error).splitlines():
                unknown.setdefault(line, []).append(run.name)
    return faults + [f"{line} ({', '.join(names)})" for line, names in unknown.items()]
