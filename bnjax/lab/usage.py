"""How a script runs: its flags, its `--help`, a line for what goes wrong."""

import contextlib
import difflib
import errno
import io
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from absl import app, flags, logging

from bnjax.lab import signals
from bnjax.lab.errors import UserError

_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)
_COLUMN = 26  # where the help of a flag begins
_HELP = ("--help", "-help", "--helpshort", "-helpshort", "-h", "-?", "--?")

# What absl and Python say, and what a person would.
_BETTER = (
  (
    r"^flag (--[\w.]+)=.*: invalid literal for int.*: (.*)$",
    r"\1: \2 is no whole number",
  ),
  (
    r"^flag (--[\w.]+)=.*: could not convert string to float: (.*)$",
    r"\1: \2 is no number",
  ),
  (r"^flag (--[\w.]+)=.*: (.* is not a .*)$", r"\1: \2"),
  (
    r"^Missing value for flag (--[\w.]+)$",
    r"\1: its value is missing; write \1=...",
  ),
)


def as_called(text: str) -> str:
  """A text about our scripts, for who calls them by their installed names."""
  if Path(sys.argv[0]).suffix == ".py":
    return text
  return re.sub(
    r"(?:python )?scripts/(train|sweep|report)\.py", r"bnjax-\1", text
  )


def run(
  main: Callable[[list[str]], None],
  rewrite: Callable[[list[str]], list[str]] = list,
) -> None:
  """`absl.app.run`, but an error that the user can fix is one line.

  Exit status: 0 done, 1 wrong input or no room for the output, 75 and 130
  asked to stop by SIGTERM and Ctrl-C; others are `main`'s.

  Args:
    main: given the arguments that are no flags; its module defines the flags
      and says what the program does.
    rewrite: makes flags of absl of what is given.
  """
  module = main.__module__

  def one_line(argv: list[str]) -> None:
    try:
      main(argv)
    except UserError as error:
      sys.exit(as_called(f"error: {error}"))
    except OSError as error:  # of a file that somebody named
      if error.filename is None or isinstance(error, BrokenPipeError):
        raise
      sys.exit(f"error: {str(error.filename)[:200]}: {error.strerror}")

  def parse_or_exit(argv: list[str]) -> list[str]:
    own = _own_flags(argv[0] if module == "__main__" else module)
    if wants_help(argv):
      doc = as_called(sys.modules[module].__doc__ or "")
      print(help_text(doc, own), end="")
      sys.exit(0)
    try:
      return _parse_flags(rewrite(argv), own)
    except UserError as error:
      sys.exit(f"error: {error}")

  logging.set_verbosity(logging.WARNING)  # jax tells of backends it looks for
  signals.take()
  signals.advise("give the same command again")
  with _printing():
    app.run(one_line, flags_parser=parse_or_exit)


@contextlib.contextmanager
def _printing() -> Iterator[None]:
  """Prints what the terminal has no letters for as "?"; a full disk is told."""
  if isinstance(sys.stdout, io.TextIOWrapper):
    sys.stdout.reconfigure(errors="replace")
  try:
    try:
      yield
    finally:
      if sys.stdout is not None:  # nor closed before it began
        sys.stdout.flush()
  except OSError as error:
    if error.errno not in _UNWRITABLE:
      raise
    # What was not written is not to be written again at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # as of `| head`
      sys.exit(1)
    place = f" {error.filename}" if error.filename else ""
    sys.exit(f"error: cannot write{place}: {error.strerror}")


def _parse_flags(argv: list[str], own: Iterable[flags.Flag]) -> list[str]:
  """Sets `flags.FLAGS`; returns the program's name.

  Raises:
    UserError: a flag is not known or has no such value, or something is no
      flag.
  """
  try:
    rest = flags.FLAGS(argv)
  except flags.UnrecognizedFlagError as error:
    names = [flag.name for flag in own]
    raise UserError(_unknown_flag(error.flagname, names)) from None
  except flags.Error as error:
    raise UserError(brief(str(error))) from None
  if rest[1:]:
    raise UserError(
      f"{rest[1]!r}: not a flag; write --flag=value, --help tells which"
    )
  return rest


def _unknown_flag(given: str, names: Iterable[str]) -> str:
  """What is said of a flag that does not exist.

  >>> _unknown_flag("wordir", ["workdir", "config"])
  '--wordir: no such flag; did you mean --workdir? --help lists them'
  >>> _unknown_flag("steps", ["workdir", "config"])
  '--steps: no such flag; a field of the config is set by --config.FIELD;
   --help lists them'
  """
  names = sorted(names)
  first, dot, rest = given.partition(".")
  near = difflib.get_close_matches(first, names, n=1)
  hint = ""
  if near:
    hint = f"did you mean --{near[0]}{dot}{rest}? "
  elif "config" in names:
    hint = "a field of the config is set by --config.FIELD; "
  return f"--{given}: no such flag; {hint}--help lists them"


def brief(message: str) -> str:
  """The line that says what happened, of a message of absl.

  >>> brief("flag --n=x: invalid literal for int() with base 10: 'x'")
  "--n: 'x' is no whole number"
  """
  message = " ".join(message.split())
  for pattern, better in _BETTER:
    message = re.sub(pattern, better, message)
  return message


def wants_help(argv: list[str]) -> bool:
  """Whether help is asked for."""
  before = argv[: argv.index("--")] if "--" in argv else argv
  return any(arg in _HELP for arg in before[1:])


def help_text(doc: str, own: Iterable[flags.Flag]) -> str:
  """The help of a program: what it does, examples, a line or two per flag."""
  lines = [doc.strip(), "", "flags:"]
  for flag in own:
    value = "" if flag.boolean else "=..."
    head = f"  --{flag.name}{value}"
    about = " ".join(f"{flag.help or ''}{_default(flag)}".split())
    body = textwrap.wrap(about, 79 - _COLUMN) or [""]
    if len(head) >= _COLUMN:
      lines.append(head)
      head = ""
    lines.append(f"{head:<{_COLUMN}}{body[0]}")
    lines += [" " * _COLUMN + line for line in body[1:]]
  return "\n".join(lines) + "\n"


def _default(flag: flags.Flag) -> str:
  """Its default, where there is one that its help does not tell."""
  default = flag.default
  if default in (None, "", [], False) or "default" in (flag.help or ""):
    return ""
  if isinstance(default, list):
    default = ",".join(map(str, default))
  return f" [{default}]"


def _own_flags(module: str) -> list[flags.Flag]:
  """The flags that a program's module defines, in its order."""
  own = flags.FLAGS.get_key_flags_for_module(module)
  order = list(flags.FLAGS.flags_by_module_dict().get(module, own))
  return [flag for flag in order if flag in own and "." not in flag.name]
