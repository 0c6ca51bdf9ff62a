"""A name of a config becomes what it names, and its arguments are checked.

A group of a config, such as `norm`, is a name and the arguments of what it
names: an entry of a table ("layer_norm") or any object that can be imported
("package.module:object"). An argument that nobody set is the entry's own.
"""

from bnjax.lab.registry.arguments import (
  Traced,
  bound,
  check_fields,
  checked,
  filled,
  parameters,
  required,
  takes,
  traced,
)
from bnjax.lab.registry.names import importable, is_outside, lookup, said
from bnjax.lab.registry.ranges import Count, NotNegative, Positive, Range, Share
from bnjax.lab.registry.values import check_value, is_plain, kind_of

__all__ = [
  "Count",
  "NotNegative",
  "Positive",
  "Range",
  "Share",
  "Traced",
  "bound",
  "check_fields",
  "check_value",
  "checked",
  "filled",
  "importable",
  "is_outside",
  "is_plain",
  "kind_of",
  "lookup",
  "parameters",
  "required",
  "said",
  "takes",
  "traced",
]
