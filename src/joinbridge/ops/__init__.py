"""What people read: the report of a run, and the reference that is generated from the code."""
