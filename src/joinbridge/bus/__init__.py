"""The message bus: one contract (`ports.Source`, `ports.Publisher`), one conformance suite, an adapter for each broker."""
