from . import records as records
from . import units as units
from .errors import DDKError as DDKError
from .errors import InputError as InputError
from .errors import InstallationError as InstallationError
from .errors import Interrupted as Interrupted
from .errors import SolverError as SolverError
from .errors import StorageError as StorageError

__version__: str
