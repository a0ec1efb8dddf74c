"""Find lost smart-meter Join answers, prove what happened, and make the Smart Metering Inventory true."""

__version__ = "0.1.0"
