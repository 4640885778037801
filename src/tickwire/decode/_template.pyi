"""Learning templates: for other extensions only; Python finds nothing here."""
