"""Bulk SMS campaigns from a YAML file through the 8x8 SMS API."""
