"""The pure heart: what messages say, what that proves, and what follows. No I/O, no clock, no randomness."""
