"""MLflow: a run a network, its specification as parameters.

`MLFLOW_TRACKING_URI` says where, as it does for any program; otherwise it is a
file store in WORKDIR/mlflow, which `mlflow ui --backend-store-uri` shows. The
scalars are written; MLflow has no histograms.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax.lab.writers.writer import About, Histogram, run_id

_LONGEST = 500  # characters of a parameter
_AT_ONCE = 100  # parameters


class MlflowRun:
  """One run.

  Args:
    workdir: where the file store is, without `MLFLOW_TRACKING_URI`, and where
      `mlflow.json` names the runs, so that a network goes on in its own.
    about: the network.
  """

  def __init__(self, workdir: Path, about: About):
    from mlflow import MlflowClient

    self._client: Any = MlflowClient(_place(workdir))
    self._id = run_id(
      workdir / "mlflow.json",
      about,
      lambda kept: kept if kept and self._goes_on(kept) else self._new(about),
    )

  def _goes_on(self, run: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
      self._client.update_run(run, status="RUNNING")
    except MlflowException:  # it was deleted, or is in another store
      return False
    return True

  def _experiment(self, name: str) -> str:
    found = self._client.get_experiment_by_name(name)
    if found is not None:
      return str(found.experiment_id)
    return str(self._client.create_experiment(name))

  def _new(self, about: About) -> str:
    from mlflow.entities import Param

    run = self._client.create_run(
      self._experiment(about.experiment),
      tags={"arm": about.arm},
      run_name=about.name,
    )
    params = [Param(n, str(v)[:_LONGEST]) for n, v in about.spec.items()]
    for start in range(0, len(params), _AT_ONCE):
      some = params[start : start + _AT_ONCE]
      self._client.log_batch(run.info.run_id, params=some)
    return str(run.info.run_id)

  def write(
    self,
    step: int,
    scalars: Mapping[str, float],
    histograms: Mapping[str, Histogram],
  ) -> None:
    """See `Run.write`."""
    from mlflow.entities import Metric

    del histograms
    now = int(1000 * time.time())
    told = [Metric(_name(n), v, now, step) for n, v in scalars.items()]
    self._client.log_batch(self._id, metrics=told)

  def close(self) -> None:
    """See `Run.close`."""
    self._client.set_terminated(self._id)


def _place(workdir: Path) -> str:
  """Where the runs go: `MLFLOW_TRACKING_URI`, or a file store."""
  if uri := os.environ.get("MLFLOW_TRACKING_URI"):
    return uri
  # MLflow 3 wants to be told that a file store is meant.
  os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
  return (workdir / "mlflow").absolute().as_uri()


def _name(name: str) -> str:
  """A metric's name, of the characters that MLflow takes."""
  return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)
