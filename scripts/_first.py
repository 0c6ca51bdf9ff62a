"""Import this first: Ctrl-C and SIGTERM end a script while others are imported.

Python's own `KeyboardInterrupt` is lost where a library takes it for an error.
From `bnjax.lab.usage.run` on, `bnjax.lab.signals` answers.
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
