"""Optical coherence tomography angiography: from a volume to a flat vessel map."""
