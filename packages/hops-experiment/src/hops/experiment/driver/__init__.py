"""The driver's side of a run: coordinator, channel, searches, views. Never imports the worker's."""
