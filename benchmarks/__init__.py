"""Programs that measure speed and memory, and one that reads damaged files; each docstring says how to run it."""
