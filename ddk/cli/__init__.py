"""The command line ``ddk-network``."""
