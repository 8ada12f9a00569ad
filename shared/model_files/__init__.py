"""Files of networks and weights, of ours and of others, read without trusting them."""
