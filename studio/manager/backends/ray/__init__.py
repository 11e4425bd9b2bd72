"""Workers of a Ray cluster: a studio without a page for each device, in processes and on machines that Ray looks after."""
