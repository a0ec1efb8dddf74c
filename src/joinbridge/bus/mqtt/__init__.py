"""The bus over MQTT 5: a source of device alerts. `source` is the port, `connection` the one module that knows the MQTT library."""
