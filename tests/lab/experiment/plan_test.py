"""Which networks are trained, and which of them by one program."""

import pytest

from bnjax.lab.config import complete, resolve
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import plan

CONFIG = complete(
  {
    "model": {"width": 8},
    "norm": {"name": "batch_norm", "decay": 0.9},
    "optimizer": {"learning_rate": 0.1},
    "seed": 3,
    "seeds": 2,
  }
)


def _networks(arms, grid=None):
  return plan.networks(CONFIG | {"arms": arms, "grid": grid or {}})


def test_every_arm_at_every_point_for_every_seed():
  grid = {"optimizer": {"learning_rate": (0.1, 1)}, "l2": (0.0, 0.5, 1.0)}
  found = _networks({"a": {}, "b": {}}, grid)
  assert len(found) == 2 * 2 * 3 * 2
  first, last = found[0], found[-1]
  assert (first.arm, first.seed) == ("a", 3)
  assert first.point == {"optimizer.learning_rate": 0.1, "l2": 0.0}
  assert (last.arm, last.seed) == ("b", 4)
  assert last.point == {"optimizer.learning_rate": 1, "l2": 1.0}
  rate = last.spec["optimizer"]["learning_rate"]
  assert (type(rate), rate) == (float, 1.0)
  assert CONFIG["optimizer"]["learning_rate"] == 0.1


def test_without_a_grid_there_is_one_point():
  found = _networks({"a": {}})
  assert [(n.seed, n.point) for n in found] == [(3, {}), (4, {})]
  assert found[0].spec == resolve(CONFIG | {"arms": {"a": {}}}, "a")


@pytest.mark.parametrize(
  ("grid", "message"),
  [
    ({"l2": ()}, r"grid\.l2: the axis is empty"),
    ({"l2": 0.5}, r"grid\.l2: 0\.5 is not a list"),
    ({"model": {"widht": (1,)}}, r"grid\.model\.widht.*'width'"),
    ({"norm": {"groups": (4,)}}, r"grid\.norm\.groups: .*does not take it"),
    ({"model": {"width": (8, 0.5)}}, r"grid\.model\.width: 0\.5 is of type"),
    ({"l2": {"a": (1,)}}, r"grid\.l2"),
  ],
)
def test_what_is_wrong_with_a_grid_is_told_in_a_line(grid, message):
  with pytest.raises(UserError, match=message) as error:
    _networks({"a": {}}, grid)
  assert "\n" not in str(error.value)


def test_networks_that_differ_in_numbers_alone_share_a_program():
  arms = {
    "a": {},
    "rate": {"optimizer": {"learning_rate": 1.0}},
    "scale": {"model": {"init_scale": 2.0}},
    "decay": {"norm": {"decay": 0.5}},
    "wide": {"model": {"width": 16}},
    "dropout": {"model": {"dropout_rate": 0.5}},
    "more dropout": {"model": {"dropout_rate": 0.75}},
  }
  groups = plan.groups(_networks(arms))
  assert [list(dict.fromkeys(n.arm for n in g.networks)) for g in groups] == [
    ["a", "rate", "scale", "decay"],
    ["wide"],
    ["dropout", "more dropout"],
  ]
  first, wide, dropout = groups
  assert first.hyper == {
    "model.init_scale": (1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0),
    "norm.decay": (0.9,) * 6 + (0.5,) * 2,
    "optimizer.learning_rate": (0.1, 0.1, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1),
  }
  assert wide.hyper == {}
  assert dropout.hyper == {"model.dropout_rate": (0.5, 0.5, 0.75, 0.75)}


def test_a_group_is_split_into_equal_parts_where_it_can_be():
  (group,) = plan.groups(_networks({"a": {"seeds": 12}}))
  assert [len(p.networks) for p in group.split(5)] == [4, 4, 4]
  assert [len(p.networks) for p in group.split(100)] == [12]
  (group,) = plan.groups(_networks({"a": {"seeds": 7}}))
  assert [len(p.networks) for p in group.split(5)] == [4, 3]
  (group,) = plan.groups(_networks({"a": {}, "b": {"norm": {"decay": 0.5}}}))
  parts = group.split(1)
  assert [p.hyper["norm.decay"] for p in parts] == [
    (0.9,),
    (0.9,),
    (0.5,),
    (0.5,),
  ]
  assert [p.networks[0].seed for p in parts] == [3, 4, 3, 4]
