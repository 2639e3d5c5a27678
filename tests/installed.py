"""An environment in which the package comes from a wheel alone, and its dependencies from the environment of tests."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the package.

    Args:
        folder: the virtual environment.
        here: working directory of the commands that run in it, without a checkout.
    """

    folder: Path
    here: Path

    @property
    def scripts(self) -> Path:
        """The folder of the Python interpreter and of the commands."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def packages(self) -> Path:
        """The folder of the installed packages."""
        (found,) = self.folder.rglob("site-packages")
        return found

    def run(self, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment, such as `cellseg`, and check its exit code."""
        program, *rest = map(str, words)
        done = subprocess.run(
            [str(self.scripts / program), *rest],
            cwd=self.here,
            env=variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{words}:\n{done.stdout}\n{done.stderr}"
        return done

    def bundle_run(self, workflow: str, config: Path, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run a workflow of a bundle by `python -m monai.bundle run`."""
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        return self.run("python", "-m", "monai.bundle", "run", workflow, "--config_file", config, *words)


def variables() -> dict[str, str]:
    """Return the environment variables without those that would add packages from elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return kept | {"PYTHONNOUSERSITE": "1"}


def install(wheel: Path, folder: Path, here: Path) -> Environment:
    """Make a new environment, and install a wheel in it without its dependencies, which a path file adds.

    Path files in an added folder are not read, so an editable install of the package there has no effect.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    environment = Environment(folder, here)
    python = str(environment.scripts / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet"]
    # Before the dependencies are added: pip would otherwise find the package among them.
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, env=variables())
    added = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (environment.packages / "dependencies.pth").write_text("\n".join(added) + "\n", encoding="utf-8")
    return environment
