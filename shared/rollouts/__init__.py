"""Playing: episodes side by side, greedy scores and how sure they are."""
