"""What stands behind the ports: channels, readers, storage, order systems."""
