"""Axes as text: what they mean, and what is said of a mistake."""

import re

import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.launch.axes import (
  cross,
  draw_points,
  read_axis,
  read_zip,
)
from bnjax.lab.launch.points import collect, read_points

CONFIG = {
  "seed": 0,
  "l2": 0.0,
  "steps": 10,
  "sizes": (1,),
  "norm": {"name": "batch_norm", "decay": 0.9, "center": True},
}


@pytest.mark.parametrize(
  ("text", "field", "values"),
  [
    ("config.l2=1e-3,1e-2", "l2", (0.001, 0.01)),
    ("l2=1", "l2", (1.0,)),
    ("l2=log:1e-4..1:5", "l2", (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
    ("l2=linear:0..1:3", "l2", (0.0, 0.5, 1.0)),
    ("steps=log:1..100:3", "steps", (1, 10, 100)),
    ("steps=log:1..3:9", "steps", (1, 2, 3)),
    ("seed=3..5", "seed", (3, 4, 5)),
    ("l2=0..2", "l2", (0.0, 1.0, 2.0)),
    ("norm.name=none,batch_norm", "norm.name", ("none", "batch_norm")),
    ("norm.center=true,False", "norm.center", (True, False)),
    ("l2=log:1e-2..1e-2:1", "l2", (0.01,)),
    ("sizes=(4, 8),[6]", "sizes", ((4, 8), (6,))),
  ],
)
def test_values(text, field, values):
  axis = read_axis(text, CONFIG)
  assert axis == [{field: value} for value in values]
  assert [type(p[field]) for p in axis] == [type(v) for v in values]


@pytest.mark.parametrize(
  ("text", "said"),
  [
    ("norm.dekay=1", "norm.dekay: 'dekay' is not known; did you mean 'decay'?"),
    ("norm=1", "norm: is a group of fields; set one of them: center, decay"),
    ("l2.x=1", "l2.x: l2 has no fields"),
    ("l2", "'l2': an axis is written config.field=values"),
    ("l2=", "l2: the axis is empty; give it values"),
    ("l2=5..1", "l2: '5..1' is empty; the lower end comes first"),
    ("l2=log:1..2:0", "l2: 'log:1..2:0' is empty; give it values"),
    ("l2=fast", "l2: 'fast' cannot be its value; it holds numbers (now 0.0)"),
    ("l2=inf..2", "l2: inf is not a finite number"),
    ("l2=0.1,1e-1", "l2: 0.1 is there twice; leave one out"),
    (
      "l2=0..1000000000",
      "1,000,000,001 networks are too many; at most 100,000",
    ),
    ("l2=1,", "l2: '' cannot be its value; it holds numbers (now 0.0)"),
    ("steps=1.5", "steps: '1.5' cannot be its value; it holds whole numbers"),
    (
      "norm.center=yes",
      "norm.center: 'yes' cannot be its value; it holds true",
    ),
    ("l2=log:0..1:3", "l2: 'log:0..1:3': a logarithmic range begins above 0"),
    (
      "l2=log:1e-3..1",
      "l2: how many values from 0.001 to 1? Write log:0.001..1",
    ),
    ("l2=0.1..0.2", "l2: 0.1..0.2 counts whole numbers; write log:0.1..0.2:N"),
    ("l2=geo:1..2:3", "l2: 'geo:1..2:3' is no range; write log:1e-4..1:12"),
    ("norm.name=1..3", "norm.name: a range of numbers cannot be its values"),
  ],
)
def test_a_mistake_is_told_in_one_line(text, said):
  with pytest.raises(UserError, match=re.escape(said)) as error:
    read_axis(text, CONFIG)
  assert "\n" not in str(error.value)


def test_zipped_axes_advance_together():
  assert read_zip("config.seed=1,2; config.l2=0.1,0.2", CONFIG) == [
    {"seed": 1, "l2": 0.1},
    {"seed": 2, "l2": 0.2},
  ]
  with pytest.raises(UserError, match="seed has 3, l2 has 2"):
    read_zip("seed=1..3;l2=0.1,0.2", CONFIG)


def test_random_points_depend_on_the_seed_alone():
  texts = ["l2=log:1e-4..1", "steps=5..9", "norm.name=a,b"]
  draw = lambda count, seed: draw_points(texts, CONFIG, count=count, seed=seed)
  points = draw(200, 3)
  assert points == draw(200, 3)
  assert points[:50] == draw(50, 3)
  assert points != draw(200, 4)
  assert {p["steps"] for p in points} == {5, 6, 7, 8, 9}
  assert {p["norm.name"] for p in points} == {"a", "b"}
  # A quarter in each decade, to four standard deviations of a binomial.
  for low in (1e-4, 1e-3, 1e-2, 1e-1):
    share = sum(low <= p["l2"] < 10 * low for p in points) / 200
    assert abs(share - 0.25) < 0.13
  with pytest.raises(
    UserError, match=r"no number of values; write log:1e-4\.\.1"
  ):
    draw_points(["l2=log:1e-4..1:3"], CONFIG, count=1, seed=0)


def test_parts_are_crossed():
  parts = [[{"l2": 0.1}, {"l2": 0.2}], [{"seed": 1}, {"seed": 2}]]
  assert cross(parts) == [
    {"l2": 0.1, "seed": 1},
    {"l2": 0.1, "seed": 2},
    {"l2": 0.2, "seed": 1},
    {"l2": 0.2, "seed": 2},
  ]
  with pytest.raises(UserError, match="l2: is swept twice"):
    cross([parts[0], parts[0]])


def test_a_file_and_the_command_line_are_crossed(tmp_path):
  file = tmp_path / "sweep.py"
  file.write_text(
    "def sweep(add):\n  for decay in (0.5, 0.9):\n"
    "    add({'config.norm.decay': decay}, seed=7)\n"
  )
  points = read_points(CONFIG, file=file, grid=["l2=0,1"])
  assert points == [
    {"norm.decay": 0.5, "seed": 7, "l2": 0.0},
    {"norm.decay": 0.5, "seed": 7, "l2": 1.0},
    {"norm.decay": 0.9, "seed": 7, "l2": 0.0},
    {"norm.decay": 0.9, "seed": 7, "l2": 1.0},
  ]


def test_numpy_numbers_are_numbers():
  points = collect(lambda add: [add({"config.l2": v}) for v in np.array([0.5])])
  assert points == [{"l2": 0.5}]
  assert type(points[0]["l2"]) is float


def test_what_is_wrong_with_a_file_is_told(tmp_path):
  empty, none = tmp_path / "empty.py", tmp_path / "none.py"
  empty.write_text("def sweep(add):\n  pass\n")
  none.write_text("")
  with pytest.raises(UserError, match="it adds no point"):
    read_points(CONFIG, file=empty)
  with pytest.raises(UserError, match=r"does not define sweep\(add\)"):
    read_points(CONFIG, file=none, required=True)
  with pytest.raises(UserError, match=r"nowhere\.py is not there"):
    read_points(CONFIG, file=tmp_path / "nowhere.py")
  with pytest.raises(UserError, match="nothing is swept: give --grid"):
    read_points(CONFIG, file=none)
