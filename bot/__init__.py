"""Shotdesk: a customer-service bot that understands screenshots."""
