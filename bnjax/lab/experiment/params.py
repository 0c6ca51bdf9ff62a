"""Trained networks on disk: `params/` of a work directory."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnjax.lab.errors import UserError
from bnjax.lab.experiment import checkpoints
from bnjax.lab.experiment.checkpoints import Checkpoint, Damaged
from bnjax.lab.experiment.plan import Network
from bnjax.lab.results import to_strict


def names(networks: Sequence[Network]) -> list[dict[str, Any]]:
  """The arm, the seed and the point of each, as JSON has them."""
  who = [{"arm": n.arm, "seed": n.seed, "point": n.point} for n in networks]
  found: list[dict[str, Any]] = to_strict(who)
  return found


def save(
  workdir: Path, networks: Sequence[Network], variables: Mapping[str, Any]
) -> None:
  """Writes networks that were trained together, in one file.

  The arrays of `variables` are `[networks, ...]`.

  Raises:
    OSError: it cannot be written.
  """
  who = names(networks)
  arm = "".join(c if c.isalnum() or c in "._-" else "_" for c in who[0]["arm"])
  digest = hashlib.sha256(json.dumps(who).encode()).hexdigest()
  path = workdir / "params" / f"{arm[:40]}-{who[0]['seed']}-{digest[:12]}.npz"
  checkpoints.save(path, Checkpoint(dict(variables), {"networks": who}))


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
    UserError: there is no such network, or its file is damaged or cannot be
      read; all files are left as they are.
  """
  (wanted,) = names([Network(arm, dict(point or {}), seed, {})])
  there: list[dict[str, Any]] = []
  damaged = ""
  for path in sorted((Path(workdir) / "params").glob("*.npz")):
    try:
      state, position = checkpoints.load(path)
    except Damaged as error:
      damaged = f"; {path.name} is damaged ({error})"
      continue
    except OSError as error:
      raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if wanted in position["networks"]:
      i = position["networks"].index(wanted)
      return {name: _take(own, i) for name, own in state.items() if own}
    there += position["networks"]
  known = sorted({f"{n['arm']} (seed {n['seed']})" for n in there})
  raise UserError(
    f"{workdir}: there is no trained network of arm {arm!r}, seed {seed}"
    + (f", point {dict(point)}" if point else "")
    + (f"; there are {', '.join(known[:6])}" if known else "")
    + (damaged or ("" if known else "; set config.save_params to keep them"))
  )


def _take(tree: Any, i: int) -> Any:
  """The i-th of each of nested arrays."""
  if isinstance(tree, dict):
    return {name: _take(value, i) for name, value in tree.items()}
  return np.asarray(tree[i])
