#!/usr/bin/env python3
"""Runs on the board: an INA226 with a 10 mOhm shunt, at address 0x40 of a stub of an I2C bus.

    ina226.py start VOLT AMPERE      attaches it; the kernel's ina2xx reads it
    ina226.py set VOLT AMPERE

Registers are those of the datasheet (TI SBOS547, 7.6), filled as the chip would fill them.
"""

import ctypes
import fcntl
import os
import subprocess
import sys
from pathlib import Path

ADDRESS = 0x40
CONFIGURATION, SHUNT, BUS, POWER, CURRENT = 0, 1, 2, 3, 4
MANUFACTURER_ID, DIE_ID = 0xFE, 0xFF
SHUNT_OHM = 0.010
SHUNT_LSB_V, BUS_LSB_V = 2.5e-6, 1.25e-3
# ina2xx calibrates the chip with 2048: 0.00512 / 2048 / 10 mOhm; power has 25 times that.
CURRENT_LSB_A = 250e-6
POWER_LSB_W = 25 * CURRENT_LSB_A

# linux/i2c-dev.h, linux/i2c.h
I2C_SLAVE_FORCE, I2C_SMBUS = 0x0706, 0x0720  # by force: the driver has the address
SMBUS_WRITE, SMBUS_WORD_DATA = 0, 3
SMBUS_BLOCK_BYTES = 34


class Transfer(ctypes.Structure):
    """struct i2c_smbus_ioctl_data."""

    _fields_ = (
        ("read_write", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
    )


def bus_number() -> int:
    for name in Path("/sys/class/i2c-adapter").glob("i2c-*/name"):
        if "stub" in name.read_text():
            return int(name.parent.name.removeprefix("i2c-"))
    sys.exit("ina226: no stub of a bus")


def write_registers(values: dict[int, int]) -> None:
    bus = os.open(f"/dev/i2c-{bus_number()}", os.O_RDWR)
    fcntl.ioctl(bus, I2C_SLAVE_FORCE, ADDRESS)
    for register, value in values.items():
        # SMBus sends a word's low byte first, the chip its high one.
        block = (ctypes.c_uint8 * SMBUS_BLOCK_BYTES)(value >> 8 & 0xFF, value & 0xFF)
        data = ctypes.cast(block, ctypes.c_void_p)
        fcntl.ioctl(bus, I2C_SMBUS, Transfer(SMBUS_WRITE, register, SMBUS_WORD_DATA, data))
    os.close(bus)


def attach() -> None:
    for module in (["i2c-dev"], ["i2c-stub", f"chip_addr={ADDRESS:#x}"], ["ina2xx"]):
        subprocess.run(["modprobe", *module], check=True)
    write_registers({CONFIGURATION: 0x4127, MANUFACTURER_ID: 0x5449, DIE_ID: 0x2260})
    device = Path(f"/sys/bus/i2c/devices/i2c-{bus_number()}/new_device")
    device.write_text(f"ina226 {ADDRESS:#x}")


def measure(voltage_v: float, current_a: float) -> None:
    write_registers(
        {
            SHUNT: round(current_a * SHUNT_OHM / SHUNT_LSB_V) & 0xFFFF,
            BUS: round(voltage_v / BUS_LSB_V),
            CURRENT: round(current_a / CURRENT_LSB_A) & 0xFFFF,
            POWER: round(voltage_v * current_a / POWER_LSB_W),
        }
    )


if __name__ == "__main__":
    if sys.argv[1] == "start":
        attach()
    measure(float(sys.argv[2]), float(sys.argv[3]))
