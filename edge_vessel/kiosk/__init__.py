"""The biometric kiosk: a camera, a store of templates, and an HTTP service on this device alone."""
