"""The example that lies beside an export for phones and browsers."""
