"""Who is there and who is gone, between threads that stand for processes."""

import concurrent.futures
import socket
import time

import pytest

from bnjax.lab.experiment import peers, processes
from bnjax.lab.experiment.link import relay


@pytest.fixture
def address():
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    return free.getsockname()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
  monkeypatch.setattr(peers, "_WAIT", 1.0)
  monkeypatch.setattr(peers, "_PAUSE", 0.3)


def _join(address, *given):
  """Has processes (index, count) join; what each gets or fails with."""
  made = [peers.Peers(address, count, index) for index, count in given]
  said = []
  with concurrent.futures.ThreadPoolExecutor() as pool:
    for one in [pool.submit(each.join) for each in made]:
      said.append(str(one.exception() or ""))
  return made, said


def _hang_up(process):
  for link in process._links.values():
    link._connection.shutdown(socket.SHUT_RDWR)


def test_who_is_gone_is_named_in_all_others(address):
  (third, first, second), said = _join(address, (2, 3), (0, 3), (1, 3))
  assert said == ["", "", ""]
  failed = pytest.raises(ZeroDivisionError)
  with failed, first.run("again"), second.run("again"):
    _hang_up(third)
    assert first.who_is_gone() == "process 2 of 3 is gone"
    assert second.who_is_gone() == "process 2 of 3 is gone"
    raise ZeroDivisionError  # as a sum over processes: nobody waits at the end


def test_who_has_ended_is_not_missed(address):
  (first, second), _ = _join(address, (0, 2), (1, 2))
  with concurrent.futures.ThreadPoolExecutor() as pool:

    def end(process):
      with process.run("again"):
        pass

    start = time.monotonic()
    for one in [pool.submit(end, process) for process in (first, second)]:
      one.result()
  assert time.monotonic() - start < peers._GOODBYE / 4
  _hang_up(second)
  with first._changed:
    first._changed.wait_for(lambda: first._gone, 10)
  assert first._missed() == []


def test_one_that_does_not_come_is_named(address, capsys):
  _, said = _join(address, (0, 3), (2, 3))
  place = f"{address[0]}:{address[1]}"
  line = f"process 1 of 3 did not come to {place} within 1 seconds; start all"
  assert [one.startswith(line) for one in said] == [True, True]
  waiting = f"waiting for process 1 of 3 at {place}\n"
  assert capsys.readouterr().err.count(waiting) >= 2  # each says so


def test_the_first_one_does_not_come(address):
  _, (said,) = _join(address, (1, 2))
  assert said.startswith("process 0 of 2 did not come to ")


@pytest.mark.parametrize(
  ("given", "said"),
  [
    ([(0, 2), (1, 3)], "process 1 was given --num_processes=3, and the first"),
    ([(0, 3), (1, 3), (1, 3)], "two processes were given --process_id=1"),
  ],
)
def test_a_process_that_says_something_else(address, given, said):
  assert all(one.startswith(said) for one in _join(address, *given)[1])


@pytest.mark.parametrize(
  ("names", "joins"),
  [
    ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, 1),  # salloc's shell
    ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "2"}, 2),
    ({"SLURM_NTASKS": "4"}, 4),
  ],
)
def test_how_many_tasks_there_are_is_the_steps(monkeypatch, names, joins):
  step = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "0",
    "SLURM_STEP_NODELIST": "node[3-4]",
  }
  for name, value in (step | names).items():
    monkeypatch.setenv(name, value)
  address, count, index = processes._in_slurm()
  assert (count, index) == (joins, 0)
  assert address == ("" if joins == 1 else "node3:61447")


def test_a_relay_carries_and_keeps_an_end_to_itself():
  with socket.create_server(("127.0.0.1", 0)) as server:
    near = socket.create_connection(("127.0.0.1", relay(server.getsockname())))
    far = server.accept()[0]
  near.sendall(b"there")
  assert far.recv(5) == b"there"
  far.sendall(b"back")
  assert near.recv(4) == b"back"
  far.close()
  near.settimeout(0.3)
  with near, pytest.raises(TimeoutError):
    near.recv(1)
