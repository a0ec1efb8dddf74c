"""Proving: the whole sidecar among seeded faults on virtual time, held against the truth; every crash point; the figures of both."""
