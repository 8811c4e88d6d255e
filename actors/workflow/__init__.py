"""The workflow actor: a thin shell around the pure core, decisions/."""
