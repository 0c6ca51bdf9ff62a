"""Signals to real processes that are in the middle of something else."""

import pathlib
import runpy
import signal
import subprocess
import sys
import time

import pytest

from bnjax.lab import signals

_PROGRAM = f"""
import runpy, sys, time
signals = runpy.run_path({signals.__file__!r})
take, advise, watch = (signals[name] for name in ("take", "advise", "watch"))
def busy(seconds):  # as what takes an interruption for an error of its own
  end = time.monotonic() + seconds
  while time.monotonic() < end:
    try:
      time.sleep(0.01)
    except BaseException:
      pass
take()
advise("give it again")
"""


def _run(then, *numbers):
  """What a program exits with and says, given signals once it is ready."""
  program = subprocess.Popen(
    [sys.executable, "-c", _PROGRAM + then],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert program.stdout.readline() == "ready\n"
  start = time.monotonic()
  for number in numbers:
    program.send_signal(number)
    time.sleep(0.2)
  _, said = program.communicate(timeout=60)
  return program.returncode, said, time.monotonic() - start


_NEVER = "print('ready', flush=True); busy(60)"
_STOPS = """
with watch() as asked:
  print('ready', flush=True)
  while not asked(): busy(0.1)
print('saved', file=sys.stderr)
sys.exit(signals['status']())
"""
_STUCK = "\nwith watch(grace=0.5): print('ready', flush=True); busy(60)"
_LATE = _STUCK.replace("busy(60)", "busy(0.4)") + "\nadvise('report'); busy(9)"


@pytest.mark.parametrize(
  ("program", "number", "status", "said"),
  [
    (_NEVER, signal.SIGINT, 130, "interrupted; give it again\n"),
    (_NEVER, signal.SIGTERM, 75, "stopped as asked; give it again\n"),
    (_STOPS, signal.SIGINT, 130, "saved\n"),
    (_STOPS, signal.SIGTERM, 75, "saved\n"),
    (_STUCK, signal.SIGINT, 130, "interrupted; give it again\n"),
    (_LATE, signal.SIGINT, 130, "interrupted; report\n"),
  ],
)
def test_a_signal_ends_a_program_with_a_line(program, number, status, said):
  returned, told, seconds = _run(program, number)
  assert (returned, told) == (status, said)
  assert seconds < 5


def test_a_second_one_ends_it_at_once():
  slow = _STUCK.replace("0.5", "50")
  returned, told, seconds = _run(slow, signal.SIGINT, signal.SIGINT)
  assert (returned, told) == (130, "interrupted; give it again\n")
  assert seconds < 5


def test_a_script_is_ended_from_its_first_line_on(monkeypatch):
  script = pathlib.Path(__file__).parents[2] / "scripts" / "_first.py"
  before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
  ended = []
  monkeypatch.setattr("os._exit", ended.append)
  try:
    runpy.run_path(str(script))
    for number in before:
      signal.raise_signal(number)
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
  assert ended == [130, 75]
