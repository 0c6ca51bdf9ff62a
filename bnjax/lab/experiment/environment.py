"""Where and with what a run was made, for `environment.json`."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax

import bnjax

_IMPORTED = time.monotonic()
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def describe_environment() -> dict[str, Any]:
  """Versions, machine, devices, commit and command, ready for JSON."""
  commit, dirty = _commit()
  return {
    "python": platform.python_version(),
    "bnjax": bnjax.__version__,
    **{name: _version(name) for name in _PACKAGES},
    "platform": f"{platform.system()} {platform.machine()}",
    "cpus": os.cpu_count(),
    "devices": [d.device_kind for d in jax.devices()],
    "backend": jax.default_backend(),
    "commit": commit,
    "dirty": dirty,
    "command": " ".join([os.path.basename(sys.executable), *sys.argv]),
    "started": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
  }


def process_seconds() -> float:
  """Seconds since this process began; where unknown, since this import."""
  try:
    stat = Path("/proc/self/stat").read_text(encoding="utf-8")
    ticks = int(stat.rpartition(")")[2].split()[19])
    begun = ticks / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun
  except (OSError, ValueError, AttributeError):
    return time.monotonic() - _IMPORTED


def _version(package: str) -> str | None:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None


def _commit() -> tuple[str | None, bool | None]:
  """The checkout's commit, and whether files differ; None outside git."""
  git = lambda *words: (
    subprocess.run(
      ["git", "-C", str(Path(__file__).parent), *words],
      capture_output=True,
      text=True,
      check=True,
    ).stdout
  )
  try:
    commit = git("rev-parse", "--short=12", "HEAD").strip()
    changed = git("status", "--porcelain", "--untracked-files=no")
  except (OSError, subprocess.CalledProcessError):
    return None, None
  return commit, bool(changed)
