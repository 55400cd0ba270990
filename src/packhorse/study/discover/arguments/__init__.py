"""The arguments that scripts declare, by the libraries that read them."""
