"""Series of others, from the files they come in.

===========  ==============================================================================
module       what it does
===========  ==============================================================================
``files``    the door: which file is read how, and the pairs NAME_TRAIN, NAME_TEST
``lines``    lines of a text with their numbers, unpacked on the way; numbers of a line
``ts``       .ts of the UCR and UEA archives
``stamps``   values with time stamps
``arff``     .arff of the same
``plain``    their tables without headings, the class first
``tables``   tables with headings (CSV, XLSX, Parquet, Feather): a row a sample, or a row a step
``samples``  from series of any length, with gaps, to a `DataSet`
===========  ==============================================================================
"""
