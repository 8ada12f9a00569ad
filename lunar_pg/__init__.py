"""Policy gradients for Gymnasium environments: T4's REINFORCE on CartPole and LunarLander, and what makes it good."""
