"""Which Slurm jobs are taken for ended, with a queue that is made up."""

import time

import pytest

from bnjax.lab.launch import slurm
from bnjax.lab.launch.slurm import Options, Slurm

pytest.importorskip("submitit", reason="submitit is not installed")


@pytest.fixture
def says(tmp_path, monkeypatch):
  """A function that sets what `squeue` prints."""
  program, printed = tmp_path / "bin" / "squeue", tmp_path / "printed"
  program.parent.mkdir()
  program.write_text(f"#!/bin/sh\ncat {printed}\n")
  program.chmod(0o755)
  monkeypatch.setenv("PATH", str(program.parent), prepend=":")
  printed.write_text("")
  return lambda *lines: printed.write_text("".join(f"{x}\n" for x in lines))


def test_a_job_that_is_queued_again_has_not_ended(says, tmp_path):
  launcher = Slurm(tmp_path, Options(), None)
  says("1 RUNNING", "2_0 PENDING", "2_1 COMPLETED", "3 REQUEUED", "4 CANCELLED")
  assert launcher._queue() == {"1", "2_0", "3"}
  says("5 COMPLETING", "6 PREEMPTED", "7 NODE_FAIL", "8 TIMEOUT")
  assert launcher._queue() == {"5"}


class Part:
  def __init__(self, folder):
    self.folder = folder


def test_a_job_is_given_up_once_it_is_missing_for_long(
  says, tmp_path, monkeypatch
):
  monkeypatch.setattr(time, "sleep", lambda seconds: None)
  now = [0.0]
  monkeypatch.setattr(time, "monotonic", lambda: now[0])
  launcher = Slurm(tmp_path, Options(), None)
  launcher._jobs["1"] = Part(tmp_path)
  look = lambda: [ended.status.state for ended in launcher.ended(0)]
  assert look() == []
  now[0] = slurm._LOST - 1
  assert look() == []
  says("1 PENDING")  # it is there again: the time counts anew
  assert look() == []
  says()
  now[0] = slurm._LOST + 1
  assert look() == []
  now[0] = 2 * slurm._LOST
  assert look() == []
  now[0] += 1
  assert look() == ["failed"]
  assert launcher.running() == []
