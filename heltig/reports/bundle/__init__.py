"""Evidence bundles: one study's verdict with all that it was made of, to be checked on another machine."""
