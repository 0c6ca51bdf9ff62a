"""Weights & Biases: a run a network, grouped by arm.

`WANDB_PROJECT`, `WANDB_ENTITY`, `WANDB_MODE` and so on say where, as they do
for any program; the project is `bnjax` otherwise. Without a connection,
`WANDB_MODE=offline` keeps the runs in WORKDIR/wandb for `wandb sync`.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnjax.lab.writers.writer import About, Histogram, Table, run_id


class WandbRun:
  """One run.

  Args:
    workdir: gets its files; `wandb/ids.json` in it names the runs, so that a
      network that goes on from a checkpoint goes on in its run.
    about: the network.
  """

  def __init__(self, workdir: Path, about: About):
    import wandb

    own = run_id(
      workdir / "wandb" / "ids.json",
      about,
      lambda kept: kept or secrets.token_hex(4),
    )
    self._run: Any = wandb.init(
      dir=str(workdir),
      project=os.environ.get("WANDB_PROJECT") or "bnjax",
      group=about.experiment,
      job_type=about.arm,
      name=about.name,
      id=own,
      resume="allow" if about.first_step else None,
      config=dict(about.spec),
      reinit="create_new",
      settings=wandb.Settings(
        console="off", silent=True, x_disable_meta=True, x_disable_stats=True
      ),
    )
    # Its own step counts calls and takes none again; this one is training's.
    self._run.define_metric("step", hidden=True)
    self._run.define_metric("*", step_metric="step")

  def write(
    self,
    step: int,
    scalars: Mapping[str, float],
    histograms: Mapping[str, Histogram],
  ) -> None:
    """See `Run.write`."""
    import wandb

    told: dict[str, Any] = {"step": step, **scalars}
    for name, (counts, edges) in histograms.items():
      arrays = np.asarray(counts), np.asarray(edges)
      told[name] = wandb.Histogram(np_histogram=arrays)
    self._run.log(told)

  def table(self, name: str, table: Table) -> None:
    """Shows a table; see `Run`."""
    import wandb

    rows = [list(row) for row in table.rows]
    self._run.log({name: wandb.Table(columns=list(table.columns), data=rows)})

  def close(self) -> None:
    """See `Run.close`."""
    self._run.finish()
