"""From a pipeline file to its steps: everything is checked before anything is computed."""

from __future__ import annotations

from ddk.pipeline.file import Chain, located
from ddk.pipeline.job import Job
from ddk.pipeline.steps_device import campaign_job, loop_job, pulses_job
from ddk.pipeline.steps_hardware import compile_job, hardware_job
from ddk.pipeline.steps_network import Trainee, controls_job, network_job
from ddk.pipeline.steps_table import TableSource, fit_job
from ddkbase.errors import InputError

__all__ = ["jobs_of"]

_NEEDS_NETWORK = ("hardware", "compile")


def jobs_of(chain: Chain, where: str = "") -> list[Job]:
    """The steps of a pipeline, each after those that it uses.

    Parameters
    ----------
    chain : Chain
        The file, read.
    where : str, default ""
        The file, for errors.

    Raises
    ------
    InputError
        A step lacks one that it needs, or a value that does not fit; with its place.
    StorageError
        An input file is missing or damaged.
    InstallationError
        A package is missing.
    """
    try:
        return _jobs(chain)
    except InputError as error:
        raise located(error, where) from None


def _jobs(chain: Chain) -> list[Job]:
    _check(chain)
    steps = chain.steps
    jobs = []
    independent = {"loop": loop_job, "pulses": pulses_job, "campaign": campaign_job, "fit": fit_job}
    for name, make in independent.items():
        if name in steps:
            jobs.append(make(chain))
    table = TableSource(chain)
    trainee = None
    if "network" in steps:
        trainee = Trainee.of(chain, table)
        jobs.append(network_job(chain, trainee))
    if "controls" in steps:
        jobs.append(controls_job(chain, table, trainee))
    if trainee is not None:
        for name, build in (("hardware", hardware_job), ("compile", compile_job)):
            if name in steps:
                jobs.append(build(chain, trainee))
    return jobs


def _check(chain: Chain) -> None:
    """Complain about steps and keys that nothing else goes with."""
    steps, given = chain.steps, chain.file.model_fields_set
    for name in _NEEDS_NETWORK:
        if name in steps and "network" not in steps:
            raise InputError(f"'{name}' needs a network", name, "Add the step 'network'")
    if "trains" in given and "fit" not in steps:
        raise InputError("nothing fits these trains", "trains", "Add the step 'fit'")
    if "table" in given and not {"network", "controls"} & {*steps}:
        raise InputError("nothing uses this table", "table", "Add the step 'network'")
    for key in ("device", "set", "preset"):
        if key in given and not {"loop", "pulses", "campaign"} & {*steps}:
            raise InputError("nothing is simulated", key, "Leave it out, or add 'campaign'")
