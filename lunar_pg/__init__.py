"""Policy gradients on CartPole, LunarLander and other Gymnasium environments (T4's REINFORCE, and what makes it good)."""
