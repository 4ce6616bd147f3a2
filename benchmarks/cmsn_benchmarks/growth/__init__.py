"""How cost grows with the length of a video, with cameras, with the proposals of a hop, and with the window."""
