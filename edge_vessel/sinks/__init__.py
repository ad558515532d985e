"""Where results go: files, JSON lines, a window, a network preview. `base.py` has the interface."""
