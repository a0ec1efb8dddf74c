"""The composition root: the one place that names concrete adapters and puts a sidecar together."""
