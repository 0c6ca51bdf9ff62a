"""Tests on a real Slurm; skipped, with the reason, where there is none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def _why_not():
  if shutil.which("sbatch") is None:
    return "no Slurm: there is no sbatch in PATH"
  try:
    found = subprocess.run(
      ["sinfo", "--noheader", "--format=%T"],
      capture_output=True,
      text=True,
      timeout=20,
    )
  except subprocess.TimeoutExpired:
    return "no Slurm: sinfo does not answer"
  if found.returncode:
    return f"no Slurm: {' '.join(found.stderr.split()) or 'sinfo fails'}"
  states = set(found.stdout.split())
  if not states & {"idle", "mixed", "allocated", "mix", "alloc"}:
    return f"no Slurm: its nodes are {', '.join(sorted(states)) or 'none'}"
  return ""


@pytest.fixture(scope="session", autouse=True)
def _needs_slurm():
  if reason := _why_not():
    pytest.skip(reason)


@pytest.fixture
def run_script():
  """Runs a script of the project as a user does, on CPUs."""
  path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
  environ = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}

  def run(*command, timeout=300):
    return subprocess.run(
      [str(part) for part in command],
      cwd=ROOT,
      env=environ,
      capture_output=True,
      text=True,
      timeout=timeout,
    )

  return run
