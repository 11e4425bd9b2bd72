"""Music as notes: how a prompt is read, a melody written, accompanied and put on paper. No torch, no sound."""
