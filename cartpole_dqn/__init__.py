"""CartPole in seven ways: by a network that cannot learn it, by a table, and by every kind of DQN."""
