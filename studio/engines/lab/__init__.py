"""Small networks of our own that "How it works" shows at work: a GAN, and a matcher of words with pictures."""
