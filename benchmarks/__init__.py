"""Speed beside the peers, measured in one run: ratios, not absolutes."""
