"""The service: what runs, from intake to outbox, on the ports."""
