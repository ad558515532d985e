"""Telling people apart by the vessels of their retina."""
