"""Reads docstrings as they are written: plain text, `code` and equations.

reStructuredText gives a meaning to many characters of mathematics. Here only
backticks, lists, examples and Google's sections keep theirs.
"""

import itertools
import re
from typing import Any

EXAMPLE = re.compile(r"^\s*(>>>|\.\.\. )")
BULLET = re.compile(r"([-*]|\d+\.) ")
SECTION = re.compile(r"^[A-Z]\w+:$")
# Between backticks everything is code already; a letter may follow them.
MARKUP = re.compile(
  r"(?P<code>`[^`]*`)(?P<letter>\w?)"
  r"|arXiv:(?P<arxiv>\d{4}\.\d{5})"
  r"|(?P<special>[*|\\]|_\b|\b_(?=\W|$))"
)


def escaped(paragraph: list[str]) -> list[str]:
  """Escapes what reStructuredText would take for markup; links to arXiv.

  Args:
    paragraph: its lines; `code` may span two.
  """

  def replace(match: re.Match[str]) -> str:
    if number := match["arxiv"]:
      return f"`arXiv:{number} <https://arxiv.org/abs/{number}>`__"
    if match["special"]:
      return "\\" + match["special"]
    code = match["code"].replace("\\", "\\\\")
    return f"{code}\\ {match['letter']}" if match["letter"] else code

  return MARKUP.sub(replace, "\n".join(paragraph)).split("\n")


def is_equation(paragraph: list[str]) -> bool:
  """Whether a paragraph is an equation, or a table: to be kept line by line."""
  if all(line.lstrip().startswith("|") for line in paragraph):
    return True
  text = " ".join(paragraph)
  return " = " in text and text[-1] not in ".:" and "`" not in text


def convert(lines: list[str]) -> list[str]:
  """Returns a docstring as Google-style reStructuredText."""
  converted: list[str] = []
  sections = in_list = False
  for paragraph in paragraphs(lines):
    sections |= bool(SECTION.match(paragraph[0]))
    if not paragraph[0].startswith(" "):
      in_list = bool(BULLET.match(paragraph[0]))
    if any(EXAMPLE.match(line) for line in paragraph):
      converted += [*paragraph, ""]
    elif sections or in_list:
      if paragraph[0] == "Returns:":  # else its first colon would end a type
        paragraph = [":returns: " + paragraph[1].strip(), *paragraph[2:]]
      converted += [*escaped(paragraph), ""]
    elif is_equation(paragraph):
      converted += [*literal(paragraph), ""]
    else:
      indents = lambda line: line.startswith(" ")
      for indented, group in itertools.groupby(paragraph, indents):
        part = list(group)
        converted += [*(literal(part) if indented else escaped(part)), ""]
  return converted


def literal(lines: list[str]) -> list[str]:
  """Returns a block that is shown as it is."""
  return ["::", "", *("  " + line for line in lines)]


def paragraphs(lines: list[str]) -> list[list[str]]:
  """Splits lines where they are blank."""
  text = "\n".join(line.rstrip() for line in lines)
  return [part.split("\n") for part in re.split(r"\n{2,}", text) if part]


def on_docstring(  # noqa: D103
  app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
  lines[:] = convert(lines)


def on_signature(  # noqa: D103
  app: Any,
  what: str,
  name: str,
  obj: Any,
  options: Any,
  signature: str | None,
  returned: str | None,
) -> tuple[str | None, str | None]:
  return _short(signature), _short(returned)


def _short(text: str | None) -> str | None:
  """Returns a signature with the names that users import.

  Flax's modules have functions and classes as defaults, which Python shows in
  a way that cannot be read back, and two fields that are not for users.
  """
  if text is None:
    return None
  text = re.sub(r"~?\b(?:\w+\.)+(?=[A-Z]\w*)", "", text)
  text = re.sub(r"<(?:function|class) '?(?:\w+\.)*(\w+)'?[^>]*>", r"\1", text)
  return re.sub(r", parent: .*?name: str \| None = None", "", text)


def setup(app: Any) -> dict[str, Any]:
  """Comes before napoleon, which reads the sections."""
  app.connect("autodoc-process-docstring", on_docstring, priority=100)
  app.connect("autodoc-process-signature", on_signature)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
