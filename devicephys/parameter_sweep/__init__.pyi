from .description import ParameterSweep as ParameterSweep
from .description import plan_sweep as plan_sweep
from .execution import SweepOutcome as SweepOutcome
from .execution import redraw_sweep as redraw_sweep
from .execution import run_sweep as run_sweep
from .record import sweep_entries as sweep_entries
from .record import sweep_tables as sweep_tables
