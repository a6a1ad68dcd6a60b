"""Dumps to signals, events, voice clips and self-reports: the inbox, the catalogue, the readers."""
