import os
import time
from types import SimpleNamespace

import numpy as np

from bnjax.lab.experiment.clock import Clock


def test_a_process_has_what_it_began_with_and_one_compilation(monkeypatch):
  now = np.zeros(3)  # on the wall, in user mode, in system mode
  monkeypatch.setattr(time, "perf_counter", lambda: now[0])
  monkeypatch.setattr(
    os, "times", lambda: SimpleNamespace(user=now[1], system=now[2])
  )

  def pass_by(*seconds):
    now[:] += seconds

  clock = Clock(2, np.array([3.0, 2.0, 1.0]))
  with clock.charge("compile"):
    pass_by(10.0, 15.0, 0.5)
  pass_by(100.0, 100.0, 100.0)  # of another network's turn
  with clock.charge("train"):
    pass_by(4.0, 8.0, 0.25)
  clock.timed("input", pass_by, 50.0, 50.0, 50.0)  # not kept
  clock.timed("evaluate", pass_by, 1.0, 2.0, 0.125)
  assert clock.compile.tolist() == [10.0, 15.0, 0.5]
  # Of a part whose program was compiled for another one, in 20 seconds.
  assert clock.shares(4, np.array([20.0, 30.0, 1.0])) == {
    "compile_seconds": 5.0,
    "train_seconds": 2.0,
    "evaluate_seconds": 0.5,
    "step_seconds": 0.5,
    "process_seconds": 3.0 + 20.0 + 4.0 + 1.0,
    "process_user_seconds": 2.0 + 30.0 + 8.0 + 2.0,
    "process_system_seconds": 1.0 + 1.0 + 0.25 + 0.125,
  }
