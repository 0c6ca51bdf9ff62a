"""TensorBoard: `tensorboard --logdir=WORKDIR/tensorboard`, by tensorboardX.

A directory a network. Events are written at once and by the caller: the
`SummaryWriter` of tensorboardX keeps two threads and a pipe for each, which is
too much for hundreds.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax.lab.writers.numbers import moments
from bnjax.lab.writers.writer import About, Histogram, Table

_TABLE = ("accuracy", "loss")  # metrics that the hyperparameter table shows


class TensorBoardRun:
  """The event file of one network.

  Args:
    folder: where TensorBoard looks for all of them.
    about: the network. If its first step is 0, what lies in its directory is
      replaced; else what was told of this step and later is hidden.
  """

  def __init__(self, folder: Path, about: About):
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    own = folder / about.name
    own.mkdir(parents=True, exist_ok=True)
    before = sorted(own.glob("events.out.tfevents.*"))
    if about.first_step == 0:
      for path in before:
        path.unlink()
    self._about = about
    self._told_table = False
    # Read in the order of the names, the time in seconds and then the suffix.
    suffix = f".{len(before):06d}"
    self._events: Any = EventsWriter(str(own / "events"), suffix)
    if about.first_step:
      start = SessionLog(status=SessionLog.START)
      self._write(
        Event(step=about.first_step, session_log=start), about.first_step
      )

  def write(
    self,
    step: int,
    scalars: Mapping[str, float],
    histograms: Mapping[str, Histogram],
  ) -> None:
    """See `Run.write`; all numbers of a step are one event."""
    from tensorboardX import summary
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    if scalars and not self._told_table:
      names = [name for name in scalars if name.endswith(_TABLE)]
      self._write_table(names)
    told = Summary()
    for name, value in scalars.items():
      scalar = summary.scalar(name, 0.0)  # it logs a warning of each NaN
      scalar.value[0].simple_value = value
      told.MergeFrom(scalar)
    for name, histogram in histograms.items():
      told.MergeFrom(_histogram(name, histogram))
    self._write(Event(summary=told), step)
    self._events.flush()

  def table(self, name: str, table: Table) -> None:
    """Shows a table as text, in Markdown; see `Run`."""
    from tensorboardX import summary
    from tensorboardX.proto.event_pb2 import Event

    rows = [table.columns, ("--:",) * len(table.columns), *table.rows]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    self._write(Event(summary=summary.text(name, "\n".join(lines))), 0)
    self._events.flush()

  def _write_table(self, metrics: list[str]) -> None:
    """The row of the hyperparameter table; its metrics are the scalars."""
    from tensorboardX import summary
    from tensorboardX.proto.event_pb2 import Event

    parts = summary.hparams(
      dict(self._about.hyperparameters), dict.fromkeys(metrics, 0.0)
    )
    for part in parts:
      self._write(Event(summary=part), self._about.first_step)
    self._told_table = True

  def _write(self, event: Any, step: int) -> None:
    event.step = step
    event.wall_time = time.time()
    self._events.write_event(event)

  def close(self) -> None:
    """See `Run.close`."""
    self._events.close()


def _histogram(name: str, histogram: Histogram) -> Any:
  """As TensorBoard has it: the upper limits of bins, the first one empty."""
  from tensorboardX import summary

  number, total, squares = moments(histogram)
  edges = list(histogram.edges)
  return summary.histogram_raw(
    name,
    min=edges[0],
    max=edges[-1],
    num=number,
    sum=total,
    sum_squares=squares,
    bucket_limits=edges,
    bucket_counts=[0.0, *histogram.counts],
  )
