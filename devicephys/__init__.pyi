from ddkbase.errors import DDKError as DDKError
from ddkbase.errors import InputError as InputError
from ddkbase.errors import InstallationError as InstallationError
from ddkbase.errors import Interrupted as Interrupted
from ddkbase.errors import SolverError as SolverError
from ddkbase.errors import StorageError as StorageError

from . import campaign as campaign
from . import verification as verification
from .device import Device as Device
from .device import Provenance as Provenance
from .device import list_devices as list_devices
from .device import load_device as load_device
from .protocol.pulse_train import PulseTrain as PulseTrain
from .protocol.waveform import IVSweep as IVSweep
from .protocol.waveform import Waveform as Waveform
from .simulation.settings import Settings as Settings
from .simulation.simulate import simulate as simulate
from .simulation.simulate import simulate_pulses as simulate_pulses

__version__: str
