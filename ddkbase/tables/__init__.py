"""Files of laboratories as tables: named columns of cells, with their units and places.

What the columns mean, the caller says: pulse trains in `compact.measured`.

============= =============================================================================
module        what it does
============= =============================================================================
``reading``   the door, and `FORMATS`: which reader takes which content and suffix
``text``      reader of .csv, .tsv, .txt, .dat and whatever else is text
``rows``      rows of cells to a table: headings, units, where the numbers begin
``binary``    readers of .mat, .npz, .npy
``workbooks`` readers of .xlsx, .xls
``raw_file``  raw files of SPICE, in ASCII or binary
``columnar``  readers of .parquet, .feather
``table``     what readers return: columns of cells, each with its place in the file; numbers
``units``     units as laboratories write them
``mat_file``  MATLAB files without SciPy
============= =============================================================================

A new reader is a function ``(content, path, options) -> Table`` and one line in
`ddkbase.tables.reading.FORMATS`: by the first bytes of its files (``signatures``) or, for a
text that has none, by its suffix (``unsigned=True``).
"""
