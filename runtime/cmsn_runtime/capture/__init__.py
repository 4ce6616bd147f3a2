"""Live cameras: each captured by a process of its own, restarted whenever it stalls or ends."""
