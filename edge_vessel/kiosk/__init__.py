"""The kiosk: verification of people by their retina, as a service on the device."""
