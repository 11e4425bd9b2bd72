"""How the starters were made: data, training and score of each. Nothing here is needed to run the studio."""
