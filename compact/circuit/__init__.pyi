from .cell import cell_of as cell_of
from .export import from_csv as from_csv
from .export import from_json as from_json
from .export import to_csv as to_csv
from .export import to_json as to_json
from .export import to_spice as to_spice
from .export import to_verilog_a as to_verilog_a
from .ngspice import run_transient as run_transient
