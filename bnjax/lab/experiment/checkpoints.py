"""Checkpoints of a run: arrays and where it stood, kept by orbax.

Only arrays and JSON are read back: nothing is unpickled or evaluated. Each
checkpoint holds a digest of its arrays, so that a truncated or damaged one is
known as such, and the one before it is taken.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.errors import UserError

_KEEP = 2  # the newest, and one to fall back to


class Checkpoint(NamedTuple):
  """What a run needs to go on.

  Attributes:
    arrays: by name.
    position: where the run stood, as JSON.
  """

  arrays: dict[str, np.ndarray]
  position: dict[str, Any]


class Checkpoints:
  """The checkpoints in a directory, written and read by this process alone.

  Args:
    directory: made with the first checkpoint.
  """

  def __init__(self, directory: Path):
    self._directory = directory.absolute()
    self._open: Any = None  # orbax's manager: imported when it is needed

  def save(self, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint beside the last one and removes older ones.

    Raises:
      UserError: it cannot be written; the earlier ones are as they were.
    """
    arrays, position = checkpoint
    position = {**position, "digest": _digest(arrays)}
    try:
      manager, ocp = self._manager()
      number = (manager.latest_step() or 0) + 1
      manager.save(
        number,
        args=ocp.args.Composite(
          arrays=ocp.args.StandardSave(arrays),
          position=ocp.args.JsonSave(position),
        ),
      )
      manager.wait_until_finished()
    except Exception as error:  # orbax passes on what its parts raise
      self._remove_unfinished()
      raise UserError(
        f"--workdir: cannot write a checkpoint to {self._directory}: "
        f"{_reason(error)}; the one before it is as it was, and the same "
        "command goes on from there"
      ) from error

  def restore(self, notify: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole; None where there is none.

    Damaged ones are removed.

    Args:
      notify: is told, in a line, of each damaged one.
    """
    if not self._directory.is_dir():
      return None
    self._remove_unfinished()
    for path in sorted(self._folders(), key=lambda p: -int(p.name)):
      try:
        return self._read(int(path.name))
      except Exception as error:  # whatever a damaged file leads to
        notify(
          f"checkpoint {path} is damaged ({_reason(error)}): taking the one "
          "before it"
        )
        shutil.rmtree(path)
        self._open = None  # it had read the folder's list
    return None

  def remove(self) -> None:
    """Removes all checkpoints."""
    self._open = None
    shutil.rmtree(self._directory, ignore_errors=True)

  def _read(self, number: int) -> Checkpoint:
    manager, ocp = self._manager()
    found = manager.restore(
      number,
      args=ocp.args.Composite(
        arrays=ocp.args.StandardRestore(), position=ocp.args.JsonRestore()
      ),
    )
    arrays = {name: np.asarray(x) for name, x in found["arrays"].items()}
    position = dict(found["position"])
    if position.pop("digest") != _digest(arrays):
      raise ValueError("its arrays are not those that were written")
    return Checkpoint(arrays, position)

  def _folders(self) -> list[Path]:
    return [p for p in self._directory.iterdir() if p.name.isdigit()]

  def _remove_unfinished(self) -> None:
    """What a killed or failed save left."""
    if not self._directory.is_dir():
      return
    for path in self._directory.iterdir():
      if path.is_dir() and not path.name.isdigit():
        shutil.rmtree(path, ignore_errors=True)

  def _manager(self) -> tuple[Any, Any]:
    import jax
    import orbax.checkpoint as ocp

    if self._open is None:
      me = jax.process_index()  # the only process that reads and writes
      self._directory.mkdir(parents=True, exist_ok=True)
      self._open = ocp.CheckpointManager(
        self._directory,
        options=ocp.CheckpointManagerOptions(
          max_to_keep=_KEEP,
          enable_async_checkpointing=False,
          create=False,
          multiprocessing_options=ocp.options.MultiprocessingOptions(
            primary_host=me,
            active_processes={me},
            barrier_sync_key_prefix="checkpoints",
          ),
        ),
      )
    return self._open, ocp


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
  total = hashlib.sha256()
  for name in sorted(arrays):
    array = np.ascontiguousarray(arrays[name])
    total.update(json.dumps([name, str(array.dtype), array.shape]).encode())
    total.update(array.tobytes())
  return total.hexdigest()


def _reason(error: Exception) -> str:
  """An error in a line: the system's words where there are any."""
  cause: BaseException | None = error
  while cause is not None:
    if isinstance(cause, OSError) and cause.strerror:
      return cause.strerror
    cause = cause.__cause__ or cause.__context__
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return lines[0][:200]
