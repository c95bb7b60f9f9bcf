"""The command line ``ddk-device``."""
