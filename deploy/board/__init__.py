"""The emulated board: a Cortex-A72 machine with a camera, a power meter and a thermal zone."""
