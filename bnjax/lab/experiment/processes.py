"""Several processes that train together, joined by `jax.distributed`."""

import contextlib
import io
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from bnjax.lab.errors import UserError
from bnjax.lab.experiment.checkpoints import Checkpoint
from bnjax.lab.train.sharding import Layout, data_mesh

_PATIENCE = 30  # seconds without a sign of life until a process counts as dead
_ROLL_CALL = 5  # seconds that processes have to say that they are there


class PeerLost(UserError):
  """Another process is gone: this one can neither go on nor end in order."""


def join(
  coordinator: str | None = None,
  count: int | None = None,
  index: int | None = None,
) -> None:
  """Joins this process to the others, if there are any.

  Under Slurm, with more than one task, nothing need be said. To be called
  before JAX is used.

  Args:
    coordinator: address and port of the first process, such as "node1:9876".
    count: how many processes there are.
    index: which this one is, from 0.

  Raises:
    UserError: some of the three are missing, or the others cannot be reached.
  """
  given = [value is not None for value in (coordinator, count, index)]
  if any(given) and not all(given):
    raise UserError(
      "--coordinator_address, --num_processes, --process_id: give all three "
      "or, under Slurm, none"
    )
  slurm = int(os.environ.get("SLURM_NTASKS", "1")) > 1
  in_step = "SLURM_STEP_ID" in os.environ and "SLURM_PROCID" in os.environ
  if not all(given) and not (slurm and in_step):
    return
  if index is not None and count is not None and not 0 <= index < count:
    raise UserError(f"--process_id: {index} is not below {count} processes")
  try:
    jax.distributed.initialize(
      coordinator,
      count,
      index,
      heartbeat_timeout_seconds=_PATIENCE,
      initialization_timeout=120,
      shutdown_timeout_seconds=_PATIENCE,
    )
  except Exception as error:  # of whichever part of JAX found it out
    reason = str(error).strip().splitlines()[0][:200]
    raise UserError(
      f"cannot join the other processes through {coordinator or 'Slurm'}: "
      f"{reason}"
    ) from error


@contextlib.contextmanager
def together() -> Iterator[None]:
  """A context in which the loss of another process is an error that names it.

  Raises:
    PeerLost: another process is gone.
  """
  try:
    yield
  except jax.errors.JaxRuntimeError as error:
    if jax.process_count() == 1:
      raise
    reason = str(error).strip().splitlines()[0][:200]
    raise PeerLost(
      f"{_who_is_gone()} ({reason}); the same command, with any number of "
      "processes, goes on from the last checkpoint"
    ) from error


def _who_is_gone() -> str:
  """Names the processes that do not answer a call of the roll."""
  from jax._src import distributed  # there is no public way to ask

  count, me = jax.process_count(), jax.process_index()
  try:
    client: Any = distributed.global_state.client
    client.key_value_set(f"bnjax/here/{me}", "yes", allow_overwrite=True)
    time.sleep(_ROLL_CALL)
    here = {key for key, _ in client.key_value_dir_get("bnjax/here/")}
    gone = [i for i in range(count) if f"bnjax/here/{i}" not in here]
  except Exception:  # the first process runs the service that is asked
    gone = [0]
  if not gone:
    return f"one of the {count} processes failed"
  return f"process {', '.join(map(str, gone))} of {count} is gone"


def is_first() -> bool:
  """Whether this process is the one that reads and writes files."""
  return jax.process_index() == 0


def any_of(flag: bool) -> bool:
  """Whether the flag is set in any process; all have to ask."""
  if jax.process_count() == 1:
    return flag
  from jax.experimental import multihost_utils

  flags = multihost_utils.process_allgather(np.asarray(flag))
  return bool(np.any(flags))


def share(checkpoint: Checkpoint | None) -> Checkpoint | None:
  """The first process's checkpoint, in all of them."""
  if jax.process_count() == 1:
    return checkpoint
  from jax.experimental import multihost_utils

  send = multihost_utils.broadcast_one_to_all
  content = b"" if checkpoint is None else _to_bytes(checkpoint)
  size = int(send(np.asarray(len(content), np.int32)))
  if not size:
    return None
  buffer = np.zeros(size, np.uint8)
  if is_first():
    buffer[:] = np.frombuffer(content, np.uint8)
  return _from_bytes(np.asarray(send(buffer)).tobytes())


def layout(mesh: str | None) -> Layout:
  """How arrays are laid out over devices.

  Args:
    mesh: "data=N" divides minibatches over N devices; None: over all devices
      where there are several processes, else one device has all.

  Raises:
    UserError: it says something else, or there are fewer devices.
  """
  there, processes = len(jax.devices()), jax.process_count()
  if mesh is None:
    return Layout(data_mesh(there) if processes > 1 else None)
  axis, _, number = mesh.partition("=")
  if axis != "data" or not number.isdecimal() or int(number) < 1:
    raise UserError(f"--mesh: {mesh!r} is not understood; write data=N")
  if int(number) > there:
    raise UserError(
      f"--mesh: {mesh} wants {number} devices and there are {there}; on a CPU "
      f"set JAX_NUM_CPU_DEVICES={number}"
    )
  if processes > 1 and int(number) != there:
    raise UserError(
      f"--mesh: the {processes} processes have {there} devices: write "
      f"data={there}"
    )
  return Layout(data_mesh(int(number)))


def _to_bytes(checkpoint: Checkpoint) -> bytes:
  buffer = io.BytesIO()
  position = np.frombuffer(json.dumps(checkpoint.position).encode(), np.uint8)
  fields: dict[str, Any] = {"position": position}
  fields |= {f"arrays/{k}": v for k, v in checkpoint.arrays.items()}
  np.savez(buffer, **fields)
  return buffer.getvalue()


def _from_bytes(content: bytes) -> Checkpoint:
  with np.load(io.BytesIO(content), allow_pickle=False) as found:
    arrays = {
      name.removeprefix("arrays/"): found[name]
      for name in found.files
      if name != "position"
    }
    position = json.loads(found["position"].tobytes())
  return Checkpoint(arrays, position)
