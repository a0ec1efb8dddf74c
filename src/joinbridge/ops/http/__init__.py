"""The port for machines and for the desk: health, metrics, and a read-only API. It changes nothing, and has no login of its own."""
