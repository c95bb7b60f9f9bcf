"""Many ranks begin a run together, or none does."""

from __future__ import annotations

from typing import Any

from ddkbase.errors import DDKError, Interrupted
from ddkbase.files import keep_traceback

__all__ = ["RankError", "agree"]


class RankError(DDKError):
    """An error of another rank, which ends this one as well."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def agree(world: Any, text: str, error: BaseException | None) -> str:
    """Exchange a text of rank 0 and the errors of all ranks. Collective.

    Who computes without the others would wait for them for ever, so if one rank has an error all
    raise it, that of the lowest rank.

    Parameters
    ----------
    world : mpi4py.MPI.Comm
        Communicator of all ranks.
    text : str
        What rank 0 has to tell; that of the others is ignored.
    error : BaseException or None
        What went wrong on this rank.

    Raises
    ------
    DDKError
        An error of this or of another rank.
    """
    message, code = ("", 0) if error is None else _message_and_code(error)
    answers = world.allgather((message, code, text))
    failed = [answer for answer in answers if answer[1]]
    if not failed:
        return str(answers[0][2])
    if isinstance(error, DDKError) and failed[0][0] == message:
        raise error
    raise RankError(*failed[0][:2]) from error


def _message_and_code(error: BaseException) -> tuple[str, int]:
    if isinstance(error, DDKError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "stopped", Interrupted.exit_code
    where = keep_traceback(error, "ddk-device")
    reason = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return f"{reason}. The traceback is in {where}", DDKError.exit_code
