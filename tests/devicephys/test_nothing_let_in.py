"""No process listens to other machines, and no stranger's address is waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ddkbase.errors import InputError
from devicephys.campaign import cluster

ROOT = Path(__file__).resolve().parents[2]


def family(pid: int) -> set[int]:
    """A process and those that it started."""
    found, new = set(), {pid}
    while new:
        found |= new
        new = set()
        for one in found:
            for task in Path(f"/proc/{one}/task").glob("*/children"):
                try:
                    new |= {int(word) for word in task.read_text().split()} - found
                except OSError:
                    continue
    return found


def listening(pid: int) -> set[str]:
    """Addresses, as /proc/net writes them, at which a process and its children listen."""
    inodes = set()
    for one in family(pid):
        for entry in Path(f"/proc/{one}/fd").glob("*"):
            try:
                target = os.readlink(entry)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for name in ("tcp", "tcp6"):
        table = Path(f"/proc/net/{name}")
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                found.add(words[1].split(":")[0])
    return found


LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


def outside(command: list[str], seconds: float) -> tuple[set[str], str]:
    """Addresses beyond this machine at which a command listened while it ran."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("UCX_", "PMI"))}
    seen: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as job:
        deadline = time.monotonic() + seconds
        while job.poll() is None and time.monotonic() < deadline:
            seen |= listening(job.pid) - LOOPBACK
            time.sleep(0.05)
        job.terminate()
        _, errors = job.communicate()
    return seen, errors


def test_the_look_at_sockets_sees_one_that_is_open() -> None:
    before = listening(os.getpid())  # of other tests in this process
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        assert listening(os.getpid()) - LOOPBACK == {"00000000"} | before - LOOPBACK
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert "0100007F" in listening(os.getpid())
        assert listening(os.getpid()) - LOOPBACK == before - LOOPBACK


@pytest.mark.fem
@pytest.mark.slow
def test_a_loop_opens_no_port(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py.MPI")
    pytest.importorskip("dolfinx")
    command = ["devicephys.cli", "iv", "--preset", "quick", "--out", str(tmp_path / "run")]
    seen, _ = outside(command, 60.0)
    assert seen == set()
    assert (tmp_path / "run" / "request.json").exists()  # it did get to work


@pytest.mark.slow
def test_a_campaign_opens_no_port_to_others(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py.MPI")
    pytest.importorskip("dolfinx")
    plan = tmp_path / "c.yaml"
    plan.write_text("name: c\ndevice: tin-taox-hfox-tin\npreset: quick\npulses: {count: 50}\n")
    command = ["devicephys.cli", "campaign", str(plan), "--out", str(tmp_path / "c.zarr")]
    seen, said = outside([*command, "--workers", "2"], 60.0)
    assert seen == set(), said
    assert (tmp_path / "c.zarr").exists()


def test_the_choice_of_the_user_stays() -> None:
    pytest.importorskip("mpi4py.MPI")
    pytest.importorskip("dolfinx")
    code = "import os, devicephys.fem; print(os.environ.get('UCX_TLS'))"
    for told, wanted in (
        ({}, "self,sm"),
        ({"UCX_TLS": "tcp,self"}, "tcp,self"),
        ({"PMI_RANK": "0"}, "None"),
    ):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("UCX_", "PMI"))}
        if "PMI_RANK" in told:  # a launcher that is none would hang MPI itself
            code = (
                "import os, sys, types\n"
                "for n in ('h5py', 'petsc4py', 'mpi4py'): sys.modules[n] = types.ModuleType(n)\n"
                "sys.modules['petsc4py'].init = print\n"
                "sys.modules['mpi4py'].MPI = None\n"
                "import devicephys.fem; print(os.environ.get('UCX_TLS'))"
            )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**environment, **told},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split()[-1] == wanted, told


# -- schedulers of others -----------------------------------------------------------------------


def test_who_does_not_answer_as_a_scheduler_is_told_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cluster._REMOTE_TIMEOUT <= 10
    monkeypatch.setattr(cluster, "_REMOTE_TIMEOUT", 1.0)
    with socket.socket() as server:  # it accepts, and says nothing
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        for wrong in (address, "tcp://127.0.0.1:1", "nonsense://x", "tcp://"):
            found: list[BaseException] = []

            def ask(to: str = wrong, found: list[BaseException] = found) -> None:
                try:
                    with cluster.remote_cluster(to):
                        pass
                except InputError as error:
                    found.append(error)

            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            thread.join(60)
            assert found and "no Dask scheduler answers" in str(found[0]), wrong


@pytest.mark.slow
def test_the_local_scheduler_takes_no_code_without_credentials() -> None:
    pytest.importorskip("cryptography")
    code = (
        "from distributed import Client; import sys\n"
        "try: c = Client(sys.argv[1], timeout=5)\n"
        "except BaseException as e: print('refused', type(e).__name__)\n"
        "else: print('ran', c.submit(lambda: 1).result())"
    )
    with cluster.local_cluster(1) as local:
        assert local.client.submit(lambda: 3).result() == 3
        address = local.client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        plain = address.replace("tls://", "tcp://")
        for asked in (plain, address):
            done = subprocess.run(
                [sys.executable, "-c", code, asked], capture_output=True, text=True, timeout=120
            )
            assert "refused" in done.stdout, (asked, done.stdout)
