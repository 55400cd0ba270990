"""Commands about what runs use."""
