"""Where programs begin: Ctrl-C and SIGTERM end them while others are imported.

Python's own `KeyboardInterrupt` is lost where a library takes it for an error.
From `bnjax.lab.usage.run` on, `bnjax.lab.signals` answers. In the wheel this is
`_bnjax_first`, whose functions are the commands that it installs.
"""

import os
import signal
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
  interrupted = number == signal.SIGINT
  said = "interrupted" if interrupted else "stopped as asked"
  os.write(2, f"{said} before it began; give the same command again\n".encode())
  os._exit(130 if interrupted else 75)


for _number in (signal.SIGINT, signal.SIGTERM):
  signal.signal(_number, _leave)


def train() -> None:
  """Runs `bnjax.lab.programs.train`."""
  from bnjax.lab.programs import train

  train.run()


def sweep() -> None:
  """Runs `bnjax.lab.programs.sweep`."""
  from bnjax.lab.programs import sweep

  sweep.run()


def report() -> None:
  """Runs `bnjax.lab.programs.report`."""
  from bnjax.lab.programs import report

  report.run()


def ensemble() -> None:
  """Runs `bnjax.lab.programs.ensemble`."""
  from bnjax.lab.programs import ensemble

  ensemble.run()
