"""Trained networks on disk."""

import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.experiment import checkpoints, params
from bnjax.lab.experiment.plan import Network

POINT = {"model.channels": (4, 8), "l2": 0.1}


def _save(workdir, arm, *seeds, point=None):
  networks = [Network(arm, point or {}, seed, {}) for seed in seeds]
  values = np.asarray(seeds, np.float32)[:, None] + len(arm)
  stats = {"norm": {"mean": -values}} if point else {}
  params.save(
    workdir, networks, {"params": {"a.b": {"c": values}}, "batch_stats": stats}
  )


@pytest.fixture
def workdir(tmp_path):
  _save(tmp_path, "lr 1", 0, 1)
  _save(tmp_path, "lr_1", 10)
  _save(tmp_path, "../x/" + 300 * "ä", 3, point=POINT)
  return tmp_path


def _names(workdir):
  return sorted(path.name for path in (workdir / "params").iterdir())


def test_every_network_is_found_whatever_its_arm_is_called(workdir):
  assert params.load(workdir, "lr 1", 1) == {"params": {"a.b": {"c": [5.0]}}}
  assert params.load(workdir, "lr_1", 10) == {"params": {"a.b": {"c": [14.0]}}}
  found = params.load(workdir, "../x/" + 300 * "ä", 3, POINT)
  assert found["batch_stats"] == {"norm": {"mean": [-308.0]}}
  one, other, third = _names(workdir)
  assert one.startswith(".._x_ä")
  assert other.startswith("lr_1-0-")
  assert third.startswith("lr_1-10-")
  with pytest.raises(UserError, match=r"seed 2; there are .*, lr 1 \(seed 0\)"):
    params.load(workdir, "lr 1", 2)


def test_loading_leaves_what_is_damaged_as_it_is(workdir, monkeypatch):
  _, path, _ = [workdir / "params" / name for name in _names(workdir)]
  content = path.read_bytes()
  path.write_bytes(content[:-1])
  elsewhere = workdir / "params" / "z.npz"
  elsewhere.symlink_to(workdir)
  names = _names(workdir)
  assert params.load(workdir, "lr_1", 10)["params"]
  with pytest.raises(UserError, match=r"z\.npz is damaged \(z\.npz is a link"):
    params.load(workdir, "lr 1", 0)
  elsewhere.unlink()
  with pytest.raises(UserError, match=rf"{path.name} is damaged \(its digest"):
    params.load(workdir, "lr 1", 0)

  def fail(*args):
    raise OSError(5, "Input/output error")

  monkeypatch.setattr(checkpoints, "digest", fail)
  with pytest.raises(UserError, match="cannot be read: Input/output error"):
    params.load(workdir, "lr_1", 10)
  assert path.read_bytes() == content[:-1]
  assert _names(workdir) == names[:-1]
