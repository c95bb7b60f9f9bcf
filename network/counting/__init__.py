"""Parameters and operations of networks, counted from their structure."""
