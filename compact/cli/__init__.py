"""The command line ``ddk-compact``."""
