"""Trained networks on disk: `params/` of a work directory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from bnjax.lab.errors import UserError
from bnjax.lab.experiment.checkpoints import Checkpoint, Checkpoints
from bnjax.lab.experiment.plan import Network


def save(
  workdir: Path, networks: Sequence[Network], variables: Mapping[str, Any]
) -> None:
  """Writes networks that were trained together.

  Args:
    workdir: the work directory.
    networks: which they are.
    variables: `params` and `batch_stats`, nested dicts of arrays
      `[networks, ...]`.
  """
  who: list[dict[str, Any]] = [
    {"arm": n.arm, "seed": n.seed, "point": dict(n.point)} for n in networks
  ]
  first = who[0]
  name = json.dumps([first["arm"], first["seed"], *first["point"].values()])
  safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
  found = Checkpoints(workdir / "params" / safe.strip("_"))
  found.remove()
  found.save(
    Checkpoint(
      traverse_util.flatten_dict(dict(variables), sep="."), {"networks": who}
    )
  )


def load(
  workdir: str | Path,
  arm: str,
  seed: int = 0,
  point: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """The variables of one trained network, for `model.apply`.

  Args:
    workdir: of a run with `config.save_params`.
    arm: name of the network's arm.
    seed: the network's seed.
    point: its values on the grid by dotted field, if there is a grid.

  Returns:
    `{"params": ..., "batch_stats": ...}`, nested dicts of NumPy arrays; the
    latter only where the network has running statistics.

  Raises:
    UserError: there is no such network.
  """
  wanted = {"arm": arm, "seed": seed, "point": dict(point or {})}
  folder = Path(workdir) / "params"
  there: list[dict[str, Any]] = []
  for path in sorted(folder.iterdir()) if folder.is_dir() else []:
    found = Checkpoints(path).restore(lambda message: None)
    networks = found.position["networks"] if found else []
    if found and wanted in networks:
      i = networks.index(wanted)
      own = {name: np.asarray(x[i]) for name, x in found.arrays.items()}
      nested: dict[str, Any] = traverse_util.unflatten_dict(own, sep=".")
      return nested
    there += networks
  known = sorted({f"{n['arm']} (seed {n['seed']})" for n in there})
  raise UserError(
    f"{workdir}: there is no trained network of arm {arm!r}, seed {seed}"
    + (f", point {dict(point)}" if point else "")
    + (f"; there are {', '.join(known[:6])}" if known else "")
    + ("" if known else "; set config.save_params to keep them")
  )
