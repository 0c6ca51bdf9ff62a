"""Fields and their values from the command line."""

import pytest

from bnjax.lab.cli import as_flags
from bnjax.lab.config import base, complete
from bnjax.lab.config.text import convert, lookup
from bnjax.lab.errors import UserError

CONFIG = complete(
  base().to_dict()
  | {
    "arms": {"a": {}, "b": {"model": {"name": "lenet"}, "steps": 3}},
    "grid": {"l2": (0.1, 0.2)},
  }
)


@pytest.mark.parametrize(
  ("field", "text", "value"),
  [
    ("steps", "5", 5),
    ("l2", "1", 1.0),
    ("stream", "true", True),
    ("norm.decay", ".5", 0.5),
    ("norm.groups", "None", None),
    ("arms.a.model.dropout_rate", ".3", 0.3),
    ("arms.b.model.channels", "(4, 8)", (4, 8)),
    ("arms.b.steps", "4", 4),
    ("grid.l2", "(0.1,)", (0.1,)),
    ("grid.norm.decay", "(0.1, 0.5)", (0.1, 0.5)),
    ("probes.p.measure", "norm", "norm"),
  ],
)
def test_a_value_is_of_its_fields_type(field, text, value):
  found = convert(field, text, lookup(CONFIG, field))
  assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
  ("field", "said"),
  [
    ("arms.c.steps", "config.arms.c: 'c' is not known; Choices: a, b"),
    ("arms.a.model.chanels", "config.arms.a.model.chanels: 'chanels' is not"),
    ("arms.b.stpes", "config.arms.b.stpes: 'stpes' is not known; did you mean"),
    ("model.channels[0]", "'channels[0]' is not known"),
    ("steps.more", "config.steps.more: steps has no fields"),
    ("optimizer", "config.optimizer: is a group of fields; set one of them"),
  ],
)
def test_a_field_that_there_is_not_is_said(field, said):
  with pytest.raises(UserError) as error:
    lookup(CONFIG, field, "config.")
  assert said in str(error.value)


def test_fields_may_stand_apart_from_their_values():
  given = ["t", "--config", "f.py", "--config.l2", "-1", "--noconfig.stream"]
  assert as_flags(given) == [
    "t", "--config", "f.py", "--config_fields=l2=-1",
    "--config_fields=stream=false",
  ]  # fmt: skip
