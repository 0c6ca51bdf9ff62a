"""Trains parts as a Slurm job array, through submitit.

submitit pickles the job it submits, a folder's name and no more, into the
sweep's `slurm` folder, and its own process on the node reads that back.
Nothing else is pickled: a part is JSON, and so are its results.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.launch.launcher import Ended, Launcher
from bnjax.lab.launch.local import environment
from bnjax.lab.launch.parts import STOPPED, Part, Status, read_status

_PATIENCE = 600  # seconds: longer than clusters wait before they kill
_ENDED = {
  "BOOT_FAIL",
  "CANCELLED",
  "COMPLETED",
  "DEADLINE",
  "FAILED",
  "NODE_FAIL",
  "OUT_OF_MEMORY",
  "PREEMPTED",
  "REVOKED",
  "TIMEOUT",
}
_LOST = 15  # seconds that a queue has a job no longer, before it is given up


class Options(NamedTuple):
  """What to ask Slurm for."""

  # minutes; a job that takes longer saves and is queued again
  timeout: int = 60
  partition: str = ""  # name; the cluster's default if empty
  gpus: int = 0  # for each job
  cpus: int = 0  # cores for each job; the cluster's default if 0
  at_once: int = 256  # jobs at a time, at most
  requeues: int = 100  # how often a job may run into its timeout
  poll_seconds: float = 5.0  # between looks at the queue


class Job:
  """What runs on a node: a worker process for one part."""

  def __init__(self, folder: str, data_dir: str | None):
    self.folder = folder
    self.data_dir = data_dir
    self._process: subprocess.Popen[bytes] | None = None

  def __call__(self) -> int:
    """Trains the part; its exit status."""
    self._process = subprocess.Popen(
      [sys.executable, "-m", "bnjax.lab.launch.worker", self.folder],
      env=environment(self.data_dir),
    )
    status = self._process.wait()
    if status in (STOPPED, -signal.SIGTERM):  # the latter: still importing
      # Slurm told all of the job to stop, and the worker has. What follows is
      # submitit's signal, which queues the job again, or the end.
      time.sleep(_PATIENCE)
    return status

  def checkpoint(self) -> Any:
    """Called by submitit before the job is ended: saves, to be queued again."""
    import submitit

    process = self._process
    if process is not None and process.returncode is None:
      # Not `process.wait`: this is called in the middle of it, by a signal.
      with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(process.pid, signal.SIGTERM)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    (Path(self.folder) / "status.json").unlink(missing_ok=True)
    return submitit.helpers.DelayedSubmission(Job(self.folder, self.data_dir))


class Slurm(Launcher):
  """Trains parts as a Slurm job array, a task for each part.

  `stop` leaves jobs to Slurm: the same command collects what they find.
  """

  def __init__(self, workdir: Path, options: Options, data_dir: str | None):
    """Looks for Slurm."""
    try:
      import submitit  # noqa: F401
    except ImportError:
      raise UserError(
        "--launcher=slurm: needs submitit: pip install 'bnjax[lab]'"
      ) from None
    self._folder = (workdir / "slurm").absolute()
    self._options = options
    self._data_dir = data_dir
    self._jobs: dict[str, Part] = {}
    self._missed: dict[str, float] = {}  # since when
    self._queue()

  def start(self, parts: Sequence[Part], tick: Callable[[], None]) -> None:
    """Submits the parts that are not in the queue from an earlier run."""
    del tick  # `ended` returns soon
    queued = self._queue()
    fresh = []
    for part in parts:
      job = _job_of(part)
      if job in queued:
        self._jobs[job] = part
      else:
        fresh.append(part)
    if fresh:
      self._submit(fresh)

  def ended(self, seconds: float) -> Iterator[Ended]:
    """Waits for that long or until the next look; yields parts that ended."""
    time.sleep(max(seconds, self._options.poll_seconds))
    queued = self._queue()
    for job, part in list(self._jobs.items()):
      status = read_status(part.folder)
      waits = status is None or status.state == "stopped"
      if waits and job in queued:
        self._missed.pop(job, None)
        continue
      if waits:
        # A shared file system may show its files late.
        since = self._missed.setdefault(job, time.monotonic())
        if time.monotonic() - since < _LOST:
          continue
      del self._jobs[job]
      yield Ended(part, status or Status("failed", self._lost(job)))

  def running(self) -> list[Part]:
    """The parts that are queued or being trained."""
    return list(self._jobs.values())

  def hint(self) -> str:
    """Printed after Ctrl-C: that jobs go on, and how to end them."""
    arrays = sorted({job.partition("_")[0] for job in self._jobs})
    if not arrays:
      return ""
    return f"; its jobs go on, to end them: scancel {' '.join(arrays)}"

  def _submit(self, parts: Sequence[Part]) -> None:
    import submitit

    options = self._options
    executor = submitit.AutoExecutor(
      self._folder, cluster="slurm", slurm_max_num_timeout=options.requeues
    )
    path = environment(None)["PYTHONPATH"]
    asked: dict[str, Any] = {
      "name": "bnjax-sweep",
      "timeout_min": options.timeout,
      "slurm_array_parallelism": options.at_once,
      "slurm_setup": [f"export PYTHONPATH={shlex.quote(path)}"],
    }
    if options.partition:
      asked["slurm_partition"] = options.partition
    if options.gpus:
      asked["gpus_per_node"] = options.gpus
    if options.cpus:
      asked["cpus_per_task"] = options.cpus
      # srun does not take it over from sbatch.
      asked["slurm_srun_args"] = [f"--cpus-per-task={options.cpus}"]
    executor.update_parameters(**asked)
    jobs = [Job(str(p.folder.absolute()), self._data_dir) for p in parts]
    try:
      submitted = executor.submit_array(jobs)
    except (subprocess.CalledProcessError, RuntimeError) as error:
      raise UserError(f"--launcher=slurm: {_said(error)}") from None
    for part, job in zip(parts, submitted, strict=True):
      self._jobs[job.job_id] = part
      results.write_json(part.folder / "job.json", {"job": job.job_id})

  def _lost(self, job: str) -> str:
    log = self._folder / f"{job}_0_log.err"
    return (
      f"Slurm job {job} ended without a result (killed, or its node failed); "
      f"see {log}"
    )

  def _queue(self) -> set[str]:
    """Ids of the jobs that have not ended, as submitit names them."""
    # Of all states: by itself squeue may lack a job that is being requeued.
    command = ["squeue", "--noheader", "--array", "--me", "--states=all"]
    command += ["--format=%i %T"]
    try:
      found = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        start_new_session=True,  # Ctrl-C is for us
      )
    except FileNotFoundError:
      raise UserError(
        "--launcher=slurm: there is no Slurm here (no squeue in PATH); "
        "use --launcher=local"
      ) from None
    except subprocess.CalledProcessError as error:
      raise UserError(f"--launcher=slurm: {_said(error)}") from None
    except subprocess.TimeoutExpired:  # a busy controller: look again later
      return set(self._jobs)
    jobs = [line.split() for line in found.stdout.splitlines() if line.strip()]
    return {job for job, *state in jobs if not _ENDED & {*state}}


def _job_of(part: Part) -> str:
  try:
    return str(results.read_json(part.folder / "job.json")["job"])
  except (OSError, ValueError, KeyError):
    return ""


def _said(error: Exception) -> str:
  """A command's error message in one line."""
  text = getattr(error, "stderr", None) or str(error)
  if isinstance(text, bytes):
    text = text.decode(errors="replace")
  return " ".join(str(text).split()) or "Slurm refuses"
