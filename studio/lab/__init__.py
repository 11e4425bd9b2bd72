"""The lab: experiments that show what models are like inside, each computed on the spot by the model at hand."""
