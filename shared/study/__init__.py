"""Any training over seeds and settings, side by side."""
