from ddkbase import records as records
from ddkbase.errors import DDKError as DDKError
from ddkbase.errors import InputError as InputError
from ddkbase.errors import InstallationError as InstallationError
from ddkbase.errors import Interrupted as Interrupted
from ddkbase.errors import SolverError as SolverError
from ddkbase.errors import StorageError as StorageError

from . import calibration as calibration
from . import campaign as campaign
from . import device as device
from . import plots as plots
from . import run as run
from . import verification as verification
from .device import Device as Device
from .device import Provenance as Provenance
from .device import device_from_yaml as device_from_yaml
from .device import list_devices as list_devices
from .device import load_device as load_device
from .device import random_device as random_device
from .population.variability import Variability as Variability
from .population.variability import draw_cell as draw_cell
from .protocol.pulse_train import PulseTrain as PulseTrain
from .protocol.stored import protocol_from_dict as protocol_from_dict
from .protocol.switching_scan import SwitchingScan as SwitchingScan
from .protocol.waveform import IVSweep as IVSweep
from .protocol.waveform import Waveform as Waveform
from .report.report import write_report as write_report
from .simulation.checkpoint import Checkpoint as Checkpoint
from .simulation.figures_of_merit import LoopFigures as LoopFigures
from .simulation.figures_of_merit import loop_figures as loop_figures
from .simulation.figures_of_merit import reset_onset as reset_onset
from .simulation.settings import Settings as Settings
from .simulation.simulate import simulate as simulate
from .simulation.simulate import simulate_pulses as simulate_pulses
from .simulation.simulate import simulate_switching_times as simulate_switching_times

__version__: str
