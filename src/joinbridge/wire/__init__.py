"""Codecs of DUIS and GBCS, both directions, pure. Bad input gives `DecodeError`, whatever the bytes, and nothing else does."""
