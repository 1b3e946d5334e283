"""Campaigns of crashes and faults against whole bots: nothing lost, nothing twice, nothing out of order."""
