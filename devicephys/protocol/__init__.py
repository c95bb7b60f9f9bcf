"""What is done to a cell: waveforms, sweeps, pulse trains, scans of switching times."""
