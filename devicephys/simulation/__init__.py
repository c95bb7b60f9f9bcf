"""A device and a protocol become a record."""
