"""Groups of a config: a name and the arguments it takes."""

import pytest

from bnjax.lab import registry as named
from bnjax.lab.errors import UserError


def walk(*, speed=1.0):
  return ("walk", speed)


def fly(height, speed=2.0):
  return ("fly", height, speed)


TABLE = {"walk": walk, "fly": fly}


def test_arguments_of_the_other_entries_are_left_out():
  group = {"name": "walk", "height": 3, "speed": 4.0}
  assert named.select_arguments("move", group, TABLE) == {"speed": 4.0}
  group["name"] = "fly"
  assert named.select_arguments("move", group, TABLE) == {
    "height": 3,
    "speed": 4.0,
  }


def test_an_argument_set_by_hand_must_apply():
  group = {"name": "walk", "height": 3}
  with pytest.raises(UserError) as error:
    named.select_arguments("move", group, TABLE, frozenset({"height"}))
  assert str(error.value) == (
    "move.height: move.name='walk' does not take it; it takes speed"
  )


def test_unknown_name_lists_the_choices():
  with pytest.raises(UserError, match=r"move\.name: 'flu'.*'fly'.*fly, walk"):
    named.lookup("move.name", "flu", TABLE)
