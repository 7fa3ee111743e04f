"""What tests share: inputs, runs, closeness."""
