from .loops import measured_band as measured_band
from .loops import misfit_rows as misfit_rows
from .loops import read_loop as read_loop
from .ramps import waveform_of as waveform_of
