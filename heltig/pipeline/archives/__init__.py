"""The remote archives of a site: configured, probed, asked with care, watched."""
