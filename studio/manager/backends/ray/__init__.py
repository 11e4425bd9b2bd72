"""Workers of a Ray cluster: a studio without a page for each device, on whichever machines."""
