"""A process that trains parts: `python -m bnjax.lab.launch.worker [FOLDER]`.

With a part's folder it trains that one. Without, it reads folders from its
standard input, one a line, and answers each with a line of JSON; it stops when
the input ends, in the middle of a part too, from where it can go on.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from bnjax.lab import signals
from bnjax.lab.errors import UserError
from bnjax.lab.launch.parts import STOPPED, Status, read_part, write_status


def train(
  folder: Path,
  data_dir: str | None = None,
  tick: Callable[[], None] = lambda: None,
) -> Status:
  """Trains or resumes a part; returns, and records, how it ended."""
  # Not before: what starts workers does without a device.
  from bnjax.lab import experiment

  try:
    config, networks = read_part(folder)
    experiment.run(
      config,
      folder / "run",
      data_dir=data_dir,
      networks=networks,
      report_progress=lambda progress: tick(),
    )
    status = Status("done")
  except signals.Preempted as stop:
    status = Status("stopped", str(stop))
  except UserError as error:
    status = Status("failed", str(error))
  except Exception as error:
    sys.excepthook(*sys.exc_info())  # the whole of it, in the log
    first = (str(error).strip() or "no message").splitlines()[0]
    status = Status("failed", f"{type(error).__name__}: {first}")
  write_status(folder, status)
  return status


def _serve(answers: IO[str]) -> int:
  """Trains the parts whose folders standard input names."""
  folders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
  busy = threading.Event()

  def listen() -> None:
    for line in sys.stdin:
      folders.put(line.strip())
    folders.put(None)
    if busy.is_set():  # nobody is left to train for
      os.kill(os.getpid(), signal.SIGTERM)

  threading.Thread(target=listen, daemon=True).start()
  while folder := folders.get():
    busy.set()
    status = train(Path(folder), os.environ.get("BNJAX_SWEEP_DATA_DIR"))
    busy.clear()
    answer: dict[str, Any] = {"folder": folder, **status._asdict()}
    print(json.dumps(answer), file=answers, flush=True)
    if status.state == "stopped":
      return STOPPED
  return 0


def main(arguments: list[str]) -> int:
  """Runs the worker; returns its exit status."""
  signals.take()
  # Slurm sends it to every process of a job; submitit's is the one that acts.
  signal.signal(signal.SIGUSR2, signal.SIG_IGN)
  # What anything prints goes to the log, beside the errors.
  answers = os.fdopen(os.dup(1), "w")
  os.dup2(2, 1)
  from bnjax.lab.experiment.compilation import use_compilation_cache

  use_compilation_cache()
  if not arguments:
    return _serve(answers)
  status = train(Path(arguments[0]), os.environ.get("BNJAX_SWEEP_DATA_DIR"))
  if status.error:
    print(f"{status.state}: {status.error}", file=sys.stderr)
  return {"done": 0, "stopped": STOPPED}.get(status.state, 1)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
