"""Several processes that train together, joined by `jax.distributed`."""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import checkpoints
from bnjax.lab.experiment.checkpoints import Checkpoint
from bnjax.lab.experiment.link import relay
from bnjax.lab.experiment.peers import Peers
from bnjax.lab.train.sharding import Layout, data_mesh

_NEVER = 10**7  # seconds: who is gone is found out by `peers`

_peers: Peers | None = None


def join(
  coordinator: str | None = None,
  count: int | None = None,
  index: int | None = None,
) -> None:
  """Joins this process to the others, if there are any, and waits for them.

  Under Slurm, in a step of more than one task, nothing need be said. To be
  called before JAX is used.

  Args:
    coordinator: address and port of the first process, such as "node1:9876".
    count: how many processes there are.
    index: which this one is, from 0.

  Raises:
    UserError: some of the three are missing, or the others do not come.
  """
  global _peers
  if coordinator is None and count is None and index is None:
    coordinator, count, index = _in_slurm()
  elif coordinator is None or count is None or index is None:
    raise UserError(
      "--coordinator_address, --num_processes, --process_id: give all three "
      "or, under Slurm, none"
    )
  if not 0 <= index < count:
    raise UserError(f"--process_id: {index} is not below {count} processes")
  if count == 1:
    return
  host, _, port = coordinator.rpartition(":")
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise UserError(
      f"--coordinator_address: {coordinator!r} is not host:port, as node1:9876"
    )
  address = host.strip("[]"), int(port)
  peers = Peers(address, count, index)
  peers.join()
  # It would take SIGTERM for itself.
  jax.config.update("jax_enable_preemption_service", False)
  try:
    jax.distributed.initialize(
      f"127.0.0.1:{relay(address)}" if index else coordinator,
      count,
      index,
      heartbeat_timeout_seconds=_NEVER,
      initialization_timeout=120,
      shutdown_timeout_seconds=60,
    )
  except Exception as error:  # of whichever part of JAX found it out
    reason = str(error).strip().splitlines()[0][:200]
    raise UserError(
      f"cannot join the other processes through {coordinator}: {reason}"
    ) from error
  _peers = peers


def _in_slurm() -> tuple[str, int, int]:
  """Coordinator, count and index as Slurm says; of one process elsewhere."""
  # The job's tasks are not the step's: `salloc`'s shell is a step of one.
  tasks = os.environ.get("SLURM_STEP_NUM_TASKS") or os.environ.get(
    "SLURM_NTASKS", "1"
  )
  in_step = "SLURM_STEP_ID" in os.environ and "SLURM_PROCID" in os.environ
  if not in_step or int(tasks) == 1:
    return "", 1, 0
  from jax._src.clusters.slurm_cluster import SlurmCluster  # as JAX itself

  port = os.environ.get("JAX_COORDINATOR_PORT")
  address = SlurmCluster.get_coordinator_address(None, port)
  return address, int(tasks), int(os.environ["SLURM_PROCID"])


@contextlib.contextmanager
def together(again: str) -> Iterator[None]:
  """A context in which the loss of another process is an error that names it.

  Raises:
    UserError: another process is gone.
  """
  again = f"the same command, with any number of processes, {again}"
  try:
    with _peers.run(again) if _peers else contextlib.nullcontext():
      yield
  except jax.errors.JaxRuntimeError as error:
    if jax.process_count() == 1:
      raise
    who = _peers.who_is_gone() if _peers else "another process failed"
    reason = str(error).strip().splitlines()[0][:200]
    raise UserError(f"{who} ({reason}); {again}") from error


@contextlib.contextmanager
def leaving() -> Iterator[None]:
  """Ends a process that has joined others, when it comes to its end.

  JAX would wait for all of them, who may be drawing a report or be gone.
  """
  try:
    yield
  except BaseException as error:
    if _peers is None:
      raise
    status = error.code if isinstance(error, SystemExit) else 1
    if isinstance(status, str):
      print(status, file=sys.stderr)
    elif not isinstance(error, SystemExit):
      sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else bool(status))


def agree(record: Mapping[str, Any]) -> None:
  """Refuses to train where processes would train something else.

  Raises:
    UserError: the first process's differs from another one's; in all of them.
  """
  if jax.process_count() == 1:
    return
  from jax.experimental import multihost_utils

  mine = json.dumps(record, sort_keys=True)
  first = _from_first(mine.encode()).decode()
  differs = multihost_utils.process_allgather(np.asarray(mine != first))
  if not np.any(differs):
    return
  who = ", ".join(map(str, np.flatnonzero(differs)))
  fields = results.differences(json.loads(first), json.loads(mine))
  fields = [f for f in fields if not f.startswith("arms.")] or fields
  seen = f" ({'; '.join(fields[:3])})" if fields else ""
  raise UserError(
    f"process {who} would train something else than process 0{seen}; give all "
    "the same command, code and data"
  )


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
  whole = io.BytesIO()
  if checkpoint is not None:
    checkpoints.write(whole, checkpoint)
  content = _from_first(whole.getvalue())
  return checkpoints.read(io.BytesIO(content)) if content else None


def _from_first(content: bytes) -> bytes:
  """The first process's bytes, in all of them."""
  from jax.experimental import multihost_utils

  send = multihost_utils.broadcast_one_to_all
  size = int(send(np.asarray(len(content), np.int32)))
  if not size:
    return b""
  buffer = np.zeros(size, np.uint8)
  if is_first():
    buffer[:] = np.frombuffer(content, np.uint8)
  return np.asarray(send(buffer)).tobytes()


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
