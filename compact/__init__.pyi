from . import circuit as circuit
from . import kinetics as kinetics
from . import plots as plots
from . import table as table
from .fitting.estimator import AlphaBetaRegressor as AlphaBetaRegressor
from .fitting.fit import fit as fit
from .fitting.fit import fit_many as fit_many
from .fitting.profiles import profile_intervals as profile_intervals
from .fitting.result import AlphaBetaFit as AlphaBetaFit
from .kinetics import patterns as patterns
from .laws import linear_ion_drift as simplified  # noqa: F401 (a public name)
from .laws.linear_ion_drift import SimplifiedMemristor as SimplifiedMemristor
from .laws.update_laws import compare_laws as compare_laws
from .laws.update_laws import laws_table as laws_table
from .measured.read_pulses import read_pulses as read_pulses
from .report import write_report as write_report
from .table.table import AlphaBetaTable as AlphaBetaTable
