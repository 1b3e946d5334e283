"""The embedded reader: PP-OCR on a CPU, then layout and words."""
